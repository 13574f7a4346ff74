//! The texts on nodes and edges.

use promflow_model::{MetricType, duration};

use crate::graph::{AlertState, Details, Edge, Existence, Node, NodeKind, RuleFacts};

/// How many lines a tooltip lists before it counts the rest.
const LINES_MAX: usize = 12;

/// Returns the two lines on a node's face.
pub(super) fn face(node: &Node) -> (String, String) {
    let subtitle = match &node.details {
        Details::Definition(facts) => match (facts.existence, &node.file, node.line) {
            (Existence::Wildcard, ..) => "can mean many".to_owned(),
            (Existence::Nowhere, ..) => "known from nowhere".to_owned(),
            (Existence::Unjudged, ..) => "nothing to judge by".to_owned(),
            (Existence::Code, Some(file), Some(line)) => format!("{}:{line}", short_file(file)),
            _ => String::new(),
        },
        Details::Library { dir } => format!("library in {}", if dir.is_empty() { "." } else { dir }),
        Details::Exporter { .. } => "exporter".to_owned(),
        Details::Endpoint { path, package, .. } => match (path.as_str(), package) {
            ("", _) => "not scraped".to_owned(),
            (path, Some(_)) => path.to_owned(),
            (path, None) => format!("{path}, code not here"),
        },
        Details::Target(_) => "target".to_owned(),
        Details::Job(job) => match (job.up, job.targets) {
            (_, 0) => "no targets".to_owned(),
            _ if job.untried => "not scraped yet".to_owned(),
            (Some(up), all) => format!("{up}/{all} up"),
            (None, 1) => "1 target".to_owned(),
            (None, all) => format!("{all} targets"),
        },
        Details::Rule(rule) if node.kind == NodeKind::Alert => alert_line(rule),
        Details::Rule(rule) => match (rule.healthy, rule.interval_ms) {
            (Some(false), _) => "failing".to_owned(),
            (_, Some(ms)) => format!("every {}", duration::format(ms)),
            _ => "recording".to_owned(),
        },
        Details::Route(route) => format!("by {}", join_or(&route.group_by, "nothing")),
        Details::Receiver(receiver) => match (receiver.sent, receiver.failed) {
            (Some(sent), Some(failed)) if failed > 0 => format!("{sent} sent, {failed} failed"),
            (Some(sent), _) if sent > 0 => format!("{sent} sent"),
            _ => join_or(&receiver.channels, "no channel"),
        },
        Details::Runbook { .. } => "runbook".to_owned(),
        Details::Dashboard(dashboard) if dashboard.panels == 1 => "1 panel".to_owned(),
        Details::Dashboard(dashboard) => format!("{} panels", dashboard.panels),
    };
    (node.name.clone(), subtitle)
}

fn alert_line(rule: &RuleFacts) -> String {
    let severity = Some(rule.severity()).filter(|severity| !severity.is_empty()).unwrap_or("no severity");
    match (rule.healthy, rule.alert_state, rule.active) {
        (Some(false), ..) => format!("{severity} · failing"),
        (_, Some(AlertState::Inactive), _) => format!("{severity} · quiet"),
        (_, Some(state), Some(active)) => format!("{severity} · {} {active}", state.as_str()),
        (_, Some(state), None) => format!("{severity} · {}", state.as_str()),
        _ if rule.for_ms > 0 => format!("{severity} · for {}", duration::format(rule.for_ms)),
        _ => severity.to_owned(),
    }
}

fn join_or(words: &[String], none: &str) -> String {
    if words.is_empty() { none.to_owned() } else { words.join(", ") }
}

fn short_file(file: &str) -> &str {
    file.rmatch_indices('/').nth(1).map_or(file, |(at, _)| &file[at + 1..])
}

/// Returns a rule file's name without directory and ending; any other name as it is.
fn stem(name: &str) -> &str {
    let stem = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml"));
    stem.map_or(name, |stem| stem.rsplit('/').next().unwrap_or(stem))
}

/// Returns the two lines on a fold's face.
pub(super) fn fold(id: &str, members: &[&Node]) -> (String, String) {
    let count = members.len();
    let (kind, rest) = id.strip_prefix("fold:").unwrap_or(id).split_once('/').unwrap_or((id, ""));
    let rest = rest.trim_end_matches('!');
    let kind = kind.strip_prefix("fold:").unwrap_or(kind).trim_end_matches('!');
    let what = match kind {
        "unread" => format!("{count} metrics, read by nobody"),
        "names" => format!("{count} names"),
        "wildcards" => format!("{count} wildcards"),
        kind => format!("{count} {kind}"),
    };
    let firing =
        members.iter().filter(|node| matches!(&node.details, Details::Rule(rule) if rule.is_alarming()));
    let what = match firing.count() {
        0 => what,
        firing => format!("{what}, {firing} firing"),
    };
    if rest.is_empty() { (what, "folded".to_owned()) } else { (stem(rest).to_owned(), what) }
}

