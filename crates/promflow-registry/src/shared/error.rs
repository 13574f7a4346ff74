//! What goes wrong with a file that processes share.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Says why a file that processes share cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct ArenaError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub kind: ArenaErrorKind,
}

/// What is wrong with a file that processes share.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ArenaErrorKind {
    /// The file, or its directory, does not exist.
    NotFound,
    /// The file cannot be written by this user, or the file system is read-only.
    ReadOnly(String),
    /// The disk is full.
    DiskFull,
    /// Another error of the operating system.
    Io(String),
    /// The file is not one of this library's, or was written by a machine of another byte order.
    NotAnArena,
    /// The file was written by another version of the library.
    Version {
        /// The version of its layout.
        found: u64,
        /// The version that can be read.
        expected: u64,
    },
    /// The file is cut off, or was changed by something else.
    Damaged {
        /// Where, in lines of 64 bytes.
        at_line: u64,
    },
    /// The file is as large as it may become.
    Full {
        /// How large that is.
        capacity_bytes: u64,
    },
    /// Another process has held the lock for too long.
    LockTimeout {
        /// How long was waited.
        timeout_ms: u64,
    },
}

impl ArenaError {
    pub(crate) fn new(path: &Path, kind: ArenaErrorKind) -> Self {
        Self { path: path.to_owned(), kind }
    }
}

impl ArenaErrorKind {
    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly(error.to_string())
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use ArenaErrorKind as Kind;
        write!(f, "cannot use shared registry {:?}: ", self.path.display().to_string())?;
        match &self.kind {
            Kind::NotFound => f.write_str("no such file or directory"),
            Kind::ReadOnly(error) => write!(f, "it cannot be written: {error}"),
            Kind::DiskFull => f.write_str("the disk is full"),
            Kind::Io(error) => f.write_str(error),
            Kind::NotAnArena => f.write_str("it is not a file of shared metrics"),
            Kind::Version { found, expected } => write!(f, "its version is {found}, not {expected}"),
            Kind::Damaged { at_line } => write!(f, "it is damaged at line {at_line}"),
            Kind::Full { capacity_bytes } => write!(f, "its {capacity_bytes} bytes are full"),
            Kind::LockTimeout { timeout_ms } => {
                write!(f, "another process has held its lock for more than {timeout_ms} ms")
            }
        }
    }
}

impl std::error::Error for ArenaError {}
