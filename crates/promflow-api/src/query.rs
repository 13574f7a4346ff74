//! `query`, `query_range`, `format_query`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Response;
use promflow_promql::{CancelToken, QueryError, QueryOptions, QueryResult, RangeParams, Value};
use promflow_syntax::Expr;

use crate::json::query_data;
use crate::params::Params;
use crate::respond::{ApiError, success, success_json};
use crate::state::ApiState;

/// The most points of a range query per series.
const POINTS_MAX: i64 = 11_000;

/// Gives up the query when the client goes away: the handler's future is dropped then.
struct CancelOnDrop(CancelToken);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

pub(crate) async fn instant(
    State(state): State<Arc<ApiState>>,
    params: Params,
) -> Result<Response, ApiError> {
    let t_ms = params.time_or("time", state.clock.now_ms())?;
    let request = Request::new(&state, &params)?;
    request
        .run(move |state, expr, options| state.engine.instant(&*state.queryable, expr, t_ms, options))
        .await
}

pub(crate) async fn range(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let start_ms = params.time("start")?;
    let end_ms = params.time("end")?;
    if end_ms < start_ms {
        return Err(ApiError::invalid("end", "end timestamp must not be before start time"));
    }
    let step_ms = params.duration("step")?;
    if step_ms <= 0 {
        return Err(ApiError::invalid(
            "step",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ));
    }
    if (end_ms - start_ms) / step_ms > POINTS_MAX {
        return Err(ApiError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    let request = Request::new(&state, &params)?;
    let range = RangeParams { start_ms, end_ms, step_ms };
    request.run(move |state, expr, options| state.engine.range(&*state.queryable, expr, range, options)).await
}

pub(crate) async fn format(params: Params) -> Result<Response, ApiError> {
    Ok(success(parse(params.get("query"))?.to_string()))
}

fn parse(query: &str) -> Result<Expr, ApiError> {
    promflow_syntax::parse(query).map_err(|e| ApiError::invalid("query", &e.to_string()))
}

/// A query with its options, ready to run.
struct Request {
    state: Arc<ApiState>,
    expr: Expr,
    options: QueryOptions,
    timeout: Duration,
    limit: usize,
    wants_stats: bool,
}

impl Request {
    fn new(state: &Arc<ApiState>, params: &Params) -> Result<Self, ApiError> {
        let query = params.get("query");
        let timeout_ms =
            params.optional_duration("timeout")?.unwrap_or(i64::MAX).clamp(0, state.limits.query_timeout_ms);
        Ok(Self {
            state: state.clone(),
            expr: parse(query)?,
            options: QueryOptions {
                lookback_delta_ms: params.optional_duration("lookback_delta")?,
                query: query.to_owned(),
                ..QueryOptions::default()
            },
            timeout: Duration::from_millis(timeout_ms as u64),
            limit: params.limit("limit")?,
            wants_stats: !params.get("stats").is_empty(),
        })
    }

    /// Waits for a place, runs the query on a thread for blocking work, and writes the answer there too.
    async fn run(
        self,
        evaluate: impl FnOnce(&ApiState, &Expr, &QueryOptions) -> Result<QueryResult, QueryError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let deadline = Instant::now() + self.timeout;
        let cancel = CancelToken::new().expiring(move || Instant::now() >= deadline);
        let _guard = CancelOnDrop(cancel.clone());
        let options = QueryOptions { cancel, ..self.options };
        let (state, expr, limit, wants_stats) = (self.state, self.expr, self.limit, self.wants_stats);
        let place = state.query_place(self.timeout).await?;
        tokio::task::spawn_blocking(move || {
            let _place = place;
            let started = Instant::now();
            let mut result = evaluate(&state, &expr, &options)?;
            if truncate(&mut result.value, limit) {
                result.warnings.push("results truncated due to limit".to_owned());
            }
            let stats = wants_stats.then(|| (result.stats, started.elapsed().as_secs_f64()));
            Ok(success_json(&query_data(&result.value, stats), &result.warnings, &result.infos))
        })
        .await
        .unwrap_or_else(|e| Err(ApiError::internal(format!("the query panicked: {e}"))))
    }
}

fn truncate(value: &mut Value, limit: usize) -> bool {
    if limit == 0 {
        return false;
    }
    match value {
        Value::Vector(samples) if samples.len() > limit => samples.truncate(limit),
        Value::Matrix(series) if series.len() > limit => series.truncate(limit),
        _ => return false,
    }
    true
}
