//! Basic authentication.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;

use crate::config::BasicAuth;

/// Who may read the page.
pub(super) struct Auth {
    wanted: Arc<BasicAuth>,
    /// The last password that fitted the hash: a hash takes a tenth of a second of processor time, at every scrape.
    fitted: Mutex<Option<String>>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Auth").field(&self.wanted).finish()
    }
}

impl Auth {
    pub(super) fn new(wanted: BasicAuth) -> Self {
        Self { wanted: Arc::new(wanted), fitted: Mutex::new(None) }
    }

    /// Checks a header `Authorization`.
    pub(super) async fn allows(&self, header: Option<&HeaderValue>) -> bool {
        let Some((username, password)) = header.and_then(credentials) else { return false };
        // Both are checked, so that the time tells nothing about either.
        let known = same(&username, &self.wanted.username);
        let fits = if self.wanted.password.starts_with("$2") {
            self.fits_hash(password).await
        } else {
            same(&password, &self.wanted.password)
        };
        known && fits
    }

    async fn fits_hash(&self, password: String) -> bool {
        let fitted = self.fitted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if fitted.is_some_and(|fitted| same(&password, &fitted)) {
            return true;
        }
        let (wanted, candidate) = (self.wanted.clone(), password.clone());
        let verify = move || bcrypt::verify(candidate, &wanted.password).unwrap_or(false);
        let fits = tokio::task::spawn_blocking(verify).await.unwrap_or(false);
        if fits {
            *self.fitted.lock().unwrap_or_else(PoisonError::into_inner) = Some(password);
        }
        fits
    }
}

fn credentials(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    Some((username.to_owned(), password.to_owned()))
}

/// Compares without stopping at the first difference.
fn same(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
    a.len() == b.len() && differences == 0
}
