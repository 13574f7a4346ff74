//! Small planted systems for tests.

use promflow_config::alertmanager::AlertmanagerFile;
use promflow_config::{ConfigError, FileSystem, LoadedConfig, RuleFile, ValidationScheme, load};
use promflow_source::{Limits, MemoryTree, Scan, scan};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::graph::{Edge, Graph, NodeKind};
use crate::{Dashboard, FlowInputs, LiveState, build};

/// A system held in memory.
pub(crate) struct Planted {
    files: BTreeMap<String, String>,
}

impl FileSystem for Planted {
    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(&path.display().to_string()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, pattern: &str) -> io::Result<Vec<PathBuf>> {
        let (dir, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let fits = |path: &&String| match last.strip_prefix('*') {
            Some(end) => path.starts_with(dir) && path.ends_with(end),
            None => path.as_str() == pattern,
        };
        Ok(self.files.keys().filter(fits).map(PathBuf::from).collect())
    }
}

/// The code of a backend.
const CODE: &str = r#"
fn metrics(r: &Registry) {
    r.counter("http_requests_total", "Requests.", &["method", "endpoint", "status"]);
    r.histogram("http_request_duration_seconds", "Latency.", &["method"]).buckets(vec![0.1, 0.5, 1.0]);
    r.gauge("queue_size", "Queue.", &["topic"]);
    r.counter("secret_total", "Dropped.", &[]);
}
fn main() { serve(Settings { port: 8000, metrics_path: "/metrics" }) }
"#;

const CONFIG: &str = r"
global: {scrape_interval: 15s, external_labels: {region: eu}}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: backend
    static_configs: [{targets: ['127.0.0.1:8000']}]
    metric_relabel_configs:
      - {source_labels: [__name__], regex: 'secret_.*', action: drop}
      - {regex: topic, action: labeldrop}
  - job_name: node
    static_configs: [{targets: ['127.0.0.1:9100']}]
";

const ALERTMANAGER: &str = r#"
route:
  receiver: chat
  routes:
    - {matchers: ['severity="critical"'], receiver: pager}
    - {matchers: ['severity="info"'], receiver: log, continue: true}
    - {matchers: ['region="eu"', 'severity="info"'], receiver: europe}
receivers: [{name: chat}, {name: pager}, {name: log}, {name: europe}]
"#;

impl Planted {
    /// Plants a backend, its scrape configuration and routes, and the rules of one group, one in a line.
    pub(crate) fn new(rules: &[&str]) -> Self {
        let rules: String = rules.iter().map(|rule| format!("      - {{{rule}}}\n")).collect();
        let rules = format!("groups:\n  - name: group\n    rules:\n{rules}");
        let files = [
            ("app/Cargo.toml", "[package]\nname = \"app\"\n[dependencies]\nlib = { path = \"../lib\" }\n"),
            ("app/src/main.rs", CODE),
            ("lib/Cargo.toml", "[package]\nname = \"lib\"\n"),
            ("lib/src/lib.rs", "fn f() { promflow::counter(\"lib_total\", \"Of the library.\", &[]); }"),
            ("lost/Cargo.toml", "[package]\nname = \"lost\"\n"),
            ("lost/src/main.rs", "fn f() { promflow::counter(\"lost_total\", \"Lost.\", &[]); }"),
            ("monitoring/prometheus.yml", CONFIG),
            ("monitoring/alertmanager.yml", ALERTMANAGER),
            ("monitoring/rules/a.yml", &rules),
        ];
        Self { files: files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect() }
    }

    /// Writes a file of the system anew.
    pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
        self.files.insert(path.to_owned(), text.to_owned());
        self
    }

    /// Changes a file of the system.
    pub(crate) fn change(mut self, path: &str, from: &str, to: &str) -> Self {
        let text = self.files.get_mut(path).expect("the file is planted");
        assert!(text.contains(from), "{path} has no {from:?}");
        *text = text.replace(from, to);
        self
    }

    fn config(&self) -> Result<LoadedConfig, Vec<ConfigError>> {
        load(Path::new("monitoring/prometheus.yml"), self, &|_| None)
    }

    fn scan(&self) -> Scan {
        scan(&MemoryTree::new(self.files.clone()), Limits::default()).expect("memory is readable")
    }

    /// Builds the graph.
    pub(crate) fn graph(&self, live: Option<&LiveState>) -> Graph {
        let config = self.config().unwrap_or_else(|errors| panic!("{errors:#?}"));
        let rule_files: Vec<RuleFile> = config
            .rule_files
            .iter()
            .map(|path| {
                RuleFile::load(path, self, ValidationScheme::default()).unwrap_or_else(|e| panic!("{e:#?}"))
            })
            .collect();
        let alertmanager = AlertmanagerFile::load(Path::new("monitoring/alertmanager.yml"), self);
        let alertmanager = alertmanager.unwrap_or_else(|errors| panic!("{errors:#?}"));
        let source = self.scan();
        let boards = self.files.iter().filter(|(path, _)| path.ends_with(".json"));
        let boards = boards.map(|(path, text)| Dashboard::parse(path, text).expect("the dashboard is JSON"));
        let dashboards: Vec<Dashboard> = boards.flatten().collect();
        build(&FlowInputs {
            dashboards: &dashboards,
            config: Some(&config.config),
            jobs: &config.scrape_configs,
            rule_files: &rule_files,
            alertmanager: Some(&alertmanager),
            source: Some(&source),
            live,
            ..FlowInputs::default()
        })
    }
}

/// Returns the edges into the node of that name and kind.
pub(crate) fn into<'g>(graph: &'g Graph, kind: NodeKind, name: &str) -> Vec<&'g Edge> {
    let node = graph.nodes.iter().find(|node| node.kind == kind && node.name == name);
    let id = &node.unwrap_or_else(|| panic!("no {} is called {name}", kind.as_str())).id;
    graph.edges.iter().filter(|edge| edge.to == *id).collect()
}
