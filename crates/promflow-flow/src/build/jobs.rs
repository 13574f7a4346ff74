//! Jobs and their targets.

use std::collections::{BTreeMap, BTreeSet};

use promflow_config::{RelabelAction, ScrapeConfig, relabel};
use promflow_model::{Labels, LabelsBuilder, Matcher};

use super::Builder;
use crate::exporters::{self, Exporter};
use crate::graph::{Details, JobFacts, MetBy, Node, NodeKind, TargetFacts};

/// A job and what it scrapes.
pub(super) struct JobView<'a> {
    pub(super) config: &'a ScrapeConfig,
    pub(super) id: String,
    /// The targets' labels after relabelling, as the server or the files say.
    pub(super) targets: Vec<Labels>,
    /// The ports that its targets are scraped on.
    pub(super) ports: BTreeSet<u16>,
    /// The packages behind it, and how that was found out.
    pub(super) packages: Vec<String>,
    pub(super) met_by: Option<MetBy>,
    /// The places of the definitions that its page shows, by family.
    pub(super) families: BTreeMap<&'a str, Vec<usize>>,
    /// The program of somebody else that it scrapes.
    pub(super) exporter: Option<&'static Exporter>,
}

impl JobView<'_> {
    /// Says whether a selector's conditions on `job` leave this job in.
    pub(super) fn matches(&self, matchers: &[Matcher]) -> bool {
        let renamed = self.config.relabel_configs.iter().chain(&self.config.metric_relabel_configs);
        let renamed = renamed.into_iter().any(|rule| rule.target_label == "job");
        renamed || matchers.iter().filter(|m| m.name == "job").all(|m| m.matches(&self.config.job_name))
    }

    /// Returns the labels that the scrape adds to every series, or `None` when they cannot be told.
    pub(super) fn target_labels(&self) -> Option<BTreeSet<String>> {
        if self.targets.is_empty() {
            return None;
        }
        let mut labels = BTreeSet::from(["job".to_owned(), "instance".to_owned()]);
        labels.extend(self.targets.iter().flat_map(|target| target.iter().map(|(name, _)| name.to_owned())));
        for rule in self.config.relabel_configs.iter().chain(&self.config.metric_relabel_configs) {
            match rule.action {
                RelabelAction::LabelMap => return None,
                _ if rule.target_label.contains('$') => return None,
                RelabelAction::Replace
                | RelabelAction::HashMod
                | RelabelAction::Lowercase
                | RelabelAction::Uppercase => {
                    labels.insert(rule.target_label.clone());
                }
                _ => {}
            }
        }
        Some(labels)
    }

    /// Returns the place of the rule that removes a label from every series, if there is one.
    pub(super) fn label_dropper(&self, label: &str) -> Option<String> {
        let removes = |rule: &&promflow_config::RelabelConfig| match rule.action {
            RelabelAction::LabelDrop => rule.regex.is_match(label),
            RelabelAction::LabelKeep => !rule.regex.is_match(label),
            RelabelAction::Replace => {
                rule.target_label == label && rule.replacement.is_empty() && rule.regex.is_match("")
            }
            _ => false,
        };
        self.config.metric_relabel_configs.iter().find(removes).map(|rule| rule.position.to_string())
    }

    /// Returns the place of the rule that drops a series by its name alone, if there is one.
    pub(super) fn series_dropper(&self, series: &str) -> Option<String> {
        let mut labels = LabelsBuilder::default();
        labels.set(promflow_model::METRIC_NAME, series).set("job", &self.config.job_name);
        let by_name = |rule: &&promflow_config::RelabelConfig| {
            matches!(rule.action, RelabelAction::Drop | RelabelAction::Keep)
                && rule.source_labels.iter().all(|label| label == promflow_model::METRIC_NAME)
        };
        let mut rules = self.config.metric_relabel_configs.iter().filter(by_name);
        rules.find(|rule| !relabel::apply(rule, &mut labels)).map(|rule| rule.position.to_string())
    }
}

