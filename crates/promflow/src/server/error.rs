//! Why a server cannot be started.

use std::net::SocketAddr;
use std::path::Path;
use std::{fmt, io};

/// Says why a server cannot be started.
#[derive(Debug)]
pub struct ServerError {
    kind: ServerErrorKind,
    message: String,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerErrorKind {
    /// The address cannot be listened at.
    Bind,
    /// Certificate or key cannot be read, or do not fit.
    Tls,
    /// No thread or runtime could be started.
    Thread,
}

impl ServerError {
    /// Returns the kind.
    pub fn kind(&self) -> ServerErrorKind {
        self.kind
    }

    pub(super) fn bind(address: SocketAddr, error: io::Error) -> Self {
        Self { kind: ServerErrorKind::Bind, message: format!("cannot listen at {address}: {error}") }
    }

    pub(super) fn file(path: &Path, error: impl fmt::Display) -> Self {
        Self {
            kind: ServerErrorKind::Tls,
            message: format!("cannot read {:?}: {error}", path.display().to_string()),
        }
    }

    pub(super) fn tls(error: impl fmt::Display) -> Self {
        Self { kind: ServerErrorKind::Tls, message: format!("cannot use certificate and key: {error}") }
    }

    pub(super) fn thread(error: io::Error) -> Self {
        Self { kind: ServerErrorKind::Thread, message: format!("cannot start the server's thread: {error}") }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ServerError {}
