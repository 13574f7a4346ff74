//! The syntax tree.

use promflow_model::Matcher;

/// A range of bytes in the query's text; the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of expression.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number, also one written as a duration.
    Number(NumberLiteral),
    /// A string.
    String(String),
    /// An instant vector selector.
    Vector(VectorSelector),
    /// A range vector selector.
    Matrix(MatrixSelector),
    /// A subquery.
    Subquery(Box<Subquery>),
    /// A sign.
    Unary(UnaryOp, Box<Expr>),
    /// A binary operation.
    Binary(Box<BinaryExpr>),
    /// An aggregation.
    Aggregate(Box<AggregateExpr>),
    /// A function call.
    Call(Call),
    /// An expression in parentheses.
    Paren(Box<Expr>),
}

/// The type of an expression's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// A number per step.
    Scalar,
    /// A text.
    String,
    /// One sample per series and step.
    Vector,
    /// Several samples per series and step.
    Matrix,
}

impl ValueType {
    /// Returns the name as the API writes it (`resultType`).
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
        }
    }

    /// Returns the name as Prometheus's error texts write it.
    pub fn doc_name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        }
    }
}

/// A number literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberLiteral {
    /// The value; a duration counts in seconds.
    pub value: f64,
    /// Whether it was written as a duration (`5m`).
    pub is_duration: bool,
}

/// An instant vector selector.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorSelector {
    /// The metric name as written before the braces, or `""`; it also stands among the matchers.
    pub name: String,
    /// The matchers, in the order written, that of a name before the braces last.
    pub matchers: Vec<Matcher>,
    /// `offset`, with its sign; looking back is positive.
    pub offset: Option<DurationExpr>,
    /// `@`.
    pub at: Option<AtModifier>,
    /// `anchored` or `smoothed`.
    pub extension: Option<RangeExtension>,
}

/// A range vector selector.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// What is selected, with the modifiers.
    pub selector: VectorSelector,
    /// Where the selector itself stands, without the brackets.
    pub selector_span: Span,
    /// How far back each step looks; left-open, right-closed.
    pub range: DurationExpr,
}

/// A subquery.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How far back each step looks; left-open, right-closed.
    pub range: DurationExpr,
    /// The step, or `None` for the default evaluation interval.
    pub step: Option<DurationExpr>,
    /// `offset`.
    pub offset: Option<DurationExpr>,
    /// `@`.
    pub at: Option<AtModifier>,
}

/// The time that `@` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtModifier {
    /// A time in milliseconds since the epoch.
    Timestamp(i64),
    /// `@ start()`.
    Start,
    /// `@ end()`.
    End,
}

/// How a range selector is widened at its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeExtension {
    /// `anchored`: the sample before the range stands at its left edge.
    Anchored,
    /// `smoothed`: values at the edges are interpolated.
    Smoothed,
}

