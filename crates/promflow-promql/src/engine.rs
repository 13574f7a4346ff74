//! The engine: from expression and time to an answer.

use std::cell::{Cell, RefCell};

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::{Labels, Sample};
use promflow_storage::{Querier, Queryable};
use promflow_syntax::Expr;
use promflow_syntax::ast::ValueType;

use crate::annotations::Annotations;
use crate::budget::Budget;
use crate::cancel::CancelToken;
use crate::column::is_present;
use crate::error::{QueryError, QueryErrorKind};
use crate::exec::{Exec, without_metadata};
use crate::plan::{self, Node, NodeKind, PlanContext};
use crate::result::{MatrixSeries, QueryResult, QueryStats, Value, VectorSample};
use crate::steps::Steps;

/// The settings of an engine.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineOptions {
    /// How far back an instant vector selector looks; the sample exactly that old is not seen.
    ///
    /// Units: milliseconds.
    pub lookback_delta_ms: i64,
    /// How many samples a query may hold in memory.
    pub max_samples: usize,
    /// How many bytes a query may hold in memory.
    pub max_bytes: usize,
    /// The step of subqueries that name none.
    ///
    /// Units: milliseconds.
    pub default_subquery_step_ms: i64,
    /// Whether metric names are dropped at the end of a query only (Prometheus's `promql-delayed-name-removal`).
    pub delayed_name_removal: bool,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            lookback_delta_ms: 300_000,
            max_samples: 50_000_000,
            max_bytes: 1 << 30,
            default_subquery_step_ms: 60_000,
            delayed_name_removal: false,
        }
    }
}

/// What is asked for one query alone.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    /// Another lookback delta than the engine's.
    ///
    /// Units: milliseconds.
    pub lookback_delta_ms: Option<i64>,
    /// Gives the query up.
    pub cancel: CancelToken,
    /// The text from which the expression was parsed: the places of annotations are told as its lines and columns.
    /// Without it annotations have no place.
    pub query: String,
}

/// The times of a range query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeParams {
    /// The first time, in milliseconds since the epoch.
    pub start_ms: i64,
    /// The last time, inclusive, in milliseconds since the epoch.
    pub end_ms: i64,
    /// The distance between two times, in milliseconds; positive.
    pub step_ms: i64,
}

/// Evaluates expressions.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    options: EngineOptions,
}

impl Engine {
    /// Creates an engine.
    pub fn new(options: EngineOptions) -> Self {
        Self { options }
    }

    /// Returns the settings.
    pub fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// Evaluates an expression at one time.
    ///
    /// Units: `t_ms` in milliseconds since the epoch.
    pub fn instant(
        &self,
        storage: &dyn Queryable,
        expr: &Expr,
        t_ms: i64,
        opts: &QueryOptions,
    ) -> Result<QueryResult, QueryError> {
        let context = PlanContext {
            start_ms: t_ms,
            end_ms: t_ms,
            step_ms: 0,
            default_subquery_step_ms: self.options.default_subquery_step_ms,
        };
        let steps = Steps::single(t_ms, 1);
        self.run(storage, expr, &context, &steps, opts, |exec, node| {
            Ok(match (&node.kind, node.value_type) {
                (NodeKind::Text(text), _) => Value::String { t_ms, value: text.clone() },
                (NodeKind::Window(window), _) => Value::Matrix(exec.matrix(window, &steps)?),
                (_, ValueType::Scalar) => {
                    Value::Scalar(Sample { t_ms, value: exec.scalar(node, &steps)?[0] })
                }
                _ => Value::Vector(vector(exec, node, &steps)?),
            })
        })
    }

    /// Evaluates an expression at evenly spaced times.
    pub fn range(
        &self,
        storage: &dyn Queryable,
        expr: &Expr,
        range: RangeParams,
        opts: &QueryOptions,
    ) -> Result<QueryResult, QueryError> {
        let value_type = expr.value_type();
        if matches!(value_type, ValueType::Matrix | ValueType::String) {
            return Err(QueryError::new(
                QueryErrorKind::BadQuery,
                format!(
                    "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                    value_type.doc_name()
                ),
            ));
        }
        if range.step_ms <= 0 || range.end_ms < range.start_ms {
            return Err(QueryError::new(
                QueryErrorKind::BadQuery,
                "range query needs a positive step and an end that is not before its start",
            ));
        }
        let context = PlanContext {
            start_ms: range.start_ms,
            end_ms: range.end_ms,
            step_ms: range.step_ms,
            default_subquery_step_ms: self.options.default_subquery_step_ms,
        };
        let steps = Steps::between(range.start_ms, range.end_ms, range.step_ms);
        self.run(storage, expr, &context, &steps, opts, |exec, node| {
            if node.value_type == ValueType::Scalar {
                let samples = samples(&exec.scalar(node, &steps)?, &steps);
                return Ok(Value::Matrix(vec![MatrixSeries { labels: Labels::empty(), samples }]));
            }
            Ok(Value::Matrix(matrix(exec, node, &steps)?))
        })
    }

