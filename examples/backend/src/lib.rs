//! The example backend.
