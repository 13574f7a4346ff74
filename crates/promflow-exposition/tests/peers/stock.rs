//! Pages that stock Prometheus scrapes, read by both.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use promflow_exposition::{Escaping, Format, Mode};
use promflow_model::float;
use promflow_testkit::{Peer, Script, ScriptedServer, conformance, http_get, wait_until};
use serde_json::Value;

use crate::pages::{self, Samples, bits};

/// What is served under `/NAME`.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) body: Vec<u8>,
}

impl Page {
    pub(crate) fn new(name: impl Into<String>, format: Format, body: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), format, body: body.into() }
    }
}

/// A server of pages and a Prometheus that scrapes each of them as a job of its own.
pub(crate) struct Scraped {
    prometheus: Peer,
    address: String,
    _server: ScriptedServer,
}

impl Scraped {
    /// Starts both and waits until every page was scraped, and as many as are expected with success. Those that stay
    /// down are for the caller to report.
    pub(crate) fn start(pages: &[Page], expected_up: usize, arguments: &[&str]) -> Self {
        let served: BTreeMap<_, _> = pages
            .iter()
            .map(|p| (format!("/{}", p.name), (p.format.content_type(), p.body.clone())))
            .collect();
        let server = ScriptedServer::start(move |request| match served.get(&request.path) {
            Some((content_type, body)) => Script::Answer {
                status: 200,
                headers: vec![("Content-Type", (*content_type).to_owned())],
                body: body.clone(),
            },
            None => Script::status(404),
        });
        let address = server.address();
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        let mut text = "global: {scrape_interval: 2s, scrape_timeout: 2s}\nscrape_configs:\n".to_owned();
        for page in pages {
            let name = &page.name;
            text.push_str(&format!(
                "- {{job_name: '{name}', metrics_path: '/{name}', honor_labels: true, honor_timestamps: false, \
                 static_configs: [{{targets: ['{address}'], labels: {{page: '{name}'}}}}]}}\n"
            ));
        }
        std::fs::write(&config, text).unwrap();
        let prometheus = start_prometheus(&config, arguments);
        let scraped = Self { prometheus, address, _server: server };
        wait_until("every page to be scraped", Duration::from_secs(60), || {
            scraped.query("up").len() == pages.len()
        });
        // A busy machine may let a scrape time out.
        let start = Instant::now();
        while scraped.query("up == 1").len() < expected_up && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(100));
        }
        scraped
    }

    /// Asks for an instant vector.
    fn query(&self, query: &str) -> Vec<Value> {
        let encoded: String = query.bytes().map(|b| format!("%{b:02x}")).collect();
        let url = self.prometheus.url(&format!("/api/v1/query?query={encoded}"));
        let (status, body) = http_get(&url).unwrap();
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// Returns what Prometheus has of a page, but for the series that every scrape adds.
    pub(crate) fn series(&self, page: &str) -> Samples {
        let mut samples = Samples::new();
        for result in self.query(&format!("{{page={page:?}}}")) {
            let labels: BTreeMap<String, String> = serde_json::from_value(result["metric"].clone()).unwrap();
            let name = labels["__name__"].as_str();
            if name != "up" && !name.starts_with("scrape_") {
                let value = result["value"][1].as_str().unwrap();
                let value = float::parse(value).unwrap_or_else(|| panic!("value {value}"));
                samples.insert(one_way(labels), bits(value));
            }
        }
        samples
    }

    /// Returns our reading with the labels that a target adds.
    pub(crate) fn expected(&self, page: &Page, samples: Samples) -> Samples {
        let target = [("job", &page.name), ("page", &page.name), ("instance", &self.address)];
        let with_target = |mut labels: BTreeMap<String, String>| {
            for (name, value) in target {
                labels.entry(name.to_owned()).or_insert_with(|| value.clone());
            }
            one_way(labels)
        };
        samples.into_iter().map(|(labels, value)| (with_target(labels), value)).collect()
    }

    pub(crate) fn is_up(&self, page: &str) -> bool {
        self.query(&format!("up{{page={page:?}}} == 1")).len() == 1
    }
}

fn start_prometheus(config: &Path, arguments: &[&str]) -> Peer {
    let peer = Peer::start("prometheus", |command: &mut Command, dir, port| {
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(arguments);
    });
    wait_until("prometheus to be ready", Duration::from_secs(60), || {
        http_get(&peer.url("/-/ready")).is_ok_and(|(status, _)| status == 200)
    });
    peer
}

/// Writes `le` and `quantile` in one way, as Prometheus 3 does on reading and Prometheus 2 does not.
fn one_way(mut labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for name in ["le", "quantile"] {
        if let Some(value) = labels.get_mut(name)
            && let Some(number) = float::parse(value)
        {
            *value = float::format_g(number);
        }
    }
    labels
}

