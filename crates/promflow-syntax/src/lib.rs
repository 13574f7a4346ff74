//! PromQL: from text to a typed syntax tree with a span on every node, and back.
//!
//! The parser is written by hand: a lexer and a Pratt parser. The rejected model, the published `promql-parser`
//! crate, keeps no positions in its tree, and annotations, editors and checks all need them.

pub mod ast;
pub mod functions;

pub use ast::{Expr, ExprKind, Span};
