//! The functions and their signatures.

use crate::ast::ValueType;

/// A function's signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// The name.
    pub name: &'static str,
    /// The arguments' types; of the optional ones too.
    pub args: &'static [ValueType],
    /// How many of the last arguments may be left out; the last one may be repeated when `repeated` is set.
    pub optional: usize,
    /// Whether the last argument may stand any number of times.
    pub repeated: bool,
    /// The result's type.
    pub returns: ValueType,
    /// Whether Prometheus has it behind a feature flag.
    pub experimental: bool,
}
