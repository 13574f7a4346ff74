//! Which labels an expression's result can have: decides which routes an alert can take.

use std::collections::{BTreeMap, BTreeSet};

use promflow_model::{BUCKET_LABEL, METRIC_NAME, MatchOp, Matcher};
use promflow_syntax::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, BinaryOp, Call, Expr, ExprKind, MatchCardinality, ValueType,
    VectorSelector,
};

/// The labels of a result, as far as they can be told without data.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shape {
    /// Labels with the one value they have if present at all.
    known: BTreeMap<String, String>,
    /// Labels that may be present, with any value.
    maybe: BTreeSet<String>,
    /// Whether labels that are not listed may be present; those in `gone` are not.
    open: bool,
    gone: BTreeSet<String>,
}

/// What is known of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LabelValue {
    /// It has this value.
    Known(String),
    /// It is not there.
    Absent,
    /// It may have any value or be absent.
    Any,
}

/// Tells the labels that the series of a selector can have, when that is known.
pub(crate) type LabelsOf<'a> = &'a dyn Fn(&VectorSelector) -> Option<BTreeSet<String>>;

impl Shape {
    /// Returns what is known of a label.
    pub(crate) fn label(&self, name: &str) -> LabelValue {
        if let Some(value) = self.known.get(name) {
            return LabelValue::Known(value.clone());
        }
        let may = self.maybe.contains(name) || (self.open && !self.gone.contains(name));
        if may { LabelValue::Any } else { LabelValue::Absent }
    }

    /// Returns the names of the labels that are known to be possible, sorted.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.known.keys().chain(&self.maybe).cloned().collect()
    }

    /// Says whether labels beside those of [`Shape::names`] are possible.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Sets a label to a value, or to any value.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        self.remove(name);
        self.gone.remove(name);
        match value {
            Some(value) => drop(self.known.insert(name.to_owned(), value.to_owned())),
            None => drop(self.maybe.insert(name.to_owned())),
        }
    }

    fn remove(&mut self, name: &str) {
        self.known.remove(name);
        self.maybe.remove(name);
        self.gone.insert(name.to_owned());
    }

    fn keep(&self, labels: &[String]) -> Self {
        let mut kept = Self::default();
        for label in labels {
            match self.label(label) {
                LabelValue::Known(value) => kept.set(label, Some(&value)),
                LabelValue::Any => kept.set(label, None),
                LabelValue::Absent => {}
            }
        }
        kept
    }

    fn without(mut self, labels: &[String]) -> Self {
        labels.iter().for_each(|label| self.remove(label));
        self
    }

    fn or(&self, other: &Self) -> Self {
        let mut both = Self { open: self.open || other.open, ..Self::default() };
        let names = [&self.known, &other.known].into_iter().flat_map(BTreeMap::keys);
        let names: BTreeSet<&String> = names.chain(&self.maybe).chain(&other.maybe).collect();
        for name in names {
            match (self.label(name), other.label(name)) {
                (LabelValue::Known(a), LabelValue::Known(b)) if a == b => both.set(name, Some(&a)),
                _ => both.set(name, None),
            }
        }
        both.gone =
            self.gone.iter().filter(|name| other.label(name) == LabelValue::Absent).cloned().collect();
        both
    }
}

/// Returns the labels of an expression's result.
pub(crate) fn shape(expr: &Expr, labels_of: LabelsOf<'_>) -> Shape {
    match &expr.kind {
        ExprKind::Number(_) | ExprKind::String(_) => Shape::default(),
        ExprKind::Vector(selector) => of_selector(selector, labels_of),
        ExprKind::Matrix(matrix) => of_selector(&matrix.selector, labels_of),
        ExprKind::Subquery(subquery) => shape(&subquery.expr, labels_of),
        ExprKind::Unary(_, inner) | ExprKind::Paren(inner) => shape(inner, labels_of),
        ExprKind::Binary(binary) => of_binary(binary, labels_of),
        ExprKind::Aggregate(aggregate) => of_aggregate(aggregate, labels_of),
        ExprKind::Call(call) => of_call(call, labels_of),
    }
}

fn of_selector(selector: &VectorSelector, labels_of: LabelsOf<'_>) -> Shape {
    let mut shape = match labels_of(selector) {
        Some(labels) => Shape { maybe: labels, ..Shape::default() },
        None => Shape { open: true, ..Shape::default() },
    };
    apply_equalities(&mut shape, &selector.matchers);
    shape
}

fn apply_equalities(shape: &mut Shape, matchers: &[Matcher]) {
    for matcher in matchers.iter().filter(|m| m.op == MatchOp::Equal && m.name != METRIC_NAME) {
        match matcher.value.as_str() {
            "" => shape.remove(&matcher.name),
            value => shape.set(&matcher.name, Some(value)),
        }
    }
}

