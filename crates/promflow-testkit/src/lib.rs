//! What the tests of several crates share: the conformance data, the real peers, and ports that are free.
//!
//! Peers are started by the test that needs them, on loopback ports of their own, in directories of their own, and
//! end with it. A missing peer is an error with the package's name, never a skip: `cargo xtask test` installs them.

mod conformance;
mod http;
mod peer;
mod python;
mod scripted;

pub use conformance::{conformance, conformance_root};
pub use http::{http_get, http_request};
pub use peer::{Peer, free_port, program, wait_until};
pub use python::python_venv;
pub use scripted::{RawAnswer, Script, ScriptedServer, TestRequest};
