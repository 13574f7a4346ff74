use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use promflow_registry::Registry;
use promflow_testkit::http_request;

use super::*;
use crate::config::{BasicAuth, TlsFiles};

fn page() -> Page {
    let registry = Registry::new();
    registry.counter("jobs_total", "Jobs done.", &[]).with(&[]).inc();
    Page::new(&registry)
}

fn start(settings: &Settings) -> Background {
    start_at(([127, 0, 0, 1], 0).into(), settings, &page()).unwrap()
}

fn request(server: &Background, head: &str) -> String {
    let mut stream = TcpStream::connect(server.local_addr()).unwrap();
    stream.write_all(format!("{head}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("")
}

#[test]
fn page_is_served_and_nothing_else() {
    let server = start(&Settings::default());
    let url = format!("http://{}/metrics", server.local_addr());
    let (code, body) = promflow_testkit::http_get(&url).unwrap();
    assert_eq!((code, body.contains("jobs_total 1\n")), (200, true));
    let head = request(&server, "HEAD /metrics HTTP/1.1");
    assert_eq!(status(&head), "200");
    assert!(head.ends_with("\r\n\r\n") && !head.contains("content-length: 0"), "{head}");
    assert_eq!(status(&request(&server, "GET / HTTP/1.1")), "404");
    let refused = request(&server, "POST /metrics HTTP/1.1");
    assert!(status(&refused) == "405" && refused.contains("allow: GET, HEAD"), "{refused}");
}

#[test]
fn page_is_served_as_the_scraper_asks() {
    let server = start(&Settings::default());
    for (accept, content_type) in [
        ("application/openmetrics-text;version=2.0.0", "application/openmetrics-text; version=2.0.0"),
        ("text/plain;version=1.0.0;escaping=dots", "text/plain; version=1.0.0; charset=utf-8; escaping=dots"),
    ] {
        let head = format!("HEAD /metrics HTTP/1.1\r\nAccept: {accept}");
        let answer = request(&server, &head);
        assert!(answer.contains(&format!("content-type: {content_type}")), "{answer}");
    }
}

#[test]
fn page_needs_the_name_and_the_password() {
    let hash = bcrypt::hash("s3cret", 4).unwrap();
    for password in ["s3cret".to_owned(), hash] {
        let mut settings = Settings::default();
        settings.server.basic_auth = Some(BasicAuth { username: "ann".to_owned(), password });
        let server = start(&settings);
        let with = |credentials: &str| {
            let header = format!("Authorization: Basic {}", STANDARD.encode(credentials));
            request(&server, &format!("GET /metrics HTTP/1.1\r\n{header}"))
        };
        for _ in 0..2 {
            assert_eq!(status(&with("ann:s3cret")), "200");
            for wrong in ["ann:secret", "bob:s3cret", "ann:", "ann", ""] {
                assert_eq!(status(&with(wrong)), "401", "{wrong}");
            }
        }
        let answer = request(&server, "GET /metrics HTTP/1.1");
        assert!(status(&answer) == "401" && answer.contains("www-authenticate: Basic"), "{answer}");
    }
}

struct Certified {
    dir: tempfile::TempDir,
    settings: Settings,
}

/// Makes a certificate for `localhost` that is its own authority.
fn certified() -> Certified {
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: String| -> PathBuf {
        let path = dir.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let cert = file("ca.pem", identity.cert.pem());
    let key = file("key.pem", identity.signing_key.serialize_pem());
    let mut settings = Settings::default();
    settings.server.tls = Some(TlsFiles { cert, key });
    Certified { dir, settings }
}

#[tokio::test]
async fn page_is_served_over_https() {
    let certified = certified();
    let server = Server::bind_at(([127, 0, 0, 1], 0).into(), &certified.settings, &page()).await.unwrap();
    let address = server.local_addr();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));
    let pem = std::fs::read(certified.dir.path().join("ca.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_pemfile::certs(&mut &pem[..]).map(Result::unwrap));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nonblocking(true).unwrap();
    let stream = tokio::net::TcpStream::from_std(stream).unwrap();
    let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(status(&answer) == "200" && answer.contains("jobs_total 1\n"), "{answer}");
    drop(stop);
    running.await.unwrap();
}

#[test]
fn prometheus_scrapes_it_with_the_authority_alone() {
    let certified = certified();
    let server = start(&certified.settings);
    let config = certified.dir.path().join("prometheus.yml");
    // The shipped job `worker`, with the names that this test knows alone.
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../monitoring/prometheus.yml");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let job = shipped.split("\n\n").find(|part| part.contains("- job_name: worker")).unwrap();
    let job = job.replace("targets/worker.yml", "worker.yml").replace("targets/worker-ca.pem", "ca.pem");
    let text = format!("global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{job}\n");
    std::fs::write(&config, text).unwrap();
    let targets = format!("- targets: ['localhost:{}']\n", server.local_addr().port());
    std::fs::write(certified.dir.path().join("worker.yml"), targets).unwrap();
    let prometheus = promflow_testkit::Peer::prometheus(&config);
    let query = "/api/v1/query?query=jobs_total%7Bjob%3D%22worker%22%7D";
    promflow_testkit::wait_until("the page of the worker", Duration::from_secs(30), || {
        let answer = http_request("GET", &prometheus.url(query), &[], "");
        answer.is_ok_and(|(_, body)| body.contains("\"jobs_total\""))
    });
}

#[test]
fn unusable_certificates_are_refused() {
    let certified = certified();
    let mut settings = certified.settings.clone();
    let refused = |settings: &Settings| {
        let error = start_at(([127, 0, 0, 1], 0).into(), settings, &page()).unwrap_err();
        assert_eq!(error.kind(), ServerErrorKind::Tls);
        error.to_string()
    };
    let files = settings.server.tls.clone().unwrap();
    settings.server.tls = Some(TlsFiles { cert: files.key.clone(), key: files.key.clone() });
    assert!(refused(&settings).ends_with("there is no certificate in it"));
    settings.server.tls = Some(TlsFiles { cert: files.cert.clone(), key: files.cert.clone() });
    assert!(refused(&settings).ends_with("there is no private key in it"));
    settings.server.tls = Some(TlsFiles { cert: "none.pem".into(), key: files.key });
    assert!(refused(&settings).starts_with("cannot read \"none.pem\": "));
}

#[test]
fn nothing_listens_when_disabled_or_taken() {
    let disabled = Settings { enabled: false, ..Settings::default() };
    assert!(super::start(&disabled, &page()).unwrap().is_none());
    let server = start(&Settings::default());
    let error = start_at(server.local_addr(), &Settings::default(), &page()).unwrap_err();
    assert_eq!(error.kind(), ServerErrorKind::Bind);
    let address = server.local_addr();
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}