impl<'a> Builder<'a> {
    /// Adds a node for each job and each of its targets.
    pub(super) fn add_jobs(&mut self) {
        for config in self.inputs.jobs {
            let job = self.view(config);
            let (file, line) = self.place(&config.position);
            let untried = self.live().is_some_and(|live| live.is_untried(&config.job_name));
            let up = self.live().map(|live| live.up(&config.job_name));
            let files = config.file_sd_configs.iter().flat_map(|sd| &sd.files);
            let facts = JobFacts {
                scrape_interval_ms: config.scrape_interval_ms,
                metrics_path: config.metrics_path.clone(),
                targets: job.targets.len(),
                up: up.filter(|(_, all)| *all > 0 && !untried).map(|(up, _)| up),
                untried,
                target_files: files.map(|file| self.inputs.relative(file)).collect(),
            };
            self.push(Node {
                id: job.id.clone(),
                kind: NodeKind::Job,
                name: config.job_name.clone(),
                file: file.clone(),
                line,
                group: None,
                details: Details::Job(facts),
            });
            for labels in &job.targets {
                let instance = labels.get("instance").to_owned();
                let id = self.unique(format!("target:{}/{instance}", config.job_name));
                let facts = self.target_facts(config, labels);
                self.push(Node {
                    id,
                    kind: NodeKind::Target,
                    name: instance,
                    file: file.clone(),
                    line,
                    group: Some(config.job_name.clone()),
                    details: Details::Target(facts),
                });
            }
            self.jobs.push(job);
        }
    }

    fn view(&mut self, config: &'a ScrapeConfig) -> JobView<'a> {
        let id = self.unique(format!("job:{}", config.job_name));
        let from_files = self.inputs.targets.get(&config.job_name).into_iter().flatten();
        let groups = config.static_configs.iter().chain(from_files);
        let mut addresses = Vec::new();
        let mut targets: Vec<Labels> = Vec::new();
        for group in groups {
            for target in &group.targets {
                addresses.extend(relabelled(config, &group.labels, target));
            }
        }
        let ports = addresses.iter().filter_map(|labels| port(labels, &config.scheme)).collect();
        targets.extend(addresses.iter().map(public_labels));
        if let Some(live) = self.live() {
            let own: Vec<_> = live.targets.iter().filter(|target| target.job == config.job_name).collect();
            if !own.is_empty() {
                let pairs = own
                    .iter()
                    .map(|target| Labels::from_pairs(with_instance(&target.labels, &target.instance)));
                targets = pairs.collect();
            }
        }
        targets.sort();
        targets.dedup();
        let mut job = JobView {
            config,
            id,
            targets,
            ports,
            packages: Vec::new(),
            met_by: None,
            families: BTreeMap::new(),
            exporter: None,
        };
        self.meet(&mut job);
        if job.packages.is_empty() && config.source_dir.is_none() {
            let ports: Vec<u16> = job.ports.iter().copied().collect();
            job.exporter = exporters::of_job(&config.job_name, &ports);
        }
        job
    }

    fn target_facts(&self, config: &ScrapeConfig, labels: &Labels) -> TargetFacts {
        let live = self.live().into_iter().flat_map(|live| &live.targets);
        let live =
            live.into_iter().find(|t| t.job == config.job_name && t.instance == labels.get("instance"));
        TargetFacts {
            job: config.job_name.clone(),
            labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            up: live.and_then(|target| target.up),
            last_error: live.and_then(|target| target.last_error.clone()),
            last_scrape_ms: live.and_then(|target| target.last_scrape_ms),
            duration_seconds: live.and_then(|target| target.duration_seconds),
        }
    }
}

/// Returns a target's labels after the job's relabelling, `None` when it is dropped.
fn relabelled(config: &ScrapeConfig, shared: &Labels, target: &Labels) -> Option<LabelsBuilder> {
    let mut labels = LabelsBuilder::default();
    labels
        .set("job", &config.job_name)
        .set("__scheme__", &config.scheme)
        .set("__metrics_path__", &config.metrics_path);
    for (name, values) in &config.params {
        if let Some(value) = values.first() {
            labels.set(&format!("__param_{name}"), value);
        }
    }
    for (name, value) in shared.iter().chain(target.iter()) {
        labels.set(name, value);
    }
    relabel::process(&config.relabel_configs, &mut labels).then_some(labels)
}

fn public_labels(labels: &LabelsBuilder) -> Labels {
    let address = labels.get("__address__").to_owned();
    let mut public = labels.clone();
    public.retain(|name, _| !name.starts_with("__"));
    if public.get("instance").is_empty() {
        public.set("instance", &address);
    }
    public.labels()
}

fn with_instance<'l>(labels: &'l BTreeMap<String, String>, instance: &'l str) -> Vec<(&'l str, &'l str)> {
    let mut pairs: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    if !labels.contains_key("instance") {
        pairs.push(("instance", instance));
    }
    pairs
}

fn port(labels: &LabelsBuilder, scheme: &str) -> Option<u16> {
    let address = labels.get("__address__");
    match address.rsplit_once(':') {
        Some((_, port)) => port.parse().ok(),
        None => Some(if scheme == "https" { 443 } else { 80 }),
    }
}