    fn run(
        &self,
        storage: &dyn Queryable,
        expr: &Expr,
        context: &PlanContext,
        steps: &Steps,
        opts: &QueryOptions,
        evaluate: impl FnOnce(&Exec<'_>, &Node) -> Result<Value, QueryError>,
    ) -> Result<QueryResult, QueryError> {
        let plan = plan::build(expr, context)?;
        let lookback_ms = opts.lookback_delta_ms.unwrap_or(self.options.lookback_delta_ms);
        let querier: Option<Box<dyn Querier + '_>> = match plan::reach(&plan, steps, lookback_ms) {
            Some(reach) => Some(storage.querier(reach.min_ms, reach.max_ms)?),
            None => None,
        };
        let budget = Budget::new(self.options.max_samples, self.options.max_bytes);
        let exec = Exec {
            querier: querier.as_deref(),
            cancel: &opts.cancel,
            budget: &budget,
            lookback_ms,
            delayed_name_removal: self.options.delayed_name_removal,
            annotations: RefCell::new(Annotations::default()),
            storage_warnings: RefCell::new(Vec::new()),
            series_read: Cell::new(0),
            samples_read: Cell::new(0),
            unchecked: Cell::new(0),
        };
        exec.cancel.check()?;
        let value = evaluate(&exec, &plan)?;
        let (warnings, infos) = exec.annotations.borrow().render(&opts.query);
        let mut all_warnings = exec.storage_warnings.take();
        all_warnings.sort();
        all_warnings.extend(warnings);
        Ok(QueryResult {
            value,
            warnings: all_warnings,
            infos,
            stats: QueryStats {
                series_read: exec.series_read.get(),
                samples_read: exec.samples_read.get(),
                samples_peak: budget.samples_peak() as u64,
                bytes_peak: budget.bytes_peak() as u64,
            },
        })
    }
}

/// Collects an instant vector.
fn vector(exec: &Exec<'_>, node: &Node, steps: &Steps) -> Result<Vec<VectorSample>, QueryError> {
    let mut account = exec.budget.account();
    let mut distinct = exec.distinct(node.may_repeat || exec.delayed_name_removal);
    let mut vector = Vec::new();
    exec.rows(node, steps, &mut |row| {
        account.take(1, size_of::<VectorSample>() + row.labels.size_bytes())?;
        let labels = if row.drop_name { without_metadata(&row.labels) } else { row.labels };
        distinct.check(&labels, row.values)?;
        vector.push(VectorSample { labels, t_ms: steps.start_ms, value: row.values[0] });
        Ok(())
    })?;
    Ok(vector)
}

/// Collects the series of a range query, sorted by label set.
fn matrix(exec: &Exec<'_>, node: &Node, steps: &Steps) -> Result<Vec<MatrixSeries>, QueryError> {
    let mut account = exec.budget.account();
    let repeats = node.may_repeat || exec.delayed_name_removal;
    let mut index: HashMap<Labels, usize, RandomState> = HashMap::default();
    let mut matrix: Vec<MatrixSeries> = Vec::new();
    exec.rows(node, steps, &mut |row| {
        let labels = if row.drop_name { without_metadata(&row.labels) } else { row.labels };
        let new = samples(row.values, steps);
        account.take(new.len(), new.len() * size_of::<Sample>() + labels.size_bytes())?;
        if !repeats {
            matrix.push(MatrixSeries { labels, samples: new });
            return Ok(());
        }
        match index.get(&labels) {
            Some(i) => merge(&mut matrix[*i].samples, new),
            None => {
                index.insert(labels.clone(), matrix.len());
                matrix.push(MatrixSeries { labels, samples: new });
                Ok(())
            }
        }
    })?;
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(matrix)
}

fn merge(into: &mut Vec<Sample>, new: Vec<Sample>) -> Result<(), QueryError> {
    into.extend(new);
    into.sort_by_key(|s| s.t_ms);
    match into.windows(2).any(|w| w[0].t_ms == w[1].t_ms) {
        true => Err(QueryError::same_labelset()),
        false => Ok(()),
    }
}

fn samples(values: &[f64], steps: &Steps) -> Vec<Sample> {
    let present = values.iter().enumerate().filter(|(_, v)| is_present(**v));
    present.map(|(step, value)| Sample { t_ms: steps.at(step), value: *value }).collect()
}
