//! The client.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use promflow_config::HttpClientConfig;
use rustls::pki_types::ServerName;

use crate::credentials;
use crate::error::{HttpError, HttpErrorKind};
use crate::request::{Request, Response};
use crate::sink::Sink;
use crate::tls::{self, FileStamps};

/// How many redirects are followed.
///
/// Source: Go net/http defaultCheckRedirect.
const REDIRECTS_MAX: usize = 10;
/// How long a connection that nobody uses is kept.
///
/// Source: prometheus/common config.NewRoundTripperFromConfig.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// How much of the body of a refusal is read.
///
/// Units: bytes.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// An HTTP/1.1 client with its connections and credentials.
///
/// Cost: connections are kept alive and shared by all requests of one client.
pub struct HttpClient {
    config: HttpClientConfig,
    plain: Client<HttpConnector, Full<Bytes>>,
    secure: Mutex<Option<Secure>>,
}

type SecureClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

struct Secure {
    stamps: FileStamps,
    client: SecureClient,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("config", &self.config).finish_non_exhaustive()
    }
}

impl HttpClient {
    /// Sets a client up. Files of certificates and credentials are read when they are needed, and again when they
    /// change.
    ///
    /// Errors: a setting that no file can mend, such as a version of TLS that is not supported.
    pub fn new(config: &HttpClientConfig) -> Result<Self, HttpError> {
        tls::versions(&config.tls)?;
        server_name(&config.tls.server_name)?;
        let plain = builder().build(connector());
        Ok(Self { config: config.clone(), plain, secure: Mutex::default() })
    }

    /// Sends a request and reads the answer's body, unpacked, into a buffer, which is cleared first. Of an answer
    /// other than 2xx, the beginning of the body.
    ///
    /// Errors: no whole answer came; the text is Prometheus's. A refusal by the server is an answer.
    pub async fn fetch(&self, request: &Request, body: &mut Vec<u8>) -> Result<Response, HttpError> {
        body.clear();
        let answered = AtomicBool::new(false);
        match tokio::time::timeout(request.timeout, self.follow(request, body, &answered)).await {
            Ok(outcome) => outcome,
            Err(_) if answered.load(Ordering::Relaxed) => Err(HttpError::timeout()),
            Err(_) => Err(HttpError::timeout().of_request(request)),
        }
    }

    /// Sends a request, follows redirects, and reads the body of the last answer.
    async fn follow(
        &self,
        request: &Request,
        body: &mut Vec<u8>,
        answered: &AtomicBool,
    ) -> Result<Response, HttpError> {
        let mut request = request.clone();
        let first_host = host_of(&request.url);
        for _ in 0..=REDIRECTS_MAX {
            let same_host = host_of(&request.url) == first_host;
            let response = self.exchange(&request, same_host).await.map_err(|e| e.of_request(&request))?;
            let next = if self.config.follow_redirects { redirect(&request, &response)? } else { None };
            if let Some(next) = next {
                request = next;
                continue;
            }
            answered.store(true, Ordering::Relaxed);
            let (parts, incoming) = response.into_parts();
            read_body(parts.status, &parts.headers, incoming, request.body_size_limit_bytes, body).await?;
            return Ok(Response { status: parts.status, headers: parts.headers });
        }
        let text = format!("stopped after {REDIRECTS_MAX} redirects");
        Err(HttpError::new(HttpErrorKind::Redirect, text).of_request(&request))
    }