fn compare(pages: &[Page]) {
    let scraped = Scraped::start(pages, pages.len(), &[]);
    for page in pages {
        let name = &page.name;
        let ours = pages::samples(&page.body, page.format, Mode::Prometheus).unwrap();
        assert!(scraped.is_up(name), "{name} was not scraped");
        let (expected, found) = (scraped.expected(page, ours), scraped.series(name));
        for (labels, value) in &expected {
            assert_eq!(found.get(labels), Some(value), "{name}: {labels:?}");
        }
        assert_eq!(found.len(), expected.len(), "{name}");
    }
}

#[test]
fn broker_pages_are_read_as_stock_prometheus_reads_them() {
    let Some(dir) = conformance("exposition/pulsar") else { return };
    let mut pages = Vec::new();
    for folder in [dir.clone(), dir.join("three")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name.ends_with(".txt") {
                let format = if name.ends_with(".otel.txt") { Format::OpenMetrics } else { Format::Text };
                let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy();
                pages.push(Page::new(format!("{folder}-{name}"), format, std::fs::read(&path).unwrap()));
            }
        }
    }
    assert!(pages.len() >= 28, "{} pages", pages.len());
    compare(&pages);
}

#[test]
fn pages_of_prometheus_are_read_as_stock_prometheus_reads_them() {
    let Some(dir) = conformance("exposition") else { return };
    let pages: Vec<_> = [
        ("alltypes.237mfs.prom.txt", Format::Text),
        ("alltypes.237mfs.nometa.prom.txt", Format::Text),
        ("alltypes.5mfs.om.txt", Format::OpenMetrics),
        ("1histogram.om.txt", Format::OpenMetrics),
    ]
    .into_iter()
    .map(|(name, format)| Page::new(name, format, std::fs::read(dir.join(name)).unwrap()))
    .collect();
    compare(&pages);
}

#[test]
fn written_pages_are_read_back_by_stock_prometheus() {
    let mut pages = Vec::new();
    for escaping in [Escaping::Underscores, Escaping::Dots, Escaping::Values] {
        for format in [Format::Text, Format::OpenMetrics] {
            let name = format!("written-{format:?}-{}", escaping.as_str());
            pages.push(Page::new(name, format, pages::written(format, escaping)));
        }
    }
    compare(&pages);
}

/// Returns a bucket's upper bound and count for each bucket of an instant query's histogram.
fn buckets(histogram: &Value) -> Vec<(f64, f64)> {
    let number = |value: &Value| float::parse(value.as_str().unwrap()).unwrap();
    let buckets = histogram["buckets"].as_array().unwrap();
    buckets.iter().map(|b| (number(&b[2]), number(&b[3]))).collect()
}

#[test]
fn protobuf_is_read_back_by_stock_prometheus_with_native_histograms() {
    let page =
        Page::new("protobuf", Format::Protobuf, pages::written(Format::Protobuf, Escaping::Underscores));
    let ours = pages::samples(&page.body, Format::Protobuf, Mode::Strict).unwrap();
    let pages = [page];
    let scraped = Scraped::start(&pages, 1, &["--enable-feature=native-histograms"]);
    assert!(scraped.is_up("protobuf"), "{}", scraped.prometheus.log());

    let expected = scraped.expected(&pages[0], ours);
    let mut found = Samples::new();
    let mut natives = Vec::new();
    for result in scraped.query("{page=\"protobuf\"}") {
        let labels: BTreeMap<String, String> = serde_json::from_value(result["metric"].clone()).unwrap();
        if let Some(histogram) = result.get("histogram") {
            natives.push((labels, histogram[1].clone()));
        } else if labels["__name__"] != "up" && !labels["__name__"].starts_with("scrape_") {
            let value = float::parse(result["value"][1].as_str().unwrap()).unwrap();
            found.insert(one_way(labels), bits(value));
        }
    }
    assert_eq!(found, expected);

    let [(labels, histogram)] = natives.as_slice() else { panic!("{natives:?}") };
    assert_eq!(labels["__name__"], "latency_seconds");
    assert_eq!((&histogram["count"], &histogram["sum"]), (&"14".into(), &"18.4".into()));
    let root = 2f64.sqrt();
    let expected = [
        (-1.0, 4.0),
        (-1.0 / root, 3.0),
        (0.001, 2.0),
        (1.0, 1.0),
        (root, 2.0),
        (2.0 * root, 1.0),
        (4.0, 1.0),
    ];
    for ((upper, count), (expected_upper, expected_count)) in buckets(histogram).into_iter().zip(expected) {
        assert!((upper - expected_upper).abs() < 1e-9 && count == expected_count, "{histogram}");
    }
    for (query, expected) in
        [("histogram_count(latency_seconds)", "14"), ("histogram_sum(latency_seconds)", "18.4")]
    {
        assert_eq!(scraped.query(query)[0]["value"][1], expected, "{query}");
    }
}
