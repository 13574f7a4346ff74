//! The native half of the Python package `promflow`: values, children, exposition and parsers.

mod parse;
mod text;
mod write;

use pyo3::prelude::*;

/// What `promflow` keeps in Rust.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    parse::register(module)?;
    text::register(module)?;
    write::register(module)
}
