//! Pushing the page of a program that ends before a scraper comes by: a batch job, a command.
//!
//! ```no_run
//! use promflow::{page::Page, push::Push};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = promflow::Registry::new();
//! let done = registry.gauge("backup_last_success_timestamp_seconds", "When a backup last ended well.", &[]);
//! // ... the work ...
//! done.with(&[]).set_to_current_time();
//! Push::new("http://127.0.0.1:9091", "backup")?.grouping("instance", "db1")?.replace_blocking(&Page::new(&registry))?;
//! # Ok(())
//! # }
//! ```
//!
//! A pushed page stays at the gateway until it is replaced or deleted, whatever became of the program: push times of
//! success rather than values that grow old unnoticed.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use promflow_exposition::Negotiated;
use promflow_model::is_legacy_label_name;
use url::Url;

use crate::page::Page;

mod error;
mod tls;

pub use error::{PushError, PushErrorKind};

/// How long a push may take unless told otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What is agreed with a gateway, as if it had asked for it.
const TEXT: &str = "text/plain;version=0.0.4";
const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;\
                        escaping=allow-utf-8";
/// So much of a refusal is read.
const REFUSAL_BYTES_MAX: usize = 4096;

/// Where a page is pushed, and under which grouping key.
#[derive(Clone)]
pub struct Push {
    url: Url,
    names: Vec<String>,
    authorization: Option<HeaderValue>,
    authorities_pem: Vec<u8>,
    timeout: Duration,
    format: Negotiated,
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

impl Push {
    /// Names a gateway, as `http://127.0.0.1:9091`, and the job; a name and password in the URL are used to log in.
    ///
    /// Errors: no http or https URL; no job.
    pub fn new(gateway_url: &str, job: &str) -> Result<Self, PushError> {
        let mut url = Url::parse(gateway_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| PushError::url(gateway_url))?;
        if job.is_empty() {
            return Err(PushError::grouping("job", "has no value"));
        }
        let login = (!url.username().is_empty())
            .then(|| (decode(url.username()), decode(url.password().unwrap_or_default())));
        // Both can only fail for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/metrics"));
        let push = Self {
            url,
            names: Vec::new(),
            authorization: None,
            authorities_pem: Vec::new(),
            timeout: TIMEOUT,
            format: Negotiated::from_accept(TEXT),
        };
        let push = push.group("job", job);
        Ok(match login {
            Some((username, password)) => push.basic_auth(&username, &password),
            None => push,
        })
    }

    /// Adds a label to the grouping key: pages with different keys do not replace each other.
    ///
    /// Errors: no label name; `job`, or a name that is in the key already.
    pub fn grouping(self, name: &str, value: &str) -> Result<Self, PushError> {
        if !is_legacy_label_name(name) || name.starts_with("__") {
            return Err(PushError::grouping(name, "is no label name"));
        }
        if self.names.iter().any(|n| n == name) {
            return Err(PushError::grouping(name, "is in the grouping key already"));
        }
        Ok(self.group(name, value))
    }

    fn group(mut self, name: &str, value: &str) -> Self {
        let path = format!("{}/{}", self.url.path(), key_segments(name, value));
        self.url.set_path(&path);
        self.names.push(name.to_owned());
        self
    }

    /// Logs in.
    pub fn basic_auth(mut self, username: &str, password: &str) -> Self {
        let encoded = STANDARD.encode(format!("{username}:{password}"));
        self.authorization = HeaderValue::from_str(&format!("Basic {encoded}")).ok();
        self.authorization.iter_mut().for_each(|header| header.set_sensitive(true));
        self
    }

    /// Trusts these certificates, PEM, besides those of the system.
    pub fn trust_pem(mut self, authorities: &[u8]) -> Self {
        self.authorities_pem.extend_from_slice(authorities);
        self.authorities_pem.push(b'\n');
        self
    }

