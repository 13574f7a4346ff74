//! The answer to a scraper.

use std::io::Write;
use std::sync::atomic::Ordering;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::{ACCEPT, ACCEPT_ENCODING};
use promflow_exposition::Negotiated;

use super::Page;

/// A page larger than this is written on a thread that may block, so that no request waits for a scrape.
///
/// At a gigabyte a second and with compression this is less than a millisecond.
const INLINE_BYTES_MAX: usize = 64 * 1024;

/// A page as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The header `Content-Type`.
    pub content_type: String,
    /// The header `Content-Encoding`.
    pub content_encoding: Option<&'static str>,
    /// The page.
    pub body: Vec<u8>,
}

impl Answer {
    /// The header `Vary`: on which headers the answer depends.
    pub const VARY: &str = "accept, accept-encoding";
}

impl Page {
    /// Writes the page as `Accept` asks for: in text, OpenMetrics or protobuf, with names escaped as it says; compressed
    /// when `Accept-Encoding` allows it.
    pub fn answer(&self, headers: &HeaderMap) -> Answer {
        self.write_answer(Wanted::read(headers))
    }

    /// Writes the page as [`Page::answer`] does, a large one off the async threads.
    ///
    /// Panics: outside a tokio runtime, when the page is large.
    pub async fn answer_async(&self, headers: &HeaderMap) -> Answer {
        let wanted = Wanted::read(headers);
        if self.inner.size_bytes.load(Ordering::Relaxed) <= INLINE_BYTES_MAX {
            return self.write_answer(wanted);
        }
        let page = self.clone();
        match tokio::task::spawn_blocking(move || page.write_answer(wanted)).await {
            Ok(answer) => answer,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down: nobody waits for what is returned here.
                Err(_) => self.write_answer(wanted),
            },
        }
    }

    fn write_answer(&self, wanted: Wanted) -> Answer {
        let page = self.encode_negotiated(&wanted.negotiated);
        let compressed = if wanted.gzip { gzip(&page) } else { None };
        Answer {
            content_type: wanted.negotiated.content_type(),
            content_encoding: compressed.is_some().then_some("gzip"),
            body: compressed.unwrap_or(page),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    negotiated: Negotiated,
    gzip: bool,
}

impl Wanted {
    fn read(headers: &HeaderMap) -> Self {
        let all = |name| {
            let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
            values.collect::<Vec<_>>().join(",")
        };
        let negotiated = Negotiated::from_accept(&all(ACCEPT));
        Self { negotiated, gzip: allows_gzip(&all(ACCEPT_ENCODING)) }
    }
}

/// Tells whether gzip is named, or all encodings are, with a weight above zero.
fn allows_gzip(accept_encoding: &str) -> bool {
    let mut any = false;
    for term in accept_encoding.split(',') {
        let mut parts = term.split(';').map(str::trim);
        let name = parts.next().unwrap_or("");
        let weight = parts.find_map(|p| p.strip_prefix("q=")).map(|weight| weight.trim().parse::<f32>());
        let wanted = weight.is_none_or(|weight| weight.is_ok_and(|weight| weight > 0.0));
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return wanted,
            "*" => any = wanted,
            _ => {}
        }
    }
    any
}

/// Compresses fast: a page goes over a near network, and at every scrape.
fn gzip(page: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(page.len() / 8), Compression::fast());
    encoder.write_all(page).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_when_it_is_allowed() {
        for (accept_encoding, expected) in [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*;q=0.1, gzip;q=0", false),
            ("identity", false),
            ("br, zstd", false),
        ] {
            assert_eq!(allows_gzip(accept_encoding), expected, "{accept_encoding}");
        }
    }
}
