use super::*;

fn settings(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::from_lookup(|name| {
        environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn unset_and_empty_variables_have_their_defaults() {
    let defaults = settings(&[("PROMETHEUS_PORT", ""), ("PROMETHEUS_DEFAULT_LABELS", " ")]).unwrap();
    assert_eq!(
        defaults,
        Settings {
            enabled: true,
            port: 8000,
            metrics_path: "/metrics".to_owned(),
            service_url: "http://127.0.0.1:8000".to_owned(),
            scrape_interval: Duration::from_secs(15),
            default_labels: Vec::new(),
            pushgateway_url: None,
            server: ServerSettings { host: IpAddr::V4(Ipv4Addr::UNSPECIFIED), tls: None, basic_auth: None },
        }
    );
}

#[test]
fn what_is_printed_reads_back() {
    let read = settings(&[
        ("PROMETHEUS_ENABLED", "0"),
        ("PROMETHEUS_PORT", "8001"),
        ("PROMETHEUS_METRICS_PATH", "/internal/metrics"),
        ("PROMETHEUS_SERVICE_URL", "https://api.example.com/"),
        ("PROMETHEUS_SCRAPE_INTERVAL", "1m30s"),
        ("PROMETHEUS_DEFAULT_LABELS", "env=prod, region=eu=1"),
        ("PROMETHEUS_PUSHGATEWAY_URL", "http://push.example.com:9091"),
        ("PROMETHEUS_SERVER_HOST", "::1"),
        ("PROMETHEUS_SERVER_TLS_CERT_FILE", "tls/cert.pem"),
        ("PROMETHEUS_SERVER_TLS_KEY_FILE", "tls/key.pem"),
    ])
    .unwrap();
    assert_eq!(read.default_labels[1], ("region".to_owned(), "eu=1".to_owned()));
    assert_eq!(read.scrape_interval, Duration::from_secs(90));
    let printed = read.to_string();
    let variables: Vec<_> = printed.lines().map(|line| line.split_once('=').unwrap()).collect();
    assert_eq!(settings(&variables), Ok(read));
}

#[test]
fn secrets_are_never_printed() {
    let read = settings(&[
        ("PROMETHEUS_SERVICE_URL", "https://ann:s3cret@api.example.com/a@b"),
        ("PROMETHEUS_PUSHGATEWAY_URL", "http://job:s3cret@[::1]:9091"),
        ("PROMETHEUS_SERVER_USERNAME", "scraper"),
        ("PROMETHEUS_SERVER_PASSWORD", "s3cret"),
    ])
    .unwrap();
    assert_eq!(read.service_url, "https://ann:s3cret@api.example.com/a@b");
    for printed in [read.to_string(), format!("{read:?} {:?}", read.server)] {
        assert!(!printed.contains("s3cret") && !printed.contains("ann"), "{printed}");
        assert!(printed.contains("https://<secret>@api.example.com/a@b"), "{printed}");
        assert!(printed.contains("http://<secret>@[::1]:9091"), "{printed}");
    }
    let error = settings(&[("PROMETHEUS_SERVICE_URL", "ftp://ann:s3cret@host")]).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
    let error = settings(&[("PROMETHEUS_SERVER_PASSWORD", "s3cret")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"invalid value "" of PROMETHEUS_SERVER_USERNAME: expected a value, as PROMETHEUS_SERVER_PASSWORD is set"#
    );
}

#[test]
fn a_bad_value_names_its_variable() {
    for (variable, value, expected) in [
        ("PROMETHEUS_ENABLED", "maybe", "true or false"),
        ("PROMETHEUS_PORT", "80000", "a port from 1 to 65535"),
        ("PROMETHEUS_PORT", "0", "a port from 1 to 65535"),
        (
            "PROMETHEUS_METRICS_PATH",
            "metrics",
            "a path that starts with \"/\", without blanks, \"?\", \"#\" and braces",
        ),
        ("PROMETHEUS_SERVICE_URL", "api.example.com", "an http or https URL"),
        ("PROMETHEUS_SERVICE_URL", "http://", "an http or https URL"),
        ("PROMETHEUS_PUSHGATEWAY_URL", "push:9091", "an http or https URL"),
        ("PROMETHEUS_SERVER_HOST", "localhost", "an IP address to listen on"),
        ("PROMETHEUS_SCRAPE_INTERVAL", "15", "a duration above zero such as 15s or 1m30s"),
        ("PROMETHEUS_SCRAPE_INTERVAL", "0s", "a duration above zero such as 15s or 1m30s"),
        (
            "PROMETHEUS_DEFAULT_LABELS",
            "env",
            "name=value pairs separated by commas, but \"env\" has no \"=\"",
        ),
        ("PROMETHEUS_DEFAULT_LABELS", "a-b=1", "label names, but \"a-b\" is none"),
        ("PROMETHEUS_DEFAULT_LABELS", "a=1,a=2", "each label once, but \"a\" stands twice"),
    ] {
        let error = settings(&[(variable, value)]).unwrap_err();
        assert_eq!(error.to_string(), format!("invalid value {value:?} of {variable}: expected {expected}"));
    }
}
