use std::sync::{Arc, Mutex};

use promflow_registry::Registry;
use promflow_testkit::{Script, ScriptedServer, TestRequest};

use super::*;

type Seen = Arc<Mutex<Vec<TestRequest>>>;

fn gateway(status: u16) -> (ScriptedServer, Seen) {
    let seen = Seen::default();
    let record = seen.clone();
    let server = ScriptedServer::start(move |request| {
        record.lock().unwrap().push(request);
        Script::status(status)
    });
    (server, seen)
}

fn page() -> Page {
    let registry = Registry::new();
    registry.counter("rows_total", "Rows.", &[]).with(&[]).inc_by(3);
    Page::new(&registry)
}

#[test]
fn grouping_keys_are_written_as_the_gateway_reads_them() {
    for (name, value, expected) in [
        ("job", "backup", "job/backup"),
        ("job", "a b+c%ü", "job/a%20b%2Bc%25%C3%BC"),
        ("path", "/var/tmp", "path@base64/L3Zhci90bXA"),
        ("instance", "", "instance@base64/="),
    ] {
        assert_eq!(key_segments(name, value), expected);
    }
}

#[test]
fn page_is_put_posted_and_deleted() {
    let (server, seen) = gateway(202);
    let url = server.url("/prefix/").replace("http://", "http://ann:s3%2Fcret@");
    let push = Push::new(&url, "backup").unwrap().grouping("path", "/var/tmp").unwrap();
    assert!(!format!("{push:?}").contains("cret"), "{push:?}");
    push.replace_blocking(&page()).unwrap();
    push.add_blocking(&page()).unwrap();
    push.delete_blocking().unwrap();
    let seen = seen.lock().unwrap();
    for (request, method) in seen.iter().zip(["PUT", "POST", "DELETE"]) {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            (method, "/prefix/metrics/job/backup/path@base64/L3Zhci90bXA")
        );
        let header = |name: &str| {
            let found = request.headers.iter().find(|(n, _)| n == name);
            found.map_or_else(String::new, |(_, value)| value.clone())
        };
        assert_eq!(header("authorization"), format!("Basic {}", STANDARD.encode("ann:s3/cret")));
        assert_eq!(header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(request.body.contains("rows_total 3\n"), method != "DELETE");
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn protobuf_is_pushed_when_asked_for() {
    let (server, seen) = gateway(200);
    let push = Push::new(&server.url(""), "backup").unwrap().protobuf();
    push.replace_blocking(&page()).unwrap();
    let seen = seen.lock().unwrap();
    let content_type = seen[0].headers.iter().find(|(name, _)| name == "content-type").unwrap();
    assert_eq!(
        content_type.1,
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
         escaping=allow-utf-8"
    );
    assert!(seen[0].body.contains("rows_total") && !seen[0].body.contains("# TYPE"), "{}", seen[0].body);
}

#[test]
fn page_is_pushed_over_https_to_a_gateway_that_is_trusted() {
    let server = ScriptedServer::start_tls("localhost", |_| Script::status(200));
    let url = format!("https://localhost:{}", server.port());
    let push = Push::new(&url, "backup").unwrap();
    let error = push.replace_blocking(&page()).unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Unreachable);
    push.trust_pem(server.ca_pem().as_bytes()).replace_blocking(&page()).unwrap();
}

#[test]
fn what_goes_wrong_is_said() {
    let kind = |result: Result<Push, PushError>| result.unwrap_err().kind();
    for url in ["", "localhost:9091", "ftp://localhost", "http://"] {
        assert_eq!(kind(Push::new(url, "job")), PushErrorKind::Url, "{url}");
    }
    assert!(!Push::new("ftp://ann:s3cret@host", "job").unwrap_err().to_string().contains("s3cret"));
    assert_eq!(kind(Push::new("http://localhost", "")), PushErrorKind::Grouping);
    let push = Push::new("http://localhost", "a").unwrap();
    for name in ["job", "a-b", "__x", ""] {
        assert_eq!(kind(push.clone().grouping(name, "x")), PushErrorKind::Grouping, "{name}");
    }
    let (server, _seen) = gateway(400);
    let push = Push::new(&server.url(""), "backup").unwrap();
    let error = push.replace_blocking(&page()).unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Refused);
    assert!(error.to_string().contains("400 Bad Request"), "{error}");
    let closed = format!("http://127.0.0.1:{}", promflow_testkit::free_port());
    let error = Push::new(&closed, "backup").unwrap().replace_blocking(&page()).unwrap_err();
    assert_eq!(error.kind(), PushErrorKind::Unreachable);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let push = Push::new(&url, "backup").unwrap().timeout(Duration::from_millis(20));
    assert!(push.replace_blocking(&page()).unwrap_err().to_string().ends_with("no answer within 20ms"));
}