    /// Sends one request; credentials go to the host alone for which they are meant.
    async fn exchange(
        &self,
        request: &Request,
        with_credentials: bool,
    ) -> Result<http::Response<Incoming>, HttpError> {
        let uri: Uri = request
            .url
            .parse()
            .map_err(|e| HttpError::new(HttpErrorKind::Invalid, format!("invalid URL: {e}")))?;
        let host = uri.authority().map_or("", |a| a.as_str()).to_owned();
        let scheme = uri.scheme_str().unwrap_or("").to_owned();
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = request.method.clone();
        *message.uri_mut() = uri;
        let headers = message.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(crate::USER_AGENT));
        headers.extend(request.headers.clone());
        if with_credentials {
            headers.extend(credentials::headers(&self.config)?);
        } else {
            headers.remove(AUTHORIZATION);
        }
        let outcome: Result<_, ClientError> = match scheme.as_str() {
            "http" => self.plain.request(message).await,
            "https" => self.secure()?.request(message).await,
            _ => {
                let text = format!("unsupported protocol scheme \"{scheme}\"");
                return Err(HttpError::new(HttpErrorKind::Invalid, text));
            }
        };
        outcome.map_err(|e| HttpError::of_exchange(&e, &host))
    }

    /// Returns the client for TLS, set up anew when its files changed.
    fn secure(&self) -> Result<SecureClient, HttpError> {
        let stamps = FileStamps::of(&self.config.tls);
        let mut secure = self.secure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secure) = secure.as_ref().filter(|s| s.stamps == stamps) {
            return Ok(secure.client.clone());
        }
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls::client_config(&self.config.tls)?).https_only();
        let https = match server_name(&self.config.tls.server_name)? {
            Some(name) => https.with_server_name_resolver(FixedServerNameResolver::new(name)),
            None => https,
        };
        let client = builder().build(https.enable_http1().wrap_connector(connector()));
        *secure = Some(Secure { stamps, client: client.clone() });
        Ok(client)
    }
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(IDLE_TIMEOUT).pool_timer(TokioTimer::new());
    builder
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector
}

fn server_name(name: &str) -> Result<Option<ServerName<'static>>, HttpError> {
    if name.is_empty() {
        return Ok(None);
    }
    ServerName::try_from(name.to_owned())
        .map(Some)
        .map_err(|_| HttpError::new(HttpErrorKind::Invalid, format!("invalid server_name \"{name}\"")))
}

/// Returns the host without its port: what decides whether credentials may be sent.
fn host_of(url: &str) -> Option<String> {
    url.parse::<Uri>().ok()?.host().map(str::to_ascii_lowercase)
}

/// Returns the request that a redirect asks for, `None` when the response is no redirect.
fn redirect(request: &Request, response: &http::Response<Incoming>) -> Result<Option<Request>, HttpError> {
    let keeps_method = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return Ok(None),
    };
    let Some(location) = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()) else {
        return Ok(None);
    };
    let url = url::Url::parse(&request.url).and_then(|base| base.join(location)).map_err(|e| {
        let text = format!("failed to parse Location header \"{location}\": {e}");
        HttpError::new(HttpErrorKind::Redirect, text).of_request(request)
    })?;
    let mut next = Request { url: url.into(), ..request.clone() };
    if !keeps_method && next.method != Method::HEAD {
        next.method = Method::GET;
        next.body = Bytes::new();
        next.headers.remove(CONTENT_TYPE);
    }
    Ok(Some(next))
}

async fn read_body(
    status: StatusCode,
    headers: &HeaderMap,
    mut incoming: Incoming,
    limit_bytes: usize,
    body: &mut Vec<u8>,
) -> Result<(), HttpError> {
    if !status.is_success() {
        return read_refusal(incoming, body).await;
    }
    if incoming.size_hint().lower() >= limit_bytes as u64 {
        return Err(HttpError::body_too_large());
    }
    let gzip = headers.get(CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
    let mut sink = Sink::new(body, gzip, limit_bytes);
    while let Some(frame) = incoming.frame().await {
        if let Ok(bytes) = frame.map_err(|e| HttpError::of_body(&e))?.into_data() {
            sink.write(&bytes)?;
        }
    }
    sink.finish()
}

/// Reads the beginning of a refusal's body, for its reason; a long or broken one is no further error.
async fn read_refusal(mut incoming: Incoming, body: &mut Vec<u8>) -> Result<(), HttpError> {
    while let Some(Ok(frame)) = incoming.frame().await {
        let Ok(bytes) = frame.into_data() else { continue };
        let room = REFUSAL_BYTES_MAX - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() >= room {
            break;
        }
    }
    Ok(())
}
