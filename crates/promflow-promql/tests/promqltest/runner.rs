//! Runs scripts: every eval as it stands, instant ones also with `@` on their selectors at other times, and each of
//! these as a range query too.

use std::collections::BTreeMap;

use promflow_model::{BUCKET_LABEL, Labels, METRIC_NAME, STALE_NAN};
use promflow_promql::{Engine, EngineOptions, QueryOptions, QueryResult, RangeParams, Value};
use promflow_regex::Regex;
use promflow_storage::fake::FakeStorage;
use promflow_syntax::ast::{AtModifier, BinaryExpr, Expr, ExprKind};
use promflow_syntax::{ParseOptions, SequenceValue, parse_with};

use crate::script::{Command, Eval, Message, Series, Unsupported, When};

/// How far apart floats may be, relative to their size.
const EPSILON: f64 = 1e-6;
/// The functions whose results depend on the evaluation time alone.
const USES_TIME: [&str; 15] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
    "start",
    "end",
    "step",
    "range",
];

/// Calls that ask for the query's own range, so that a range query gives something else.
const ASKS_FOR_RANGE: [&str; 4] = ["start()", "end()", "step()", "range()"];

/// What a script did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) evals: usize,
    pub(crate) queries: usize,
    pub(crate) left_out: BTreeMap<Unsupported, usize>,
    pub(crate) failures: Vec<String>,
}

pub(crate) struct Runner {
    engine: Engine,
    data: BTreeMap<Labels, BTreeMap<i64, f64>>,
    storage: FakeStorage,
    unsupported: Vec<(Labels, Unsupported)>,
}

fn parse(query: &str) -> Result<Expr, String> {
    parse_with(query, &ParseOptions::all()).map_err(|e| e.to_string())
}

