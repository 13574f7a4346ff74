//! Recording rules.

use promflow_model::{Labels, LabelsBuilder, METRIC_NAME};
use promflow_syntax::Expr;

use crate::RuleContext;
use crate::series::{Output, refuse_duplicates};

/// A recording rule.
pub(crate) struct RecordingRule {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) labels: Labels,
}

impl RecordingRule {
    /// Evaluates the rule.
    ///
    /// Errors: the query's, equal label sets, or more series than the limit (0 for none).
    pub(crate) fn eval(
        &self,
        context: &RuleContext,
        query_t_ms: i64,
        limit: usize,
    ) -> Result<Output, String> {
        let vector = context.query(&self.expr, query_t_ms)?;
        let mut output = Vec::with_capacity(vector.len());
        for sample in vector {
            let mut builder = LabelsBuilder::new(&sample.labels);
            builder.set(METRIC_NAME, &self.name);
            for (name, value) in &self.labels {
                builder.set(name, value);
            }
            output.push((builder.labels(), sample.value));
        }
        refuse_duplicates(output.iter().map(|(labels, _)| labels)).map_err(|()| {
            "vector contains metrics with the same labelset after applying rule labels".to_owned()
        })?;
        if limit > 0 && output.len() > limit {
            return Err(format!("exceeded limit of {limit} with {} series", output.len()));
        }
        Ok(output)
    }
}
