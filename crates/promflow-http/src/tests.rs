use std::io::Write;
use std::time::Duration;

use promflow_config::{
    Authorization, BasicAuth, HttpClientConfig, HttpHeader, Secret, TlsConfig, TlsVersion,
};
use promflow_testkit::{Script, ScriptedServer, TestRequest, free_port};

use super::*;

fn fetch_with(config: &HttpClientConfig, request: &Request) -> Result<(Response, String), HttpError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = HttpClient::new(config)?;
    let mut body = Vec::new();
    let response = runtime.block_on(client.fetch(request, &mut body))?;
    Ok((response, String::from_utf8_lossy(&body).into_owned()))
}

fn fetch(url: &str) -> Result<(Response, String), HttpError> {
    fetch_with(&HttpClientConfig::default(), &Request::get(url))
}

fn error(url: &str) -> (HttpErrorKind, String) {
    let error = fetch(url).expect_err("an error");
    (error.kind(), error.to_string())
}

fn header(request: &TestRequest, name: &str) -> String {
    request.headers.iter().find(|(n, _)| n == name).map_or_else(String::new, |(_, v)| v.clone())
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("memory");
    encoder.finish().expect("memory")
}

fn packed(body: Vec<u8>) -> Script {
    Script::Answer { status: 200, headers: vec![("Content-Encoding", "gzip".to_owned())], body }
}