impl Runner {
    pub(crate) fn new() -> Self {
        let options =
            EngineOptions { max_samples: 50_000, delayed_name_removal: true, ..EngineOptions::default() };
        Self {
            engine: Engine::new(options),
            data: BTreeMap::new(),
            storage: FakeStorage::new(),
            unsupported: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, commands: &[Command]) -> Outcome {
        let mut outcome = Outcome::default();
        for command in commands {
            match command {
                Command::Clear => {
                    self.data.clear();
                    self.unsupported.clear();
                    self.storage = FakeStorage::new();
                }
                Command::Load { step_ms, with_nhcb, series } => self.load(*step_ms, *with_nhcb, series),
                Command::Eval(eval) => {
                    outcome.evals += 1;
                    if let Some(why) = self.needs(eval) {
                        *outcome.left_out.entry(why).or_default() += 1;
                        continue;
                    }
                    if let Err(why) = self.eval(eval, &mut outcome.queries) {
                        outcome.failures.push(format!("line {}: {}\n    {why}", eval.line, eval.query));
                    }
                }
            }
        }
        outcome
    }

    fn load(&mut self, step_ms: i64, with_nhcb: bool, all: &[Series]) {
        for series in all {
            let name = series.labels.metric_name();
            if with_nhcb && let Some(name) = name.strip_suffix("_bucket") {
                let labels = series.labels.with(BUCKET_LABEL, "").with(METRIC_NAME, name);
                self.unsupported.push((labels, Unsupported::NativeHistograms));
            }
            let values = match &series.values {
                Ok(values) => values,
                Err(why) => {
                    self.unsupported.push((series.labels.clone(), *why));
                    continue;
                }
            };
            let points = self.data.entry(series.labels.clone()).or_default();
            for (i, value) in values.iter().enumerate() {
                let t_ms = i as i64 * step_ms;
                match value {
                    SequenceValue::Float(value) => points.insert(t_ms, *value),
                    SequenceValue::Stale => points.insert(t_ms, STALE_NAN),
                    SequenceValue::Omitted => None,
                };
            }
        }
        self.storage = FakeStorage::new();
        for (labels, points) in &self.data {
            self.storage.add(labels, points.iter().map(|(t_ms, value)| (*t_ms, *value)));
        }
    }

    /// Says what an eval needs that is not supported yet: it expects it, or a selector matches a series of it.
    fn needs(&self, eval: &Eval) -> Option<Unsupported> {
        if let Some(why) = eval.series.iter().find_map(|s| s.values.as_ref().err()) {
            return Some(*why);
        }
        let expr = parse(&eval.query).ok()?;
        let mut found = None;
        expr.walk(&mut |expr| {
            let selector = match &expr.kind {
                ExprKind::Vector(selector) => selector,
                ExprKind::Matrix(matrix) => &matrix.selector,
                _ => return,
            };
            let matches = |labels: &Labels| selector.matchers.iter().all(|m| m.matches(labels.get(&m.name)));
            if let Some((_, why)) = self.unsupported.iter().find(|(labels, _)| matches(labels)) {
                found = Some(*why);
            }
        });
        found
    }

    fn eval(&self, eval: &Eval, queries: &mut usize) -> Result<(), String> {
        match eval.when {
            When::Range { .. } => {
                *queries += 1;
                let result = self.query(&eval.query, eval.when);
                self.judge(eval, &eval.query, result).map(|_| ())
            }
            When::Instant { t_ms } => {
                self.instant(eval, &eval.query, t_ms, queries)?;
                let Some(fixed) = with_fixed_times(&eval.query, t_ms)? else { return Ok(()) };
                let times = if t_ms == 0 {
                    vec![-1000, 0, 1000]
                } else {
                    vec![-10 * t_ms, 0, t_ms / 5, t_ms, 10 * t_ms]
                };
                times.into_iter().try_for_each(|at| {
                    self.instant(eval, &fixed, at, queries).map_err(|e| format!("as {fixed} at {at} ms: {e}"))
                })
            }
        }
    }

    fn instant(&self, eval: &Eval, query: &str, t_ms: i64, queries: &mut usize) -> Result<(), String> {
        *queries += 1;
        let result = self.query(query, When::Instant { t_ms });
        let Some(result) = self.judge(eval, query, result)? else { return Ok(()) };
        if eval.ordered || matches!(result.value, Value::Matrix(_) | Value::String { .. }) {
            return Ok(());
        }
        if ASKS_FOR_RANGE.iter().any(|call| eval.query.contains(call)) {
            return Ok(());
        }
        *queries += 1;
        let when = When::Range { start_ms: t_ms - 60_000, end_ms: t_ms + 60_000, step_ms: 60_000 };
        let range = self.query(query, when).map_err(|e| format!("as a range query: {e}"))?;
        let Value::Matrix(matrix) = &range.value else {
            return Err("a range query gave no matrix".to_owned());
        };
        if !matrix.is_sorted_by(|a, b| a.labels < b.labels) {
            return Err("as a range query: not sorted".to_owned());
        }
        let at: BTreeMap<Labels, BTreeMap<i64, f64>> = matrix
            .iter()
            .filter_map(|s| {
                let sample = s.samples.iter().find(|p| p.t_ms == t_ms)?;
                Some((s.labels.clone(), BTreeMap::from([(t_ms, sample.value)])))
            })
            .collect();
        let checked = match result.value {
            Value::Scalar(_) => check_scalar(eval, at.values().flat_map(|p| p.values()).next().copied()),
            _ => check_series(&expected(eval, When::Instant { t_ms })?, &at),
        };
        checked.map_err(|e| format!("as a range query: {e}"))
    }

    fn query(&self, query: &str, when: When) -> Result<QueryResult, String> {
        let expr = parse(query)?;
        let opts = QueryOptions { query: query.to_owned(), ..QueryOptions::default() };
        let result = match when {
            When::Instant { t_ms } => self.engine.instant(&self.storage, &expr, t_ms, &opts),
            When::Range { start_ms, end_ms, step_ms } => {
                self.engine.range(&self.storage, &expr, RangeParams { start_ms, end_ms, step_ms }, &opts)
            }
        };
        result.map_err(|e| e.to_string())
    }

    /// Compares a result with what is expected; returns it unless a failure was expected.
    fn judge(
        &self,
        eval: &Eval,
        query: &str,
        result: Result<QueryResult, String>,
    ) -> Result<Option<QueryResult>, String> {
        let result = match (result, &eval.fail) {
            (Err(error), Some(expected)) => {
                return if is_expected(expected, &error)? {
                    Ok(None)
                } else {
                    Err(format!("expected the failure {expected:?}, got {error:?}"))
                };
            }
            (Err(error), None) => return Err(format!("unexpected failure: {error}")),
            (Ok(_), Some(_)) => return Err("expected a failure".to_owned()),
            (Ok(result), None) => result,
        };
        check_messages("warnings", &eval.warn, eval.no_warn, &result.warnings)?;
        check_messages("infos", &eval.info, eval.no_info, &result.infos)?;
        check_value(eval, query, &result.value)?;
        Ok(Some(result))
    }
}

fn is_expected(expected: &Message, actual: &str) -> Result<bool, String> {
    Ok(match expected {
        Message::Any => true,
        Message::Exact(text) => text.trim_matches('"') == actual || text == actual,
        Message::Pattern(pattern) => Regex::unanchored(pattern).map_err(|e| e.to_string())?.is_match(actual),
    })
}

fn check_messages(kind: &str, expected: &[Message], none: bool, actual: &[String]) -> Result<(), String> {
    if none && !actual.is_empty() {
        return Err(format!("expected no {kind}, got {actual:?}"));
    }
    for message in expected {
        let mut any = false;
        for text in actual {
            any |= is_expected(message, text)?;
        }
        if !any {
            return Err(format!("expected the {kind} {message:?}, got {actual:?}"));
        }
    }
    for text in actual.iter().filter(|_| !expected.is_empty()) {
        let mut any = false;
        for message in expected {
            any |= is_expected(message, text)?;
        }
        if !any {
            return Err(format!("unexpected among the {kind}: {text:?}"));
        }
    }
    Ok(())
}

type Points = BTreeMap<Labels, BTreeMap<i64, f64>>;

fn expected(eval: &Eval, when: When) -> Result<Points, String> {
    let mut all = Points::new();
    for series in &eval.series {
        let values = series.values.as_ref().map_err(|why| format!("{why:?}"))?;
        let mut points = BTreeMap::new();
        for (i, value) in values.iter().enumerate() {
            let t_ms = match when {
                When::Instant { t_ms } => t_ms,
                When::Range { start_ms, step_ms, .. } => start_ms + i as i64 * step_ms,
            };
            match value {
                SequenceValue::Float(value) => points.insert(t_ms, *value),
                SequenceValue::Stale => points.insert(t_ms, STALE_NAN),
                SequenceValue::Omitted => None,
            };
        }
        if all.insert(series.labels.clone(), points).is_some() {
            return Err(format!("{} is expected twice", series.labels));
        }
    }
    Ok(all)
}

fn check_value(eval: &Eval, query: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Scalar(sample) => check_scalar(eval, Some(sample.value)),
        Value::String { value, .. } => match &eval.string {
            Some(text) if text == value => Ok(()),
            expected => Err(format!("expected {expected:?}, got the string {value:?}")),
        },
        Value::Vector(vector) => {
            let mut points = Points::new();
            for sample in vector {
                points.insert(sample.labels.clone(), BTreeMap::from([(sample.t_ms, sample.value)]));
            }
            let t_ms = vector.first().map_or(0, |s| s.t_ms);
            check_series(&expected(eval, When::Instant { t_ms })?, &points)?;
            let in_order = vector.iter().zip(&eval.series).all(|(a, b)| a.labels == b.labels);
            if eval.ordered && !in_order { Err("another order".to_owned()) } else { Ok(()) }
        }
        Value::Matrix(matrix) => {
            let when = match (eval.matrix, eval.when) {
                (Some(when), _) | (None, when @ When::Range { .. }) => when,
                _ => return Err(format!("{query} gave a range vector, whose times are not expected")),
            };
            let points = matrix
                .iter()
                .map(|s| (s.labels.clone(), s.samples.iter().map(|p| (p.t_ms, p.value)).collect()))
                .collect();
            check_series(&expected(eval, when)?, &points)
        }
    }
}

