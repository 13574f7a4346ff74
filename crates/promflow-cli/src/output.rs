//! Standard output, which may be a pipe whose reader has gone.

use std::io::{self, Write};

/// Writes a text and a line feed; that nobody reads any more is no error.
///
/// Errors: the text cannot be written for another reason.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Writes a line for whoever looks; a demo goes on when its terminal is gone.
pub(crate) fn say(text: &str) {
    let _ = print(text);
}