/// A duration and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationExpr {
    /// What it is.
    pub kind: DurationKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of duration expression.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationKind {
    /// A duration, or a number of seconds that is the whole expression, in milliseconds.
    Literal(i64),
    /// A number inside a larger expression: a factor, or seconds with any fraction.
    Number(f64),
    /// `step()`
    Step,
    /// `range()`
    Range,
    /// A sign.
    Unary(UnaryOp, Box<DurationExpr>),
    /// `+ - * / % ^`
    Binary(BinaryOp, Box<DurationExpr>, Box<DurationExpr>),
    /// `min_of(a, b)`
    MinOf(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`
    MaxOf(Box<DurationExpr>, Box<DurationExpr>),
    /// In parentheses.
    Paren(Box<DurationExpr>),
}

impl DurationExpr {
    /// Returns the milliseconds of a plain literal (with a sign, in parentheses), `None` for what must be computed.
    pub fn literal_ms(&self) -> Option<i64> {
        match &self.kind {
            DurationKind::Literal(ms) => Some(*ms),
            DurationKind::Number(seconds) => Some((seconds * 1e3) as i64),
            DurationKind::Paren(inner) => inner.literal_ms(),
            DurationKind::Unary(UnaryOp::Plus, inner) => inner.literal_ms(),
            DurationKind::Unary(UnaryOp::Minus, inner) => inner.literal_ms().map(|ms| -ms),
            _ => None,
        }
    }
}

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+`
    Plus,
    /// `-`
    Minus,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `%`
    Mod,
    /// `^`
    Pow,
    /// `atan2`
    Atan2,
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `>`
    Gt,
    /// `<`
    Lt,
    /// `>=`
    Ge,
    /// `<=`
    Le,
    /// `and`
    And,
    /// `or`
    Or,
    /// `unless`
    Unless,
    /// `</`
    TrimUpper,
    /// `>/`
    TrimLower,
}

impl BinaryOp {
    /// Returns the operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Gt => ">",
            Self::Lt => "<",
            Self::Ge => ">=",
            Self::Le => "<=",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
        }
    }

    /// Says whether it compares.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Gt | Self::Lt | Self::Ge | Self::Le)
    }

    /// Says whether it works on sets of series.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// A binary operation.
#[derive(Clone, Debug, PartialEq)]
pub struct BinaryExpr {
    /// The operator.
    pub op: BinaryOp,
    /// The left side.
    pub lhs: Expr,
    /// The right side.
    pub rhs: Expr,
    /// Whether a comparison returns 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// How vectors are matched; `None` unless both sides are vectors.
    pub matching: Option<VectorMatching>,
}

/// How the series of two vectors are matched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorMatching {
    /// One to one, or which side is the many.
    pub card: MatchCardinality,
    /// Whether `labels` are those to match on (`on`), not those to leave out (`ignoring`).
    pub on: bool,
    /// The labels of `on` or `ignoring`, as written.
    pub labels: Vec<String>,
    /// The labels to take over from the one side.
    pub include: Vec<String>,
    /// `fill_left`: the value that stands in for a missing series on the left.
    pub fill_left: Option<f64>,
    /// `fill_right`: the value that stands in for a missing series on the right.
    pub fill_right: Option<f64>,
}

/// How many series may match how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchCardinality {
    /// One to one.
    #[default]
    OneToOne,
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
    /// Set operators.
    ManyToMany,
}

/// An aggregation operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AggregateOp {
    /// `sum`
    Sum,
    /// `avg`
    Avg,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `count`
    Count,
    /// `group`
    Group,
    /// `stddev`
    Stddev,
    /// `stdvar`
    Stdvar,
    /// `topk`
    Topk,
    /// `bottomk`
    Bottomk,
    /// `quantile`
    Quantile,
    /// `count_values`
    CountValues,
    /// `limitk`
    Limitk,
    /// `limit_ratio`
    LimitRatio,
}

impl AggregateOp {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Sum,
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::Count,
        Self::Group,
        Self::Stddev,
        Self::Stdvar,
        Self::Topk,
        Self::Bottomk,
        Self::Quantile,
        Self::CountValues,
        Self::Limitk,
        Self::LimitRatio,
    ];

    /// Returns the operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::Quantile => "quantile",
            Self::CountValues => "count_values",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// Says whether it takes a parameter before the expression.
    pub fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::Quantile | Self::CountValues | Self::Limitk | Self::LimitRatio
        )
    }

    /// Says whether Prometheus has it behind a feature flag.
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }
}

/// An aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateExpr {
    /// The operator.
    pub op: AggregateOp,
    /// The parameter, for the operators that have one.
    pub param: Option<Expr>,
    /// What is aggregated.
    pub expr: Expr,
    /// The labels of `by` or `without`, as written.
    pub grouping: Vec<String>,
    /// Whether it is `without`.
    pub without: bool,
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The function's signature.
    pub func: &'static crate::functions::Function,
    /// The arguments.
    pub args: Vec<Expr>,
}
