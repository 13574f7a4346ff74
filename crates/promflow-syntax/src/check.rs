//! Types: what may stand where, once the syntax is sound.

use promflow_model::METRIC_NAME;
use promflow_model::quote::quote;

use crate::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, Call, Expr, ExprKind, MatchCardinality, Span, ValueType,
    VectorSelector,
};
use crate::error::ParseError;

/// Checks the types of an expression and settles how its vectors are matched.
pub(crate) fn check(text: &str, expr: &mut Expr) -> Vec<ParseError> {
    let mut checker = Checker { text, errors: Vec::new() };
    checker.expr(expr);
    checker.errors
}

struct Checker<'a> {
    text: &'a str,
    errors: Vec<ParseError>,
}

impl Checker<'_> {
    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(ParseError { span, message: message.into() });
    }

    fn expr(&mut self, expr: &mut Expr) -> ValueType {
        let span = expr.span;
        match &mut expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => {}
            ExprKind::Vector(selector) => self.selector(selector, span, false),
            ExprKind::Matrix(matrix) => self.selector(&matrix.selector, matrix.selector_span, false),
            ExprKind::Subquery(subquery) => {
                let got = self.expr(&mut subquery.expr);
                if got != ValueType::Vector {
                    let got = got.api_name();
                    self.error(
                        span,
                        format!("subquery is only allowed on instant vector, got {got} instead"),
                    );
                }
            }
            ExprKind::Unary(_, inner) => {
                let got = self.expr(inner);
                if !matches!(got, ValueType::Scalar | ValueType::Vector) {
                    let got = quote(got.doc_name());
                    let message = format!(
                        "unary expression only allowed on expressions of type scalar or instant vector, got {got}"
                    );
                    self.error(span, message);
                }
            }
            ExprKind::Paren(inner) => {
                self.expr(inner);
            }
            ExprKind::Binary(binary) => self.binary(binary, span),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate),
            ExprKind::Call(call) => self.call(call, span),
        }
        expr.value_type()
    }

    fn expect(&mut self, expr: &mut Expr, want: ValueType, context: &str) {
        let got = self.expr(expr);
        if got != want {
            let (want, got) = (want.doc_name(), got.doc_name());
            self.error(expr.span, format!("expected type {want} in {context}, got {got}"));
        }
    }

    /// Checks the names and that something is selected; `anything` lets pass what selects everything.
    fn selector(&mut self, selector: &VectorSelector, span: Span, anything: bool) {
        if let [inside @ .., _] = selector.matchers.as_slice()
            && !selector.name.is_empty()
        {
            for matcher in inside.iter().filter(|m| m.name == METRIC_NAME) {
                let (name, other) = (quote(&selector.name), quote(&matcher.value));
                self.error(span, format!("metric name must not be set twice: {name} or {other}"));
            }
            return;
        }
        if !anything && selector.matchers.iter().all(|m| m.matches_empty()) {
            self.error(span, "vector selector must contain at least one non-empty matcher");
        }
    }

    fn aggregate(&mut self, aggregate: &mut AggregateExpr) {
        self.expect(&mut aggregate.expr, ValueType::Vector, "aggregation expression");
        let want = match aggregate.op {
            AggregateOp::CountValues => ValueType::String,
            _ => ValueType::Scalar,
        };
        if let Some(param) = &mut aggregate.param {
            self.expect(param, want, "aggregation parameter");
        }
    }

    fn binary(&mut self, binary: &mut BinaryExpr, span: Span) {
        let lhs = self.expr(&mut binary.lhs);
        let rhs = self.expr(&mut binary.rhs);
        let op = binary.op;
        let op_span = self.operator_span(binary);
        if binary.return_bool && !op.is_comparison() {
            self.error(op_span, "bool modifier can only be used on comparison operators");
        }
        let scalars = lhs == ValueType::Scalar && rhs == ValueType::Scalar;
        if op.is_comparison() && !binary.return_bool && scalars {
            self.error(op_span, "comparisons between scalars must use BOOL modifier");
        }
        let mut matching = binary.matching.take().unwrap_or_default();
        if op.is_set() && matching.card == MatchCardinality::OneToOne {
            matching.card = MatchCardinality::ManyToMany;
        }
        if matching.on {
            for label in matching.labels.iter().filter(|label| matching.include.contains(label)) {
                let label = quote(label);
                self.error(op_span, format!("label {label} must not occur in ON and GROUP clause at once"));
            }
        }
        for (side, got) in [(&binary.lhs, lhs), (&binary.rhs, rhs)] {
            if !matches!(got, ValueType::Scalar | ValueType::Vector) {
                self.error(side.span, "binary expression must contain only scalar and instant vector types");
            }
        }
        let fills = matching.fill_left.or(matching.fill_right).is_some();
        if lhs == ValueType::Vector && rhs == ValueType::Vector {
            if op.is_set() {
                if matching.card != MatchCardinality::ManyToMany {
                    self.error(span, format!("no grouping allowed for {} operation", quote(op.as_str())));
                    self.error(span, "set operations must always be many-to-many");
                }
                if fills {
                    self.error(span, "filling in missing series not allowed for set operators");
                }
            }
            binary.matching = Some(matching);
        } else {
            if !matching.labels.is_empty() {
                self.error(span, "vector matching only allowed between instant vectors");
            }
            if fills {
                self.error(span, "filling in missing series only allowed between instant vectors");
            }
        }
        if op.is_set() && (lhs == ValueType::Scalar || rhs == ValueType::Scalar) {
            let op = quote(op.as_str());
            self.error(span, format!("set operator {op} not allowed in binary scalar expression"));
        }
    }

    /// Returns where the operator and its modifiers stand, without the space around them.
    fn operator_span(&self, binary: &BinaryExpr) -> Span {
        let (start, end) = (binary.lhs.span.end, binary.rhs.span.start);
        let between = &self.text[start..end];
        let trimmed = between.trim_start();
        let start = end - trimmed.len();
        Span { start, end: start + trimmed.trim_end().len() }
    }

    fn call(&mut self, call: &mut Call, span: Span) {
        let func = call.func;
        let name = quote(func.name);
        let (got, wanted) = (call.args.len(), func.args.len());
        let at_least = wanted - func.optional;
        if func.optional == 0 && got != wanted {
            self.error(span, format!("expected {wanted} argument(s) in call to {name}, got {got}"));
        } else if got < at_least {
            self.error(
                span,
                format!("expected at least {at_least} argument(s) in call to {name}, got {got}"),
            );
        } else if got > func.args_max {
            let at_most = func.args_max;
            self.error(span, format!("expected at most {at_most} argument(s) in call to {name}, got {got}"));
        }
        if func.name == "info"
            && let Some(selector) = call.args.get(1)
        {
            self.info_selector(selector, span, &name);
        }
        for (i, arg) in call.args.iter_mut().enumerate() {
            if i >= wanted && func.optional == 0 {
                break;
            }
            let Some(want) = func.args.get(i).or(func.args.last()).copied() else { break };
            if func.name == "info" && i == 1 {
                self.info_argument(arg);
                continue;
            }
            self.expect(arg, want, &format!("call to function {name}"));
        }
    }

    /// Checks that the second argument of `info()` is no more than matchers.
    fn info_selector(&mut self, arg: &Expr, span: Span, name: &str) {
        let got = arg.value_type();
        if got != ValueType::Vector {
            let (want, got) = (ValueType::Vector.doc_name(), got.doc_name());
            self.error(span, format!("expected type {want} in call to function {name}, got {got}"));
        }
        match &arg.kind {
            ExprKind::Vector(selector) if selector.name.is_empty() => {}
            ExprKind::Vector(_) => {
                self.error(arg.span, "expected label selectors only, got vector selector instead");
            }
            _ => self.error(arg.span, "expected label selectors only"),
        }
    }

    /// Checks the second argument of `info()`, which may select everything.
    fn info_argument(&mut self, arg: &mut Expr) {
        match &arg.kind {
            ExprKind::Vector(selector) => self.selector(selector, arg.span, true),
            _ => {
                self.expr(arg);
            }
        }
    }
}
