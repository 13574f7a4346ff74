//! A server that keeps connections alive, speaks TLS if asked, and misbehaves as told.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct TestRequest {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// What a [`ScriptedServer`] does with a request.
pub enum Script {
    /// Answers and waits for the next request on the same connection.
    Answer {
        /// The status.
        status: u16,
        /// The headers; the length is added.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: Vec<u8>,
    },
    /// Writes whatever it likes and closes the connection.
    Raw(RawAnswer),
}

/// Writes an answer byte by byte.
pub type RawAnswer = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

impl Script {
    /// Answers 200 with a page in text format.
    pub fn page(body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type", "text/plain; version=0.0.4".to_owned())];
        Self::Answer { status: 200, headers, body: body.into() }
    }

    /// Answers with a status alone.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// Writes bytes as they are and closes the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::Raw(Box::new(move |stream| stream.write_all(&bytes)))
    }
}

/// A server on a free loopback port that ends with the test.
pub struct ScriptedServer {
    address: SocketAddr,
    scheme: &'static str,
    connections: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    ca_pem: String,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}
type Wrap = Arc<dyn Fn(TcpStream) -> io::Result<Box<dyn Stream>> + Send + Sync>;

impl ScriptedServer {
    /// Starts a server without TLS.
    pub fn start(script: impl Fn(TestRequest) -> Script + Send + Sync + 'static) -> Self {
        Self::listen("http", String::new(), Arc::new(|stream| Ok(Box::new(stream))), script)
    }

    /// Starts a server with TLS, whose certificate is valid for the name alone.
    #[cfg(feature = "tls")]
    pub fn start_tls(name: &str, script: impl Fn(TestRequest) -> Script + Send + Sync + 'static) -> Self {
        Self::listen_tls(name, rcgen::IsCa::NoCa, script)
    }

    /// Starts a server with TLS, whose certificate is that of an authority, as `openssl req -x509` makes it.
    #[cfg(feature = "tls")]
    pub fn start_tls_as_authority(
        name: &str,
        script: impl Fn(TestRequest) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::listen_tls(name, rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained), script)
    }

    #[cfg(feature = "tls")]
    fn listen_tls(
        name: &str,
        is_ca: rcgen::IsCa,
        script: impl Fn(TestRequest) -> Script + Send + Sync + 'static,
    ) -> Self {
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("a valid name");
        params.is_ca = is_ca;
        let signing_key = rcgen::KeyPair::generate().expect("a key");
        let cert = params.self_signed(&signing_key).expect("a self-signed certificate");
        let key =
            rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a generated key");
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .and_then(|b| b.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
                .expect("a generated certificate fits its key");
        let config = Arc::new(config);
        let wrap: Wrap = Arc::new(move |stream| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            Ok(Box::new(rustls::StreamOwned::new(session, stream)))
        });
        Self::listen("https", cert.pem(), wrap, script)
    }

    fn listen(
        scheme: &'static str,
        ca_pem: String,
        wrap: Wrap,
        script: impl Fn(TestRequest) -> Script + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("no loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (stopping, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (seen, counted, script) = (Arc::clone(&stopping), Arc::clone(&connections), Arc::new(script));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if seen.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                counted.fetch_add(1, Ordering::Relaxed);
                let (wrap, script) = (Arc::clone(&wrap), Arc::clone(&script));
                std::thread::spawn(move || {
                    // A client that goes away is its own affair.
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                    let _ = wrap(stream).and_then(|stream| serve(stream, &*script));
                });
            }
        });
        Self { address, scheme, connections, stopping, thread: Some(thread), ca_pem }
    }

    /// Returns the server's address, `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Returns the server's port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the server's URL for a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// Counts the connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Returns the certificate that a client has to trust, PEM; `""` without TLS.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Relaxed);
        // Wakes the listener so that it sees the flag; if that fails the thread ends with the process.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: Box<dyn Stream>, script: &dyn Fn(TestRequest) -> Script) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream)? {
        let (status, headers, body) = match script(request) {
            Script::Answer { status, headers, body } => (status, headers, body),
            Script::Raw(write) => {
                write(stream.get_mut())?;
                return stream.get_mut().flush();
            }
        };
        let mut answer = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str("\r\n");
        let mut answer = answer.into_bytes();
        answer.extend_from_slice(&body);
        stream.get_mut().write_all(&answer)?;
        stream.get_mut().flush()?;
    }
    Ok(())
}

fn read_request(stream: &mut impl BufRead) -> io::Result<Option<TestRequest>> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let mut parts = line.split_whitespace();
    let (Some(method), Some(path)) = (parts.next(), parts.next()) else { return Ok(None) };
    let (method, path) = (method.to_owned(), path.to_owned());
    let mut headers = Vec::new();
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(TestRequest { method, path, headers, body }))
}