    /// Pushes protobuf rather than text 0.0.4, which every gateway reads: then native histograms, and names as they are,
    /// reach a gateway that stores them.
    pub fn protobuf(mut self) -> Self {
        self.format = Negotiated::from_accept(PROTOBUF);
        self
    }

    /// Gives up after another time than ten seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Replaces everything under the grouping key by the page (`PUT`).
    ///
    /// Errors: the gateway does not answer, or refuses.
    pub async fn replace(&self, page: &Page) -> Result<(), PushError> {
        self.send(Method::PUT, page.encode_negotiated(&self.format)).await
    }

    /// Replaces the metrics under the grouping key that the page has too, and leaves the others (`POST`).
    ///
    /// Errors: as [`Push::replace`].
    pub async fn add(&self, page: &Page) -> Result<(), PushError> {
        self.send(Method::POST, page.encode_negotiated(&self.format)).await
    }

    /// Deletes everything under the grouping key.
    ///
    /// Errors: as [`Push::replace`].
    pub async fn delete(&self) -> Result<(), PushError> {
        self.send(Method::DELETE, Vec::new()).await
    }

    /// Does what [`Push::replace`] does, for programs without a runtime.
    ///
    /// Errors: as [`Push::replace`].
    /// Panics: inside of a runtime.
    pub fn replace_blocking(&self, page: &Page) -> Result<(), PushError> {
        block_on(self.replace(page))
    }

    /// Does what [`Push::add`] does, for programs without a runtime.
    ///
    /// Errors: as [`Push::replace`].
    /// Panics: inside of a runtime.
    pub fn add_blocking(&self, page: &Page) -> Result<(), PushError> {
        block_on(self.add(page))
    }

    /// Does what [`Push::delete`] does, for programs without a runtime.
    ///
    /// Errors: as [`Push::replace`].
    /// Panics: inside of a runtime.
    pub fn delete_blocking(&self) -> Result<(), PushError> {
        block_on(self.delete())
    }

    async fn send(&self, method: Method, body: Vec<u8>) -> Result<(), PushError> {
        let exchange = self.exchange(method, body);
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            Err(PushError::unreachable(&self.url, format!("no answer within {:?}", self.timeout)))
        })
    }

    async fn exchange(&self, method: Method, body: Vec<u8>) -> Result<(), PushError> {
        let connector = tls::connector(self.url.scheme() == "https", &self.authorities_pem)?;
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.url.as_str().parse().map_err(|_| PushError::url(self.url.as_str()))?;
        let headers = request.headers_mut();
        if let Ok(content_type) = HeaderValue::try_from(self.format.content_type()) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let response =
            client.request(request).await.map_err(|e| PushError::unreachable(&self.url, chain(&e)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = Limited::new(response.into_body(), REFUSAL_BYTES_MAX).collect().await;
        let text = text.map(|text| text.to_bytes()).unwrap_or_default();
        Err(PushError::refused(&self.url, status, &String::from_utf8_lossy(&text)))
    }
}

/// Says an error and what caused it: the outer ones alone say no more than that a connection failed.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

fn block_on(push: impl Future<Output = Result<(), PushError>>) -> Result<(), PushError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(PushError::thread)?.block_on(push)
}

/// Writes a label of the grouping key; a value that no path can hold goes in base64.
fn key_segments(name: &str, value: &str) -> String {
    if value.is_empty() {
        // An empty segment would be lost on the way.
        format!("{name}@base64/=")
    } else if value.contains('/') {
        format!("{name}@base64/{}", URL_SAFE_NO_PAD.encode(value))
    } else {
        let escaped: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        // That is how a form is written; a path has another blank.
        format!("{name}/{}", escaped.replace('+', "%20"))
    }
}

/// Reads what stands percent-encoded in a URL.
fn decode(text: &str) -> String {
    let plus = text.replace('+', "%2B");
    let decoded = url::form_urlencoded::parse(plus.as_bytes()).next();
    decoded.map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests;
