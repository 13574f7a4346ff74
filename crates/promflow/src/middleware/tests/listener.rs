//! Requests over real connections: streams, clients that go away, panics.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use http_body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

struct Served {
    address: SocketAddr,
    registry: Registry,
}

/// What comes after the last chunk.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    End,
    Silence,
    Failure,
}

/// Sends chunks with pauses.
struct Chunks {
    left: usize,
    then: Then,
    pause: Pin<Box<tokio::time::Sleep>>,
}

const PAUSE: Duration = Duration::from_millis(20);

impl Chunks {
    fn body(chunks: usize, then: Then) -> Body {
        Body::new(Self { left: chunks, then, pause: Box::pin(tokio::time::sleep(PAUSE)) })
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return match self.then {
                Then::End => Poll::Ready(None),
                Then::Silence => Poll::Pending,
                Then::Failure => Poll::Ready(Some(Err(io::Error::other("the disk is gone")))),
            };
        }
        ready!(self.pause.as_mut().poll(cx));
        self.left -= 1;
        self.pause = Box::pin(tokio::time::sleep(PAUSE));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"0123456789")))))
    }
}

async fn broken() -> &'static str {
    panic!("of the handler")
}

async fn serve(on_panic: OnPanic) -> Served {
    serve_with(on_panic, Until::LastByte).await
}

async fn serve_with(on_panic: OnPanic, until: Until) -> Served {
    let registry = Registry::new();
    let settings = Settings::default();
    let builder = Prometheus::builder(&settings, &registry).sizes(true);
    let prometheus = builder.on_panic(on_panic).until(until).build().unwrap();
    let router = Router::new()
        .route("/stream", get(|| async { Chunks::body(3, Then::End) }))
        .route("/endless", get(|| async { Chunks::body(1, Then::Silence) }))
        .route("/hang", get(std::future::pending::<()>))
        .route("/failing", get(|| async { Chunks::body(1, Then::Failure) }))
        .route("/short", get(|| async { "short" }))
        .route("/panic", get(broken).post(|body: String| async move { body }));
    let app = prometheus.instrument(router);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Served { address, registry }
}

impl Served {
    async fn send(&self, request: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        connection
    }

    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        self.send(&request).await.read_to_end(&mut answer).await.unwrap();
        String::from_utf8(answer).unwrap()
    }

    fn page(&self) -> String {
        String::from_utf8(self.registry.encode(Format::Text)).unwrap()
    }

    /// Waits until the page has a line: what ends a request is noticed by the server in its own time.
    async fn wait_for(&self, line: &str) {
        for _ in 0..500 {
            if self.page().lines().any(|l| l == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{line} is not in\n{}", self.page());
    }
}

fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("{series} is not in\n{page}")).trim().parse().unwrap()
}

#[tokio::test]
async fn stream_is_measured_to_its_last_byte() {
    let served = serve(OnPanic::Resume).await;
    assert!(served.get("/stream").await.contains("0123456789"));
    served.wait_for(r#"http_requests_total{method="GET",endpoint="/stream",status="200"} 1"#).await;
    let page = served.page();
    has(&page, r#"http_response_size_bytes_sum{method="GET",endpoint="/stream"} 30"#);
    has(&page, r#"http_requests_in_progress{method="GET"} 0"#);
    let seconds = value(&page, r#"http_request_duration_seconds_sum{method="GET",endpoint="/stream"}"#);
    assert!(seconds >= 0.06, "{seconds}");
}

#[tokio::test]
async fn time_may_end_with_the_head() {
    let served = serve_with(OnPanic::Resume, Until::Head).await;
    let start = std::time::Instant::now();
    served.get("/stream").await;
    let total = start.elapsed();
    served.wait_for(r#"http_requests_total{method="GET",endpoint="/stream",status="200"} 1"#).await;
    let page = served.page();
    has(&page, r#"http_response_size_bytes_sum{method="GET",endpoint="/stream"} 30"#);
    let seconds = value(&page, r#"http_request_duration_seconds_sum{method="GET",endpoint="/stream"}"#);
    // The second and third pause begin after the head.
    assert!(seconds + 2.0 * PAUSE.as_secs_f64() <= total.as_secs_f64(), "{seconds} of {total:?}");
}

#[tokio::test]
async fn body_that_fails_is_an_error() {
    let served = serve(OnPanic::Resume).await;
    let request = "GET /failing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut answer = Vec::new();
    let _ = served.send(request).await.read_to_end(&mut answer).await;
    served.wait_for(r#"http_requests_total{method="GET",endpoint="/failing",status="500"} 1"#).await;
    served.wait_for(r#"http_requests_in_progress{method="GET"} 0"#).await;
}

#[tokio::test]
async fn client_that_leaves_in_the_midst_of_the_body_is_counted() {
    let served = serve(OnPanic::Resume).await;
    let mut connection = served.send("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut seen = Vec::new();
    while !seen.ends_with(b"0123456789\r\n") {
        assert_ne!(connection.read_buf(&mut seen).await.unwrap(), 0);
    }
    has(&served.page(), r#"http_requests_in_progress{method="GET"} 1"#);
    drop(connection);
    served.wait_for(r#"http_requests_total{method="GET",endpoint="/endless",status="499"} 1"#).await;
    let page = served.page();
    has(&page, r#"http_response_size_bytes_sum{method="GET",endpoint="/endless"} 10"#);
    served.wait_for(r#"http_requests_in_progress{method="GET"} 0"#).await;
    assert!(!page.contains(r#"endpoint="/endless",status="200""#), "{page}");
}

#[tokio::test]
async fn client_that_leaves_before_the_response_is_counted() {
    let served = serve(OnPanic::Resume).await;
    let connection = served.send("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n").await;
    served.wait_for(r#"http_requests_in_progress{method="GET"} 1"#).await;
    drop(connection);
    served.wait_for(r#"http_requests_total{method="GET",endpoint="/hang",status="499"} 1"#).await;
    served.wait_for(r#"http_requests_in_progress{method="GET"} 0"#).await;
}

#[tokio::test]
async fn panic_is_counted_and_goes_on_or_is_answered() {
    for (on_panic, answer) in
        [(OnPanic::Resume, ""), (OnPanic::Respond, "HTTP/1.1 500 Internal Server Error")]
    {
        let served = serve(on_panic).await;
        let got = served.get("/panic").await;
        assert_eq!(got.lines().next().unwrap_or(""), answer);
        served.wait_for(r#"http_requests_total{method="GET",endpoint="/panic",status="500"} 1"#).await;
        served.wait_for(r#"http_requests_in_progress{method="GET"} 0"#).await;
        assert!(served.get("/short").await.ends_with("short"));
    }
}

#[tokio::test]
async fn complete_answers_are_no_disconnects() {
    let served = serve(OnPanic::Resume).await;
    let head = "HEAD /short HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let mut rest = Vec::new();
    served.send(head).await.read_to_end(&mut rest).await.unwrap();
    served.get("/short").await;
    let post = "POST /panic HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
                3\r\nabc\r\n0\r\n\r\n";
    served.send(post).await.read_to_end(&mut rest).await.unwrap();
    served.wait_for(r#"http_requests_total{method="HEAD",endpoint="/short",status="200"} 1"#).await;
    served.wait_for(r#"http_requests_total{method="GET",endpoint="/short",status="200"} 1"#).await;
    served.wait_for(r#"http_request_size_bytes_sum{method="POST",endpoint="/panic"} 3"#).await;
    let page = served.page();
    has(&page, r#"http_response_size_bytes_sum{method="GET",endpoint="/short"} 5"#);
    assert!(!page.contains(r#"status="499""#), "{page}");
}
