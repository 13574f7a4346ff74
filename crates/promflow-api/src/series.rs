//! `series`, `labels`, `label/NAME/values`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use promflow_model::{Labels, Matcher, quote};
use promflow_storage::{Querier, SelectError, SelectHints};

use crate::json::push_labels;
use crate::params::Params;
use crate::respond::{ApiError, success_json, success_with};
use crate::state::ApiState;

/// Far enough for every sample, and still safe to calculate with.
const MIN_T_MS: i64 = i64::MIN / 4;
const MAX_T_MS: i64 = i64::MAX / 4;

pub(crate) async fn series(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let selectors = params.selectors()?;
    if selectors.is_empty() {
        return Err(ApiError::bad_data("no match[] parameter provided"));
    }
    let (start_ms, end_ms, limit) = window(&params)?;
    blocking(&state.clone(), move || {
        let querier = state.queryable.querier(start_ms, end_ms)?;
        let hints = SelectHints { start_ms, end_ms, func: "series".to_owned(), ..SelectHints::default() };
        let mut found: BTreeSet<Labels> = BTreeSet::new();
        let mut warnings = Vec::new();
        for matchers in &selectors {
            let mut set = querier.select(true, &hints, matchers)?;
            while let Some(next) = set.next() {
                found.insert(next?.labels().clone());
            }
            warnings.extend(set.warnings());
        }
        let mut body = String::from("[");
        for (i, labels) in found.iter().take(if limit > 0 { limit } else { usize::MAX }).enumerate() {
            if i > 0 {
                body.push(',');
            }
            push_labels(&mut body, labels);
        }
        body.push(']');
        note_limit(&mut warnings, found.len(), limit);
        Ok(success_json(&body, &warnings, &[]))
    })
    .await
}

pub(crate) async fn names(State(state): State<Arc<ApiState>>, params: Params) -> Result<Response, ApiError> {
    let selectors = params.selectors()?;
    let (start_ms, end_ms, limit) = window(&params)?;
    blocking(&state.clone(), move || {
        let querier = state.queryable.querier(start_ms, end_ms)?;
        union(&selectors, limit, |matchers| querier.label_names(matchers))
    })
    .await
}

pub(crate) async fn values(
    State(state): State<Arc<ApiState>>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let name = unescape_name(&name);
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {}", quote::quote(&name))));
    }
    let selectors = params.selectors()?;
    let (start_ms, end_ms, limit) = window(&params)?;
    blocking(&state.clone(), move || {
        let querier = state.queryable.querier(start_ms, end_ms)?;
        let querier: &dyn Querier = &*querier;
        union(&selectors, limit, |matchers| querier.label_values(&name, matchers))
    })
    .await
}

/// Undoes the escaping of a label name in a path: `U__` in front, `_2e_` for a character, `__` for `_`.
fn unescape_name(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some((code, after)) = rest.split_once('_') else { return name.to_owned() };
        match (code, u32::from_str_radix(code, 16).ok().and_then(char::from_u32)) {
            ("", _) => out.push('_'),
            (_, Some(c)) => out.push(c),
            (_, None) => return name.to_owned(),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn window(params: &Params) -> Result<(i64, i64, usize), ApiError> {
    let start_ms = params.time_or("start", MIN_T_MS)?;
    let end_ms = params.time_or("end", MAX_T_MS)?;
    if end_ms < start_ms {
        return Err(ApiError::invalid("end", "end timestamp must not be before start time"));
    }
    Ok((start_ms, end_ms, params.limit("limit")?))
}

fn union(
    selectors: &[Vec<Matcher>],
    limit: usize,
    read: impl Fn(&[Matcher]) -> Result<Vec<String>, SelectError>,
) -> Result<Response, ApiError> {
    let mut all: Vec<String> = if selectors.is_empty() {
        read(&[])?
    } else {
        let mut set = BTreeSet::new();
        for matchers in selectors {
            set.extend(read(matchers)?);
        }
        set.into_iter().collect()
    };
    let mut warnings = Vec::new();
    note_limit(&mut warnings, all.len(), limit);
    if limit > 0 {
        all.truncate(limit);
    }
    Ok(success_with(all, &warnings, &[]))
}

fn note_limit(warnings: &mut Vec<String>, found: usize, limit: usize) {
    if limit > 0 && found > limit {
        warnings.push("results truncated due to limit".to_owned());
    }
}

/// Waits for a place among the queries, and runs work that reads the store on a thread for blocking work.
async fn blocking(
    state: &ApiState,
    work: impl FnOnce() -> Result<Response, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let place = state.query_place(Duration::from_millis(state.limits.query_timeout_ms as u64)).await?;
    tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    })
    .await
    .unwrap_or_else(|e| Err(ApiError::internal(format!("reading the storage panicked: {e}"))))
}

#[cfg(test)]
mod tests {
    use super::unescape_name;

    #[test]
    fn label_names_in_paths_are_unescaped() {
        for (escaped, name) in [
            ("job", "job"),
            ("U__http_2e_status", "http.status"),
            ("U__a__b", "a_b"),
            ("U__a_zz_b", "U__a_zz_b"),
        ] {
            assert_eq!(unescape_name(escaped), name);
        }
    }
}