fn of_aggregate(aggregate: &AggregateExpr, labels_of: LabelsOf<'_>) -> Shape {
    let inner = shape(&aggregate.expr, labels_of);
    let picks = matches!(
        aggregate.op,
        AggregateOp::Topk | AggregateOp::Bottomk | AggregateOp::Limitk | AggregateOp::LimitRatio
    );
    if picks {
        return inner;
    }
    let mut grouped =
        if aggregate.without { inner.without(&aggregate.grouping) } else { inner.keep(&aggregate.grouping) };
    if let (AggregateOp::CountValues, Some(ExprKind::String(label))) =
        (aggregate.op, aggregate.param.as_ref().map(|param| &param.without_parens().kind))
    {
        grouped.set(label, None);
    }
    grouped
}

fn of_binary(binary: &BinaryExpr, labels_of: LabelsOf<'_>) -> Shape {
    let lhs = || shape(&binary.lhs, labels_of);
    let rhs = || shape(&binary.rhs, labels_of);
    match binary.op {
        BinaryOp::And | BinaryOp::Unless => return lhs(),
        BinaryOp::Or => return lhs().or(&rhs()),
        _ => {}
    }
    let Some(matching) = &binary.matching else {
        return if binary.lhs.value_type() == ValueType::Scalar { rhs() } else { lhs() };
    };
    let (mut many, include) = match matching.card {
        MatchCardinality::OneToOne | MatchCardinality::ManyToMany if matching.on => {
            return lhs().keep(&matching.labels);
        }
        MatchCardinality::OneToOne | MatchCardinality::ManyToMany => return lhs().without(&matching.labels),
        MatchCardinality::ManyToOne => (lhs(), rhs()),
        MatchCardinality::OneToMany => (rhs(), lhs()),
    };
    for label in &matching.include {
        match include.label(label) {
            LabelValue::Known(value) => many.set(label, Some(&value)),
            LabelValue::Any => many.set(label, None),
            LabelValue::Absent => many.remove(label),
        }
    }
    many
}

fn of_call(call: &Call, labels_of: LabelsOf<'_>) -> Shape {
    let vector =
        call.args.iter().find(|arg| matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix));
    let text = |index: usize| match call.args.get(index).map(|arg| &arg.without_parens().kind) {
        Some(ExprKind::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match call.func.name {
        "absent" | "absent_over_time" => {
            let mut absent = Shape::default();
            match call.args.first().map(|arg| &arg.without_parens().kind) {
                Some(ExprKind::Vector(selector)) => apply_equalities(&mut absent, &selector.matchers),
                Some(ExprKind::Matrix(matrix)) => apply_equalities(&mut absent, &matrix.selector.matchers),
                _ => {}
            }
            absent
        }
        "scalar" | "vector" => Shape::default(),
        "label_replace" | "label_join" => {
            let mut changed = vector.map(|arg| shape(arg, labels_of)).unwrap_or_default();
            text(1).into_iter().for_each(|label| changed.set(label, None));
            changed
        }
        "histogram_quantile" => {
            let inner = vector.map(|arg| shape(arg, labels_of)).unwrap_or_default();
            inner.without(&[BUCKET_LABEL.to_owned()])
        }
        "info" => Shape { open: true, ..Shape::default() },
        _ => vector.map(|arg| shape(arg, labels_of)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, label: &str, expected: LabelValue) {
        let expr = promflow_syntax::parse(query).unwrap_or_else(|e| panic!("{query}: {e:?}"));
        let closed = |selector: &VectorSelector| {
            (selector.metric_name() == "closed").then(|| BTreeSet::from(["a".to_owned(), "le".to_owned()]))
        };
        assert_eq!(shape(&expr, &closed).label(label), expected, "{query} {label}");
    }

    #[test]
    fn labels_are_followed_through_an_expression() {
        use LabelValue::{Absent, Any};
        let known = |value: &str| LabelValue::Known(value.to_owned());
        check("m{a=\"1\"} > 0", "a", known("1"));
        check("m", "a", Any);
        check("closed", "a", Any);
        check("closed", "b", Absent);
        check("sum(m{a=\"1\"})", "a", Absent);
        check("sum by (a) (m{a=\"1\"})", "a", known("1"));
        check("sum without (a) (m)", "a", Absent);
        check("sum without (a) (m)", "b", Any);
        check("topk(3, m{a=\"1\"})", "a", known("1"));
        check("1 - m{a=\"1\"}", "a", known("1"));
        check("m{a=\"1\"} / on (b) n", "a", Absent);
        check("m{a=\"1\"} / ignoring (a) n", "a", Absent);
        check("m * on (x) group_left (a) n{a=\"1\"}", "a", known("1"));
        check("m{a=\"1\"} and n", "a", known("1"));
        check("m{a=\"1\"} or n{a=\"2\"}", "a", Any);
        check("absent(up{a=\"1\",b=~\"x\"})", "a", known("1"));
        check("absent(up{a=\"1\",b=~\"x\"})", "b", Absent);
        check("label_replace(sum(m), \"a\", \"$1\", \"b\", \"(.*)\")", "a", Any);
        check("histogram_quantile(0.9, rate(closed[5m]))", "le", Absent);
        check("vector(1)", "a", Absent);
        check("count_values(\"a\", m)", "a", Any);
    }
}
