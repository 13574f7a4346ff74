//! The chart in its formats.
//!
//! The same graph gives the same bytes in each of them. Large graphs are folded, but for JSON, which has everything.

mod dot;
mod html;
mod json;
mod mermaid;
#[cfg(feature = "png")]
mod png;
mod style;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use dot::{dot, dot_of};
pub use html::{html, html_of};
pub use json::json;
pub use mermaid::{mermaid, mermaid_parts};
#[cfg(feature = "png")]
pub use png::png;
pub use svg::{svg, svg_of};
pub use text::{text, text_of};
