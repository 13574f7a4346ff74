//! The chart in its formats.
//!
//! The same graph gives the same bytes in each of them. Large graphs are folded, but for JSON, which has everything.

mod dot;
mod json;
mod mermaid;
mod style;
mod svg;
#[cfg(test)]
mod tests;

pub use dot::{dot, dot_of};
pub use json::json;
pub use mermaid::mermaid;
pub use svg::{svg, svg_of};