fn check_scalar(eval: &Eval, actual: Option<f64>) -> Result<(), String> {
    match (eval.scalar, actual) {
        (Some(expected), Some(actual)) if almost_equal(expected, actual) => Ok(()),
        (expected, actual) => Err(format!("expected {expected:?}, got {actual:?}")),
    }
}

fn check_series(expected: &Points, actual: &Points) -> Result<(), String> {
    for (labels, points) in expected {
        let own =
            actual.get(labels).ok_or_else(|| format!("{labels} is missing, got {:?}", actual.keys()))?;
        let same = points.len() == own.len()
            && points.iter().zip(own).all(|((t, a), (u, b))| t == u && almost_equal(*a, *b));
        if !same {
            return Err(format!("{labels}: expected {points:?}, got {own:?}"));
        }
    }
    match actual.keys().find(|labels| !expected.contains_key(*labels)) {
        Some(labels) => Err(format!("unexpected series {labels}: {:?}", actual[labels])),
        None => Ok(()),
    }
}

/// Source: Prometheus util/almost.
fn almost_equal(a: f64, b: f64) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let diff = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < EPSILON * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < EPSILON
}

/// Returns the query with `@` on all selectors and subqueries that have none; `None` when its result depends on the
/// evaluation time nevertheless.
fn with_fixed_times(query: &str, t_ms: i64) -> Result<Option<String>, String> {
    let Ok(mut expr) = parse(query) else { return Ok(None) };
    let mut uses_time = false;
    expr.walk(&mut |expr| {
        if let ExprKind::Call(call) = &expr.kind {
            uses_time |= USES_TIME.contains(&call.func.name);
        }
    });
    if uses_time {
        return Ok(None);
    }
    fix(&mut expr, t_ms);
    Ok(Some(expr.to_string()))
}

fn fix(expr: &mut Expr, t_ms: i64) {
    let set = |at: &mut Option<AtModifier>| {
        if !matches!(at, Some(AtModifier::Timestamp(_))) {
            *at = Some(AtModifier::Timestamp(t_ms));
        }
    };
    match &mut expr.kind {
        ExprKind::Vector(selector) => set(&mut selector.at),
        ExprKind::Matrix(matrix) => set(&mut matrix.selector.at),
        ExprKind::Subquery(subquery) => set(&mut subquery.at),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => fix(inner, t_ms),
        ExprKind::Binary(binary) => {
            let BinaryExpr { lhs, rhs, .. } = &mut **binary;
            fix(lhs, t_ms);
            fix(rhs, t_ms);
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.param.iter_mut().for_each(|param| fix(param, t_ms));
            fix(&mut aggregate.expr, t_ms);
        }
        ExprKind::Call(call) => call.args.iter_mut().for_each(|arg| fix(arg, t_ms)),
        ExprKind::Number(_) | ExprKind::String(_) => {}
    }
}
