//! Buffers for pages, shared by all targets: a page is needed for a moment in each interval.

use std::sync::{Mutex, PoisonError};

/// How many buffers are kept.
const KEPT_MAX: usize = 16;
/// The largest buffer that is kept.
///
/// Units: bytes.
const KEPT_BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Default)]
pub(crate) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    pub(crate) fn take(&self) -> Vec<u8> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(crate) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT_MAX && buffer.capacity() <= KEPT_BYTES_MAX {
            free.push(buffer);
        }
    }
}
