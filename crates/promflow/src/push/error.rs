//! Why a page could not be pushed.

use std::{fmt, io};

use http::StatusCode;
use url::Url;

use crate::config::without_userinfo;

/// Says why a page could not be pushed.
#[derive(Debug)]
pub struct PushError {
    kind: PushErrorKind,
    message: String,
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PushErrorKind {
    /// The gateway's URL is none.
    Url,
    /// A label cannot be in the grouping key.
    Grouping,
    /// The gateway does not answer.
    Unreachable,
    /// The gateway refused the page.
    Refused,
    /// A certificate to trust cannot be read.
    Tls,
    /// No runtime could be started.
    Thread,
}

impl PushError {
    /// Returns the kind.
    pub fn kind(&self) -> PushErrorKind {
        self.kind
    }

    fn new(kind: PushErrorKind, message: String) -> Self {
        Self { kind, message }
    }

    pub(super) fn url(url: &str) -> Self {
        let url = without_userinfo(url);
        Self::new(PushErrorKind::Url, format!("cannot push to {url:?}: it is no http or https URL"))
    }

    pub(super) fn grouping(name: &str, why: &str) -> Self {
        Self::new(PushErrorKind::Grouping, format!("cannot group by {name:?}: it {why}"))
    }

    pub(super) fn unreachable(url: &Url, error: String) -> Self {
        Self::new(PushErrorKind::Unreachable, format!("cannot push to {:?}: {error}", url.as_str()))
    }

    pub(super) fn refused(url: &Url, status: StatusCode, text: &str) -> Self {
        let message = format!("cannot push to {:?}: {status}: {}", url.as_str(), text.trim());
        Self::new(PushErrorKind::Refused, message)
    }

    pub(super) fn tls(error: impl fmt::Display) -> Self {
        Self::new(PushErrorKind::Tls, format!("cannot read the certificates to trust: {error}"))
    }

    pub(super) fn thread(error: io::Error) -> Self {
        Self::new(PushErrorKind::Thread, format!("cannot start a runtime: {error}"))
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PushError {}
