//! Finds metric definitions in source code.
