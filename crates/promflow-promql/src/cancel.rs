//! Giving up a query from outside.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{QueryError, QueryErrorKind};

/// Says that a query is to stop: because somebody asked, or because its deadline passed.
///
/// The engine reads no clock: the caller's hook says whether the deadline passed. Clones share the flag.
#[derive(Clone, Default)]
pub struct CancelToken {
    canceled: Arc<AtomicBool>,
    expired: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl CancelToken {
    /// Creates a token that nobody has canceled and that never expires.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the token with a hook that says whether the deadline passed, such as
    /// `move || Instant::now() >= deadline`.
    ///
    /// Cost: the hook is called once per operator, and after 256 series or 65,536 samples at the latest.
    #[must_use]
    pub fn expiring(mut self, expired: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.expired = Some(Arc::new(expired));
        self
    }

    /// Asks the query to stop.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Relaxed);
    }

    /// Says whether somebody asked the query to stop.
    pub fn is_canceled(&self) -> bool {
        self.canceled.load(Ordering::Relaxed)
    }

    pub(crate) fn check(&self) -> Result<(), QueryError> {
        if self.is_canceled() {
            return Err(QueryError::new(
                QueryErrorKind::Canceled,
                "query was canceled in expression evaluation",
            ));
        }
        if self.expired.as_ref().is_some_and(|expired| expired()) {
            return Err(QueryError::new(QueryErrorKind::Timeout, "query timed out in expression evaluation"));
        }
        Ok(())
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("canceled", &self.is_canceled())
            .field("expires", &self.expired.is_some())
            .finish()
    }
}
