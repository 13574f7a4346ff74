//! PromQL: from text to a typed syntax tree with a span on every node, and back.
//!
//! The parser is written by hand: a lexer and a Pratt parser. The rejected model, the published `promql-parser`
//! crate, keeps no positions in its tree, and annotations, editors and checks all need them. The other rejected
//! model, a generated parser, would need its tables to be steered towards Prometheus's messages.

pub mod ast;
mod check;
mod error;
pub mod functions;
mod lexer;
mod literal;
mod parser;
mod prettify;
mod print;
mod token;
mod walk;

pub use ast::{Expr, ExprKind, Span, ValueType};
pub use error::{ParseError, ParseErrors, position};
pub use functions::Function;
pub use parser::{
    EXPR_HEIGHT_MAX, NESTING_MAX, ParseOptions, SERIES_VALUES_MAX, SequenceValue, SeriesDescription,
    TEXT_BYTES_MAX, parse, parse_metric, parse_metric_selector, parse_series_description, parse_with,
};
