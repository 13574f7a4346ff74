//! What can go wrong, in Prometheus's words.

use std::error::Error;
use std::fmt;
use std::io;

use crate::request::Request;

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpErrorKind {
    /// The request itself: URL, header or setting.
    Invalid,
    /// A file of credentials or certificates cannot be read.
    Credentials,
    /// The host name does not resolve.
    Resolve,
    /// Nobody accepts connections.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The time is over.
    Timeout,
    /// The server ended the connection too early, or did not speak HTTP.
    Broken,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The body cannot be unpacked.
    Decode,
    /// There were too many redirects, or one that leads nowhere.
    Redirect,
    /// The server refused; the text has the status.
    Status,
    /// The answer is not what the API promises.
    Answer,
}

/// An error of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpError {
    kind: HttpErrorKind,
    message: String,
}

impl HttpError {
    pub(crate) fn new(kind: HttpErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns what kind of error it is.
    pub fn kind(&self) -> HttpErrorKind {
        self.kind
    }

    /// Puts Go's `Get "URL": ` before the text.
    pub(crate) fn of_request(self, request: &Request) -> Self {
        let url = match request.url.split_once("://") {
            // A password in the URL is not shown.
            Some((scheme, rest)) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
                format!("{scheme}://{}", rest.split_once('@').map_or(rest, |(_, host)| host))
            }
            _ => request.url.clone(),
        };
        Self { message: format!("{} \"{url}\": {}", request.verb(), self.message), ..self }
    }

    pub(crate) fn timeout() -> Self {
        Self::new(HttpErrorKind::Timeout, "context deadline exceeded")
    }

    pub(crate) fn body_too_large() -> Self {
        Self::new(HttpErrorKind::BodyTooLarge, "body size limit exceeded")
    }

    /// Explains why no answer came.
    pub(crate) fn of_exchange(error: &(dyn Error + 'static), host: &str) -> Self {
        for cause in chain(error) {
            if let Some(tls) = as_tls(cause) {
                return Self::new(HttpErrorKind::Tls, tls_text(tls, host));
            }
            if cause.to_string() == "dns error" {
                let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
                return Self::new(HttpErrorKind::Resolve, format!("dial tcp: lookup {name}: no such host"));
            }
            if let Some(io) = cause.downcast_ref::<io::Error>() {
                return Self::of_io(io, host);
            }
            if let Some(hyper) = cause.downcast_ref::<hyper::Error>() {
                if hyper.is_incomplete_message() {
                    return Self::new(HttpErrorKind::Broken, "EOF");
                }
                if hyper.is_parse() {
                    return Self::new(HttpErrorKind::Broken, format!("malformed HTTP response: {hyper}"));
                }
            }
        }
        Self::new(HttpErrorKind::Broken, innermost(error))
    }

    fn of_io(error: &io::Error, host: &str) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Self::new(HttpErrorKind::Connect, format!("dial tcp {host}: connect: connection refused"))
            }
            io::ErrorKind::ConnectionReset => {
                Self::new(HttpErrorKind::Broken, format!("read tcp {host}: connection reset by peer"))
            }
            io::ErrorKind::UnexpectedEof => Self::new(HttpErrorKind::Broken, "EOF"),
            io::ErrorKind::TimedOut => {
                Self::new(HttpErrorKind::Timeout, format!("dial tcp {host}: connect: connection timed out"))
            }
            _ => Self::new(HttpErrorKind::Connect, format!("dial tcp {host}: {error}")),
        }
    }

    /// Explains why a body ended too early.
    pub(crate) fn of_body(error: &(dyn Error + 'static)) -> Self {
        for cause in chain(error) {
            let reset = cause
                .downcast_ref::<io::Error>()
                .is_some_and(|io| io.kind() == io::ErrorKind::ConnectionReset);
            if reset {
                return Self::new(HttpErrorKind::Broken, "connection reset by peer");
            }
        }
        let ended = chain(error).any(|cause| {
            cause
                .downcast_ref::<hyper::Error>()
                .is_some_and(|h| h.is_incomplete_message() || h.is_body_write_aborted())
                || cause
                    .downcast_ref::<io::Error>()
                    .is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof)
        });
        let text = if ended { "unexpected EOF".to_owned() } else { innermost(error) };
        Self::new(HttpErrorKind::Broken, text)
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for HttpError {}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

fn as_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    // An I/O error does not name what it wraps as its source.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => as_tls(wrapped),
        None => error.downcast_ref(),
    }
}

/// Takes the name out of rustls's description of it: `DnsName("localhost")`.
fn bare_name(described: &str) -> &str {
    described.split('"').nth(1).unwrap_or(described)
}

fn tls_text(error: &rustls::Error, host: &str) -> String {
    use rustls::{CertificateError, InvalidMessage};
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let x509 = match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return "http: server gave HTTP response to HTTPS client".to_owned();
        }
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "certificate signed by unknown authority".to_owned()
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "certificate has expired or is not yet valid".to_owned(),
        rustls::Error::InvalidCertificate(CertificateError::NotValidForName) => {
            format!("certificate is not valid for {name}")
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected,
            presented,
        }) => {
            let presented: Vec<&str> = presented.iter().map(|name| bare_name(name)).collect();
            format!("certificate is valid for {}, not {}", presented.join(", "), expected.to_str())
        }
        rustls::Error::InvalidCertificate(CertificateError::Other(why)) => match why.0.to_string().as_str() {
            "CaUsedAsEndEntity" => "certificate is an authority's own and is not trusted".to_owned(),
            other => other.to_owned(),
        },
        rustls::Error::InvalidCertificate(other) => other.to_string(),
        rustls::Error::AlertReceived(alert) => return format!("remote error: tls: {alert:?}"),
        other => return format!("tls: {other}"),
    };
    format!("tls: failed to verify certificate: x509: {x509}")
}