/// Returns one or two letters for a node's kind or type.
pub(super) fn icon(node: &Node) -> &'static str {
    match (&node.details, node.kind) {
        (Details::Definition(facts), _) => match (facts.existence, facts.metric_type) {
            (Existence::Nowhere | Existence::Unjudged, _) => "?",
            (Existence::Wildcard, _) => "*",
            (_, MetricType::Counter) => "C",
            (_, MetricType::Gauge) => "G",
            (_, MetricType::Histogram | MetricType::GaugeHistogram) => "H",
            (_, MetricType::Summary) => "S",
            (_, MetricType::Info) => "I",
            (_, MetricType::StateSet) => "E",
            (_, MetricType::Unknown) => "M",
        },
        (_, NodeKind::Library) => "L",
        (_, NodeKind::Exporter) => "X",
        (_, NodeKind::Endpoint) => "/",
        (_, NodeKind::Job | NodeKind::Target) => "J",
        (_, NodeKind::Recording) => "=",
        (_, NodeKind::Alert) => "!",
        (_, NodeKind::Route) => ">",
        (_, NodeKind::Receiver) => "@",
        (_, NodeKind::Runbook | NodeKind::Dashboard) => "i",
        (_, NodeKind::Definition) => "M",
    }
}

/// Returns the full text of a node, or a list of what is folded into it.
pub(super) fn tooltip(node: &Node, members: &[&Node]) -> String {
    if members.len() > 1 {
        let names: Vec<&str> = members.iter().map(|node| node.name.as_str()).collect();
        return listed(&names);
    }
    let mut lines = vec![format!("{} {}", node.kind.as_str(), node.name)];
    match (&node.file, node.line) {
        (Some(file), Some(line)) => lines.push(format!("{file}:{line}")),
        (Some(file), None) => lines.push(file.clone()),
        _ => {}
    }
    match &node.details {
        Details::Definition(facts) if facts.existence == Existence::Code => {
            let labels =
                facts.labels.as_ref().map_or("labels not known".to_owned(), |l| join_or(l, "no labels"));
            lines.push(format!("{} ({labels}), {}", facts.metric_type.as_str(), facts.library));
            lines.extend(facts.help.clone());
            lines.extend(facts.series.map(|series| format!("{series} series")));
        }
        Details::Rule(rule) => {
            lines.push(rule.expr.clone());
            lines.extend(rule.annotations.get("summary").cloned());
            lines.extend(rule.last_error.clone());
        }
        Details::Route(route) => {
            lines.push(join_or(&route.matchers, "everything else"));
            lines.push(format!("to {}", route.receiver));
        }
        Details::Job(job) => {
            lines.push(format!("{} every {}", job.metrics_path, duration::format(job.scrape_interval_ms)))
        }
        Details::Receiver(receiver) => lines.push(join_or(&receiver.channels, "no channel")),
        Details::Runbook { url } => lines.push(url.clone()),
        _ => {}
    }
    lines.join("\n")
}

/// Returns the full text of edges that are drawn as one.
pub(super) fn edges(edges: &[&Edge]) -> String {
    let mut lines = Vec::new();
    for edge in edges {
        let names = if edge.metrics.is_empty() { &edge.alerts } else { &edge.metrics };
        let what = match (edge.via.as_str(), names.len()) {
            ("", 0) => edge.state.as_str().to_owned(),
            ("", 1..=3) => names.join(", "),
            ("", n) => format!("{n} metrics"),
            (via, _) if edge.function.is_empty() => via.to_owned(),
            (via, _) => format!("{}: {via}", edge.function),
        };
        let line = match &edge.reason {
            Some(reason) => format!("{what} [{}] {reason}", edge.state.as_str()),
            None => format!("{what} [{}]", edge.state.as_str()),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    listed(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn listed(lines: &[&str]) -> String {
    let mut text = lines[..lines.len().min(LINES_MAX)].join("\n");
    if lines.len() > LINES_MAX {
        text.push_str(&format!("\nand {} more", lines.len() - LINES_MAX));
    }
    text
}
