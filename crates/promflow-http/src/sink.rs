//! Where a body goes: unpacked on the way, and counted after unpacking.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use crate::error::{HttpError, HttpErrorKind};

pub(crate) enum Sink<'b> {
    Plain(Limited<'b>),
    /// Boxed for the size of the decoder's window.
    Gzip(Box<MultiGzDecoder<Limited<'b>>>),
}

/// A buffer that has to stay under a limit.
pub(crate) struct Limited<'b> {
    buffer: &'b mut Vec<u8>,
    limit_bytes: usize,
    exceeded: bool,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() >= self.limit_bytes {
            self.exceeded = true;
            return Err(io::Error::other("limit"));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'b> Sink<'b> {
    pub(crate) fn new(buffer: &'b mut Vec<u8>, gzip: bool, limit_bytes: usize) -> Self {
        let limited = Limited { buffer, limit_bytes, exceeded: false };
        if gzip { Self::Gzip(Box::new(MultiGzDecoder::new(limited))) } else { Self::Plain(limited) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), HttpError> {
        let outcome = match self {
            Self::Plain(limited) => limited.write_all(bytes),
            Self::Gzip(decoder) => decoder.write_all(bytes),
        };
        outcome.map_err(|e| self.explain(&e))
    }

    /// Ends the body.
    ///
    /// Errors: the packed body ends too early.
    pub(crate) fn finish(mut self) -> Result<(), HttpError> {
        match &mut self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish().map_err(|e| self.explain(&e)),
        }
    }

    fn explain(&self, error: &io::Error) -> HttpError {
        let exceeded = match self {
            Self::Plain(limited) => limited.exceeded,
            Self::Gzip(decoder) => decoder.get_ref().exceeded,
        };
        if exceeded {
            return HttpError::body_too_large();
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => HttpError::new(HttpErrorKind::Broken, "unexpected EOF"),
            io::ErrorKind::InvalidInput => HttpError::new(HttpErrorKind::Decode, "gzip: invalid header"),
            _ => HttpError::new(HttpErrorKind::Decode, format!("gzip: {error}")),
        }
    }
}
