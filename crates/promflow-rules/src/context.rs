//! What an evaluation works with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use promflow_model::{AlertSink, Labels};
use promflow_promql::{CancelToken, Engine, QueryOptions, Value, VectorSample};
use promflow_storage::{Appendable, Queryable};
use promflow_syntax::Expr;
use promflow_template::{AlertData, Env, QuerySample, Template};

use crate::RuleMetrics;

/// The engine, the store and the outlet that all groups share.
#[derive(Clone)]
pub struct RuleContext {
    /// Evaluates expressions.
    pub engine: Arc<Engine>,
    /// Is read.
    pub queryable: Arc<dyn Queryable>,
    /// Takes recorded series and `ALERTS`.
    pub appendable: Arc<dyn Appendable>,
    /// Takes alerts to be delivered.
    pub alerts: Arc<dyn AlertSink>,
    /// Counts what the rules do.
    pub metrics: RuleMetrics,
    /// The server's labels, for templates.
    pub external_labels: Labels,
    /// The server's address as others reach it, for templates and links; no slash at the end.
    pub external_url: String,
    /// How long a firing alert is not sent again, in milliseconds.
    pub resend_delay_ms: i64,
    /// How long one query may take.
    pub query_timeout: Duration,
}

impl RuleContext {
    /// Evaluates an expression to a vector; a scalar is a vector of one series without labels.
    ///
    /// Units: milliseconds since the epoch.
    /// Errors: the engine's text, or that the result is neither.
    pub fn query(&self, expr: &Expr, t_ms: i64) -> Result<Vec<VectorSample>, String> {
        let deadline = Instant::now() + self.query_timeout;
        let cancel = CancelToken::new().expiring(move || Instant::now() >= deadline);
        let options = QueryOptions { cancel, ..QueryOptions::default() };
        let result =
            self.engine.instant(&*self.queryable, expr, t_ms, &options).map_err(|e| e.to_string())?;
        match result.value {
            Value::Vector(samples) => Ok(samples),
            Value::Scalar(sample) => {
                Ok(vec![VectorSample { labels: Labels::empty(), t_ms: sample.t_ms, value: sample.value }])
            }
            Value::String { .. } | Value::Matrix(_) => {
                Err("rule result is not a vector or scalar".to_owned())
            }
        }
    }

    /// Expands a template of an alert's label or annotation for one series.
    ///
    /// Errors: the template's text.
    pub(crate) fn expand(
        &self,
        template: &Template,
        sample: &VectorSample,
        t_ms: i64,
    ) -> Result<String, String> {
        let data = AlertData {
            labels: &sample.labels,
            external_labels: &self.external_labels,
            external_url: &self.external_url,
            value: sample.value,
        };
        let query = |text: &str| -> Result<Vec<QuerySample>, String> {
            let expr = promflow_syntax::parse(text).map_err(|e| e.to_string())?;
            let vector = self.query(&expr, t_ms)?;
            Ok(vector.into_iter().map(|s| QuerySample { labels: s.labels, value: s.value }).collect())
        };
        template.expand(&data, &Env { now_ms: t_ms, query: &query }).map_err(|e| e.to_string())
    }
}
