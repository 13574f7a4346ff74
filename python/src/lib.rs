//! The native half of the Python package `promflow`: values, children, exposition and parsers.

mod arena;
mod asgi;
mod calls;
mod children;
mod desc;
mod family;
mod gate;
mod key;
mod metric;
mod page;
mod parse;
mod process;
mod samples;
mod series;
mod shared_part;
mod slots;
mod text;
mod text_cell;
mod timer;
mod types;
mod value;
mod write;

use pyo3::prelude::*;

/// Waits until no page is being written, before a fork.
#[pyfunction]
fn before_fork() {
    gate::close();
}

/// Goes on after a fork, in the parent.
#[pyfunction]
fn after_fork_in_parent() {
    gate::open_in_parent();
}

/// Goes on after a fork, in the child.
#[pyfunction]
fn after_fork_in_child() {
    process::forked();
    gate::open_in_child();
}

/// Waits until no thread is without Python's lock, before the interpreter ends.
#[pyfunction]
fn before_exit(py: Python<'_>) {
    gate::exit(py);
}

/// Forgets the files that processes share; metrics that have cells there go on.
#[pyfunction]
fn close_shared() {
    arena::Arena::close_all();
}

/// Tells whether this process counts in a file that processes share.
#[pyfunction]
fn is_shared_open(path: std::path::PathBuf) -> bool {
    arena::Arena::is_open(&path)
}

/// What `promflow` keeps in Rust.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    calls::check_interpreter()?;
    calls::install(&module.py().get_type::<metric::Metric>())?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Metric", module.py().get_type::<metric::Metric>())?;
    module.add_class::<types::Counter>()?;
    module.add_class::<types::Gauge>()?;
    module.add_class::<types::Summary>()?;
    module.add_class::<types::Histogram>()?;
    module.add_class::<types::Info>()?;
    module.add_class::<types::Enum>()?;
    module.add_class::<timer::Timer>()?;
    module.add_class::<value::Value>()?;
    module.add_class::<shared_part::SharedPart>()?;
    module.add_class::<asgi::Requests>()?;
    module.add_class::<asgi::Request>()?;
    module.add_function(wrap_pyfunction!(before_fork, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_parent, module)?)?;
    module.add_function(wrap_pyfunction!(after_fork_in_child, module)?)?;
    module.add_function(wrap_pyfunction!(before_exit, module)?)?;
    module.add_function(wrap_pyfunction!(close_shared, module)?)?;
    module.add_function(wrap_pyfunction!(is_shared_open, module)?)?;
    page::register(module)?;
    parse::register(module)?;
    text::register(module)
}
