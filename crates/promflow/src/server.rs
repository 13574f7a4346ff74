//! A server that shows the page of a program that has none of its own: a worker, a consumer, a long job.
//!
//! It answers nothing but the page, over HTTP or HTTPS, and asks for a name and a password when the settings have
//! them. Connections, the time to read a request and the time of a connection are limited.
//!
//! ```no_run
//! use promflow::config::Settings;
//! use promflow::{page::Page, server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let page = Page::new(promflow::registry());
//! // On a thread of its own, until it is dropped; nothing with PROMETHEUS_ENABLED=false.
//! let _server = server::start(&Settings::from_env()?, &page)?;
//! // ... the work ...
//! # Ok(())
//! # }
//! ```

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, VARY, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tokio_rustls::TlsAcceptor;

use crate::config::Settings;
use crate::page::{Answer, Page};

mod auth;
mod error;
mod tls;

pub use error::{ServerError, ServerErrorKind};

use auth::Auth;

/// More connections than this wait to be accepted.
const CONNECTIONS_MAX: usize = 128;
/// How long a connection may be silent: longer than any scrape interval.
const SILENCE_MAX: Duration = Duration::from_secs(120);
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long a connection may be open; whoever reads this slowly does not want the page.
const CONNECTION_MAX: Duration = Duration::from_secs(3600);
/// How long to wait when the system has no more files or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    site: Arc<Site>,
}

/// What is served.
#[derive(Debug)]
struct Site {
    page: Page,
    path: String,
    auth: Option<Auth>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listener: _, address, tls, site } = self;
        let mut debug = f.debug_struct("Server");
        debug.field("address", address).field("tls", &tls.is_some()).field("site", site).finish()
    }
}

impl Server {
    /// Listens at `PROMETHEUS_SERVER_HOST` and `PROMETHEUS_PORT`.
    ///
    /// Errors: the address is taken; certificate or key cannot be read, or do not fit.
    pub async fn bind(settings: &Settings, page: &Page) -> Result<Self, ServerError> {
        Self::bind_at((settings.server.host, settings.port).into(), settings, page).await
    }

    /// Listens at another address than that of the settings, such as a port that is free (`127.0.0.1:0`).
    ///
    /// Errors: as [`Server::bind`].
    pub async fn bind_at(address: SocketAddr, settings: &Settings, page: &Page) -> Result<Self, ServerError> {
        let tls = settings.server.tls.as_ref().map(tls::acceptor).transpose()?;
        let listener = TcpListener::bind(address).await.map_err(|e| ServerError::bind(address, e))?;
        let address = listener.local_addr().map_err(|e| ServerError::bind(address, e))?;
        let site = Site {
            page: page.clone(),
            path: settings.metrics_path.clone(),
            auth: settings.server.basic_auth.clone().map(Auth::new),
        };
        Ok(Self { listener, address, tls, site: Arc::new(site) })
    }

    /// Returns the address that it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the future ends.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut shutdown = pin!(shutdown);
        loop {
            let permit = permits.clone().acquire_owned().await;
            let accepted = tokio::select! {
                () = &mut shutdown => return,
                accepted = self.listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let (tls, site) = (self.tls.clone(), self.site.clone());
            tokio::spawn(async move {
                let _permit = permit;
                let _ = tokio::time::timeout(CONNECTION_MAX, site.connection(stream, tls)).await;
            });
        }
    }
}

impl Site {
    async fn connection(self: Arc<Self>, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else {
            return self.serve(stream).await;
        };
        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_MAX, tls.accept(stream)).await {
            self.serve(stream).await;
        }
    }

    async fn serve<T: AsyncRead + AsyncWrite + Unpin>(self: Arc<Self>, stream: T) {
        let service = service_fn(|request: Request<Incoming>| {
            let site = self.clone();
            async move { Ok::<_, Infallible>(site.answer(&request).await) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(SILENCE_MAX);
        // What goes wrong with a connection is the scraper's to notice.
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if let Some(auth) = &self.auth
            && !auth.allows(request.headers().get(AUTHORIZATION)).await
        {
            let header = (WWW_AUTHENTICATE, "Basic realm=\"metrics\"");
            return refuse(StatusCode::UNAUTHORIZED, Some(header));
        }
        if request.uri().path() != self.path {
            return refuse(StatusCode::NOT_FOUND, None);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, Some((ALLOW, "GET, HEAD")));
        }
        let answer = self.page.answer_async(request.headers()).await;
        let mut response = Response::new(Full::new(Bytes::from(answer.body)));
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::try_from(answer.content_type) {
            headers.insert(CONTENT_TYPE, content_type);
        }
        headers.insert(VARY, HeaderValue::from_static(Answer::VARY));
        if let Some(encoding) = answer.content_encoding {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

fn refuse(status: StatusCode, header: Option<(HeaderName, &'static str)>) -> Response<Full<Bytes>> {
    let text = format!("{}\n", status.canonical_reason().unwrap_or_default());
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    if let Some((name, value)) = header {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A server on a thread of its own, which ends when this is dropped.
#[derive(Debug)]
pub struct Background {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Returns the address that it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server was printed when it happened, and is no reason for another one.
            let _ = thread.join();
        }
    }
}

/// Starts a server on a thread of its own, for programs without a runtime; none when nothing is to be measured.
///
/// Errors: as [`Server::bind`], and a thread or runtime that cannot be started.
pub fn start(settings: &Settings, page: &Page) -> Result<Option<Background>, ServerError> {
    if !settings.enabled {
        return Ok(None);
    }
    start_at((settings.server.host, settings.port).into(), settings, page).map(Some)
}

/// Starts a server as [`start`] does, at another address than that of the settings, and whatever is enabled.
///
/// Errors: as [`start`].
pub fn start_at(address: SocketAddr, settings: &Settings, page: &Page) -> Result<Background, ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("promflow-page")
        .build()
        .map_err(ServerError::thread)?;
    let server = runtime.block_on(Server::bind_at(address, settings, page))?;
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let run = move || {
        runtime.block_on(server.run_until(async {
            let _ = stopped.await;
        }));
    };
    let thread = std::thread::Builder::new().name("promflow-server".to_owned()).spawn(run);
    let thread = thread.map_err(ServerError::thread)?;
    Ok(Background { address, stop: Some(stop), thread: Some(thread) })
}

#[cfg(test)]
mod tests;