#[test]
fn connection_is_kept_alive() {
    let server = ScriptedServer::start(|_| Script::page("ok"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = HttpClient::new(&HttpClientConfig::default()).expect("a client");
    let mut body = Vec::new();
    for _ in 0..3 {
        let request = Request::get(server.url("/metrics"));
        let response = runtime.block_on(client.fetch(&request, &mut body)).expect("an answer");
        assert_eq!((response.status.as_u16(), body.as_slice()), (200, b"ok".as_slice()));
        assert_eq!(response.content_type(), "text/plain; version=0.0.4");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn packed_page_is_unpacked_and_a_cut_one_is_an_error() {
    let page = "line\n".repeat(100_000);
    let whole = gzip(page.as_bytes());
    let server = ScriptedServer::start(move |request| match request.path.as_str() {
        "/whole" => packed(whole.clone()),
        "/cut" => packed(whole[..whole.len() / 2].to_vec()),
        _ => packed(b"no gzip at all, far from it".to_vec()),
    });
    assert_eq!(fetch(&server.url("/whole")).expect("a page").1, page);
    assert_eq!(error(&server.url("/cut")), (HttpErrorKind::Broken, "unexpected EOF".to_owned()));
    assert_eq!(error(&server.url("/garbage")), (HttpErrorKind::Decode, "gzip: invalid header".to_owned()));
}

#[test]
fn body_that_reaches_the_limit_is_refused_announced_streamed_or_packed() {
    let server = ScriptedServer::start(|request| match request.path.as_str() {
        "/announced" => Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"),
        "/streamed" => Script::Raw(Box::new(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let chunk = vec![b'x'; 65_536];
            for _ in 0..16_384 {
                stream.write_all(b"10000\r\n")?;
                stream.write_all(&chunk)?;
                stream.write_all(b"\r\n")?;
            }
            Ok(())
        })),
        "/bomb" => packed(gzip(&vec![b'0'; 64 << 20])),
        _ => Script::page("12345"),
    });
    let limited = |path: &str, limit: usize| {
        let request = Request { body_size_limit_bytes: limit, ..Request::get(server.url(path)) };
        fetch_with(&HttpClientConfig::default(), &request).map(|(_, body)| body)
    };
    for path in ["/announced", "/streamed", "/bomb"] {
        let error = limited(path, 1 << 20).expect_err(path);
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (HttpErrorKind::BodyTooLarge, "body size limit exceeded")
        );
    }
    assert_eq!(limited("/page", 6), Ok("12345".to_owned()));
    assert!(limited("/page", 5).is_err(), "the limit itself is too much, as in Prometheus");
}

#[test]
fn broken_answers_are_explained() {
    let server = ScriptedServer::start(|request| match request.path.as_str() {
        "/half" => Script::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf a page"),
        "/chunked" => {
            Script::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n5\r\nab")
        }
        "/nothing" => Script::raw(""),
        _ => Script::raw("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    });
    let of = |path: &str, text: &str| format!("Get \"{}\": {text}", server.url(path));
    assert_eq!(error(&server.url("/half")), (HttpErrorKind::Broken, "unexpected EOF".to_owned()));
    assert_eq!(error(&server.url("/chunked")), (HttpErrorKind::Broken, "unexpected EOF".to_owned()));
    assert_eq!(error(&server.url("/nothing")), (HttpErrorKind::Broken, of("/nothing", "EOF")));
    let (kind, text) = error(&server.url("/ssh"));
    assert_eq!(kind, HttpErrorKind::Broken);
    assert!(text.starts_with(&of("/ssh", "malformed HTTP response")), "{text}");
}

#[test]
fn server_that_is_not_there_or_does_not_answer_is_explained() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}/metrics");
    let refused = format!("Get \"{url}\": dial tcp 127.0.0.1:{port}: connect: connection refused");
    assert_eq!(error(&url), (HttpErrorKind::Connect, refused));

    let (kind, text) = error("http://no-such-host.invalid:80/metrics");
    assert_eq!(kind, HttpErrorKind::Resolve);
    assert!(text.ends_with("dial tcp: lookup no-such-host.invalid: no such host"), "{text}");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", silent.local_addr().expect("an address"));
    let request = Request::get(url.clone()).timeout(Duration::from_millis(50));
    let late = fetch_with(&HttpClientConfig::default(), &request).expect_err("late");
    assert_eq!(late.kind(), HttpErrorKind::Timeout);
    assert_eq!(late.to_string(), format!("Get \"{url}\": context deadline exceeded"));
}

#[test]
fn credentials_are_sent_and_their_files_read_anew() {
    let server = ScriptedServer::start(|request| {
        let custom = header(&request, "x-custom");
        Script::page(format!("{}|{custom}", header(&request, "authorization")))
    });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("password");
    let basic = HttpClientConfig {
        basic_auth: Some(BasicAuth {
            username: "user".into(),
            password_file: Some(file.clone()),
            ..BasicAuth::default()
        }),
        ..HttpClientConfig::default()
    };
    let request = Request::get(server.url("/"));
    let missing = fetch_with(&basic, &request).expect_err("no file yet");
    assert_eq!(missing.kind(), HttpErrorKind::Credentials);
    assert!(missing.to_string().contains("unable to read basic auth password file"), "{missing}");
    for (password, encoded) in [("one\n", "dXNlcjpvbmU="), ("two", "dXNlcjp0d28=")] {
        std::fs::write(&file, password).expect("a file");
        assert_eq!(fetch_with(&basic, &request).expect("a page").1, format!("Basic {encoded}|"));
    }
    let bearer = HttpClientConfig {
        authorization: Some(Authorization { credentials: Secret::new("token"), ..Authorization::default() }),
        http_headers: [(
            "X-Custom".to_owned(),
            HttpHeader { values: vec!["v".into()], ..HttpHeader::default() },
        )]
        .into(),
        ..HttpClientConfig::default()
    };
    assert_eq!(fetch_with(&bearer, &request).expect("a page").1, "Bearer token|v");
}

#[test]
fn redirects_are_followed_and_credentials_stay_with_their_host() {
    let server = ScriptedServer::start(|request| {
        let to = |location: String| Script::Answer {
            status: 302,
            headers: vec![("Location", location)],
            body: Vec::new(),
        };
        let port = header(&request, "host").rsplit_once(':').map(|(_, p)| p.to_owned()).unwrap_or_default();
        match request.path.as_str() {
            "/near" => to("/end".to_owned()),
            "/far" => to(format!("http://localhost:{port}/end")),
            "/loop" => to("/loop".to_owned()),
            _ => Script::page(format!("end {}", header(&request, "authorization"))),
        }
    });
    let config = HttpClientConfig {
        authorization: Some(Authorization { credentials: Secret::new("t"), ..Authorization::default() }),
        ..HttpClientConfig::default()
    };
    let get = |config: &HttpClientConfig, path: &str| {
        fetch_with(config, &Request::get(server.url(path)))
            .map(|(response, body)| (response.status.as_u16(), body))
    };
    assert_eq!(get(&config, "/near"), Ok((200, "end Bearer t".to_owned())));
    assert_eq!(get(&config, "/far"), Ok((200, "end ".to_owned())));
    let text = get(&config, "/loop").expect_err("a loop").to_string();
    assert!(text.ends_with("stopped after 10 redirects"), "{text}");
    let stay = HttpClientConfig { follow_redirects: false, ..config };
    assert_eq!(get(&stay, "/near").expect("an answer").0, 302);
}

#[test]
fn server_is_verified_by_authority_and_name() {
    let server = ScriptedServer::start_tls("metrics.example", |_| Script::page("secret page"));
    let request = Request::get(server.url("/metrics"));
    let tls = |tls: TlsConfig| fetch_with(&HttpClientConfig { tls, ..HttpClientConfig::default() }, &request);
    let ca = server.ca_pem().to_owned();
    let text = |tls_config| tls(tls_config).expect_err("not trusted").to_string();
    let prefix = format!("Get \"{}\": tls: failed to verify certificate: x509: ", server.url("/metrics"));

    assert_eq!(
        text(TlsConfig { server_name: "metrics.example".into(), ..TlsConfig::default() }),
        format!("{prefix}certificate signed by unknown authority")
    );
    assert!(text(TlsConfig { ca: ca.clone(), ..TlsConfig::default() }).starts_with(&prefix));
    let named = TlsConfig { ca: ca.clone(), server_name: "metrics.example".into(), ..TlsConfig::default() };
    assert_eq!(tls(named.clone()).expect("a page").1, "secret page");
    assert_eq!(
        tls(TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() }).expect("a page").1,
        "secret page"
    );
    assert!(tls(TlsConfig { min_version: Some(TlsVersion::Tls13), ..named.clone() }).is_ok());
    assert_eq!(
        text(TlsConfig { max_version: Some(TlsVersion::Tls11), ..named.clone() }),
        "not supported yet: TLS up to TLS11"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    let by_file = TlsConfig { ca: String::new(), ca_file: Some(file.clone()), ..named };
    assert!(text(by_file.clone()).contains("unable to read CA cert"));
    std::fs::write(&file, ca).expect("a file");
    assert!(tls(by_file).is_ok());
}

#[test]
fn self_signed_authority_is_trusted_as_itself_for_its_own_names() {
    let server = ScriptedServer::start_tls_as_authority("metrics.example", |_| Script::page("page"));
    let request = Request::get(server.url("/metrics"));
    let tls = |ca: &str, name: &str| {
        let tls = TlsConfig { ca: ca.into(), server_name: name.into(), ..TlsConfig::default() };
        fetch_with(&HttpClientConfig { tls, ..HttpClientConfig::default() }, &request)
    };
    assert_eq!(tls(server.ca_pem(), "metrics.example").expect("a page").1, "page");
    let other_name = tls(server.ca_pem(), "other.example").expect_err("another name").to_string();
    assert!(other_name.contains("x509: certificate"), "{other_name}");
    let other = ScriptedServer::start_tls_as_authority("metrics.example", |_| Script::page("page"));
    let not_trusted = tls(other.ca_pem(), "metrics.example").expect_err("another authority").to_string();
    assert!(not_trusted.contains("x509: certificate"), "{not_trusted}");
}

#[test]
fn server_without_tls_is_recognised() {
    let plain = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("https://{}/", plain.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = plain.accept().expect("a connection");
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("a client that reads");
        // Closing with bytes unread would reset the connection before the client has read the answer.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let (kind, text) = error(&url);
    server.join().expect("a server that ends");
    assert_eq!(kind, HttpErrorKind::Tls);
    assert!(text.ends_with("http: server gave HTTP response to HTTPS client"), "{text}");
}

fn ask<T>(server: &ScriptedServer, ask: impl AsyncFnOnce(&ApiClient) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = ApiClient::new(&server.url("/"), &HttpClientConfig::default()).expect("a client");
    runtime.block_on(ask(&client))
}

#[test]
fn api_answers_are_read() {
    let server = ScriptedServer::start(|request| {
        let body = match request.path.as_str() {
            "/api/v1/query" if request.body == "query=up%3D%3D1&time=12" => {
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[12,"1"]}]},"warnings":["w"]}"#
            }
            "/api/v1/query_range" => {
                r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"],[2,"NaN"]]}]}}"#
            }
            "/api/v1/label/job/values" => r#"{"status":"success","data":["a","b"]}"#,
            "/api/v1/targets" => {
                r#"{"status":"success","data":{"activeTargets":[{"labels":{"job":"a"},"health":"up","scrapePool":"a","unknown":1}],"droppedTargets":[],"droppedTargetCounts":{"a":0}}}"#
            }
            "/api/v1/rules" => {
                r#"{"status":"success","data":{"groups":[{"name":"g","interval":15,"rules":[{"type":"alerting","name":"A","state":"firing","duration":60}]}]}}"#
            }
            _ => "<html>",
        };
        Script::page(body)
    });
    let vector = ask(&server, async |api| api.query("up==1", "12").await).expect("an answer");
    assert_eq!(vector.warnings, ["w"]);
    let QueryData::Vector(samples) = vector.data else { panic!("{:?}", vector.data) };
    assert_eq!((samples[0].metric["job"].as_str(), &samples[0].value), ("a", &Some((12.0, "1".to_owned()))));
    let matrix = ask(&server, async |api| api.query_range("up", "1", "2", "1").await).expect("an answer");
    assert!(matches!(matrix.data, QueryData::Matrix(series) if series[0].values.len() == 2));
    assert_eq!(
        ask(&server, async |api| api.label_values("job", &[], "", "").await).expect("values").data,
        ["a", "b"]
    );
    assert_eq!(
        ask(&server, async |api| api.targets().await).expect("targets").data.active_targets[0].health,
        "up"
    );
    assert_eq!(
        ask(&server, async |api| api.rules().await).expect("rules").data.groups[0].rules[0].kind,
        "alerting"
    );
    let error = ask(&server, async |api| api.alerts().await).expect_err("no JSON");
    assert_eq!(error.kind(), HttpErrorKind::Answer);
}

#[test]
fn refusal_of_the_api_has_the_server_s_text() {
    let server = ScriptedServer::start(|request| match request.path.as_str() {
        "/api/v1/query" => Script::Answer {
            status: 400,
            headers: Vec::new(),
            body: br#"{"status":"error","errorType":"bad_data","error":"1:3: parse error"}"#.to_vec(),
        },
        _ => Script::status(503),
    });
    let error = ask(&server, async |api| api.query("up{", "").await).expect_err("a refusal");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (HttpErrorKind::Status, "bad_data: 1:3: parse error")
    );
    let error = ask(&server, async |api| api.build_info().await).expect_err("a refusal");
    assert!(error.to_string().ends_with("server returned HTTP status 503 Service Unavailable"), "{error}");
}
