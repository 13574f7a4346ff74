use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;
use crate::graph::{Graph, NodeKind, State};
use crate::layout::{Measure, measure};
use crate::paths::{FlowPaths, build_from_paths};
use crate::testing::Planted;
use crate::view::{View, ViewOptions};

const RULES: [&str; 6] = [
    "record: 'job:http_requests:rate5m', expr: 'sum by (job) (rate(http_requests_total[5m]))'",
    "alert: A, expr: 'job:http_requests:rate5m > 1', labels: {severity: critical}",
    "alert: Misspelt, expr: 'http_request_total > 1'",
    "alert: '<end> \"quoted\" # {{x}} `b` %%', expr: 'queue_size > 1'",
    "alert: Wild, expr: '{__name__=~\"a.*\"} > 1'",
    "alert: Node, expr: 'node_load1 > 1'",
];

/// How long a chart of any size may take.
const DRAWN_IN: Duration = Duration::from_secs(1);

/// The monitoring setup of this repository, over its own code.
fn shipped() -> Graph {
    let root =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("BUG: no workspace");
    let paths = FlowPaths {
        config: Some(root.join("monitoring/prometheus.yml")),
        alertmanager: Some(root.join("monitoring/alertmanager.yml")),
        source: Some(root.to_owned()),
        ..FlowPaths::default()
    };
    build_from_paths(&paths, None).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

#[test]
fn json_has_every_node_and_edge() {
    let graph = Planted::new(&RULES).graph(None);
    let value: serde_json::Value = serde_json::from_str(&json(&graph)).expect("it is JSON");
    assert_eq!(value["nodes"].as_array().map(Vec::len), Some(graph.nodes.len()));
    let ids: BTreeSet<&str> =
        value["nodes"].as_array().into_iter().flatten().filter_map(|node| node["id"].as_str()).collect();
    for edge in value["edges"].as_array().into_iter().flatten() {
        assert!(
            ids.contains(edge["from"].as_str().unwrap_or(""))
                && ids.contains(edge["to"].as_str().unwrap_or(""))
        );
        assert!(edge["via"].is_string() && edge["metrics"].is_array() && edge["state"].is_string(), "{edge}");
    }
    let misspelt =
        value["edges"].as_array().into_iter().flatten().find(|edge| edge["to"] == "alert:Misspelt");
    assert_eq!(misspelt.map(|edge| edge["nearest"].clone()), Some("http_requests_total".into()));
    let definition =
        value["nodes"].as_array().into_iter().flatten().find(|n| n["name"] == "http_requests_total");
    assert_eq!(
        definition.map(|node| (node["file"].clone(), node["line"].clone())),
        Some(("app/src/main.rs".into(), 3.into()))
    );
}

#[test]
fn mermaid_escapes_names_and_gives_each_state_its_line() {
    let text = mermaid(&Planted::new(&RULES).graph(None));
    assert!(text.starts_with("flowchart LR\n"), "{text}");
    assert!(text.contains("#lt;end#gt; #quot;quoted#quot; #35; {{x}} 'b' #37;#37;"), "{text}");
    assert!(
        text.contains("|\"Misspelt: 'http_request_total' is defined nowhere; 'http_requests_total' in"),
        "{text}"
    );
    for line in text.lines() {
        let is_quoted = line.matches('"').count() % 2 == 0;
        assert!(is_quoted, "{line}");
    }
    let opened = text.lines().filter(|line| line.trim_start().starts_with("subgraph ")).count();
    assert_eq!(text.lines().filter(|line| line.trim() == "end").count(), opened);
}

#[test]
fn svg_is_well_formed_and_says_what_is_wrong_in_words() {
    let text = svg(&Planted::new(&RULES).graph(None));
    assert_eq!(text.matches("<g").count(), text.matches("</g>").count());
    assert!(text.contains("<title id=\"flow-title\">") && text.contains("<desc id=\"flow-desc\">"));
    assert!(text.contains("prefers-color-scheme:dark"));
    assert!(text.contains("&lt;end&gt; &quot;quoted&quot;"), "names are escaped");
    assert!(text.contains("`http_request_total` is defined nowhere"));
    for state in [State::Defined, State::Unknown, State::Undecidable, State::NeverSeen] {
        assert!(text.contains(&format!("class=\"edge {}\"", state.as_str())), "{state:?}");
    }
}

#[test]
fn dot_quotes_its_names() {
    let text = dot(&Planted::new(&RULES).graph(None));
    assert!(text.starts_with("digraph flow {") && text.ends_with("}\n"));
    assert!(text.contains("\\\"quoted\\\""));
}

#[test]
fn small_systems_are_drawn_whole_and_large_ones_folded_around_what_is_wrong() {
    let mut rules: Vec<String> = (0..150)
        .map(|i| format!("alert: Fine{i}, expr: 'queue_size > {i}', labels: {{severity: info}}"))
        .collect();
    rules.push("alert: Misspelt, expr: 'http_request_total > 1'".to_owned());
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let small = View::of(&Planted::new(&rules[147..]).graph(None), &ViewOptions::default());
    assert!(small.nodes.iter().all(|node| node.count == 1));
    let large = View::of(&Planted::new(&rules).graph(None), &ViewOptions::default());
    assert!(large.nodes.len() <= 80, "{}", large.nodes.len());
    assert!(large.nodes.iter().any(|node| node.id == "alert:Misspelt"), "what is wrong is not folded");
    assert!(large.nodes.iter().any(|node| node.count == 150));
    assert_eq!(large.faults.len(), 2, "{:?}", large.faults);
}

#[test]
fn alerts_of_too_many_files_are_folded_by_where_they_go() {
    let planted = (0..60).fold(Planted::new(&[]), |planted, file| {
        let severity = ["critical", "info", "warning"][file % 3];
        let rules: String = (0..3)
            .map(|rule| {
                let labels = format!("labels: {{severity: {severity}}}");
                format!("      - {{alert: A{file}x{rule}, expr: 'queue_size > {rule}', {labels}}}\n")
            })
            .collect();
        let text = format!("groups:\n  - name: g{file}\n    rules:\n{rules}");
        planted.with(&format!("monitoring/rules/f{file}.yml"), &text)
    });
    let view = View::of(&planted.graph(None), &ViewOptions::default());
    let folds: Vec<(&str, &str)> = view
        .nodes
        .iter()
        .filter(|node| node.kind == Some(NodeKind::Alert))
        .map(|node| (node.title.as_str(), node.subtitle.as_str()))
        .collect();
    assert_eq!(
        folds,
        [
            ("default route", "60 alerts"),
            ("region=\"eu\", severity=\"info\" + severity=\"info\"", "60 alerts"),
            ("severity=\"critical\"", "60 alerts"),
        ]
    );
}

#[test]
fn numbers_in_names_are_in_their_order_and_a_fold_leads_nowhere() {
    let rules: Vec<String> = (0..12)
        .map(|i| {
            format!(
                "alert: A{i}, expr: 'queue_size > {i}', annotations: {{runbook_url: 'https://x.test/{i}'}}"
            )
        })
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let graph = Planted::new(&rules).graph(None);
    let titles = |view: &View| {
        let alerts = view.nodes.iter().filter(|node| node.kind == Some(NodeKind::Alert));
        alerts.map(|node| (node.title.clone(), node.href.is_some())).collect::<Vec<_>>()
    };
    let whole = titles(&View::of(&graph, &ViewOptions::default()));
    assert_eq!((whole[2].0.as_str(), whole[10].0.as_str(), whole[2].1), ("A2", "A10", true));
    let folded = titles(&View::of(&graph, &ViewOptions { nodes_max: 22, ..ViewOptions::default() }));
    assert_eq!(folded, [("group".to_owned(), false)]);
}

#[test]
fn the_same_graph_gives_the_same_bytes() {
    let draw = |graph: &Graph| [mermaid(graph), svg(graph), dot(graph), json(graph)];
    assert_eq!(draw(&Planted::new(&RULES).graph(None)), draw(&Planted::new(&RULES).graph(None)));
}

#[test]
fn every_shipped_alert_is_fed_and_delivered_and_nothing_is_broken() {
    let graph = shipped();
    let broken: Vec<_> = graph.broken().map(|edge| (&edge.from, &edge.to, &edge.reason)).collect();
    assert!(broken.is_empty(), "{broken:#?}");
    let alerts: Vec<_> = graph.nodes.iter().filter(|node| node.kind == NodeKind::Alert).collect();
    assert!(alerts.len() >= 20);
    let is_kind =
        |id: &String, kinds: &[NodeKind]| graph.node(id).is_some_and(|node| kinds.contains(&node.kind));
    for alert in alerts {
        let down = graph.downstream(&alert.id);
        assert!(
            down.nodes.iter().any(|id| is_kind(id, &[NodeKind::Receiver])),
            "{} reaches nobody",
            alert.name
        );
        let reads = graph.edges.iter().any(|edge| edge.to == alert.id);
        let up = graph.upstream(&alert.id);
        let fed = up.nodes.iter().any(|id| is_kind(id, &[NodeKind::Definition, NodeKind::Job]));
        assert!(fed || !reads, "{} is fed by nothing", alert.name);
    }
    let view = View::of(&graph, &ViewOptions::default());
    let placed = crate::layout::tests::check(&view);
    assert!(placed.crossings <= 60, "{} crossings", placed.crossings);
    assert_eq!(measure(&view, &placed).cut_labels, 0);
    let text = mermaid(&graph);
    assert!(text.len() < 50_000 && !text.contains("/home/"), "{} bytes", text.len());
}

#[test]
fn large_rule_sets_are_folded_and_laid_out() {
    let Some(dir) = promflow_testkit::conformance("rules") else { return };
    let config = tempfile::NamedTempFile::new().expect("a temporary file");
    let all = dir.join("*.yml").display().to_string();
    std::fs::write(config.path(), format!("rule_files: ['{all}']\n")).expect("written");
    let paths = FlowPaths { config: Some(config.path().to_owned()), ..FlowPaths::default() };
    let graph = build_from_paths(&paths, None).unwrap_or_else(|errors| panic!("{errors:#?}"));
    assert!(graph.nodes.len() > 1000, "{} nodes", graph.nodes.len());
    let started = Instant::now();
    let view = View::of(&graph, &ViewOptions::default());
    assert!(view.nodes.len() <= 80, "{} nodes", view.nodes.len());
    let placed = crate::layout::tests::check(&view);
    println!("{} nodes folded to {} in {:?}", graph.nodes.len(), view.nodes.len(), started.elapsed());
    let measured = measure(&view, &placed);
    assert!(measured.crossings <= 2 && measured.cut_labels == 0, "{measured:?}");
    assert!(started.elapsed() < DRAWN_IN, "drawn in {:?}", started.elapsed());
    // Unfolded it still keeps to the rules of the layout.
    let whole =
        View::of(&graph, &ViewOptions { nodes_max: 600, edges_max: 4000, lane_max: 600, sinks: false });
    crate::layout::tests::check(&whole);
    let text = mermaid(&graph);
    assert!(text.len() < 50_000, "{} bytes", text.len());
}

#[test]
fn a_generated_system_is_folded_and_laid_out() {
    let mut planted = Planted::new(&[]);
    let (mut jobs, mut rules) = (String::from("scrape_configs:\n"), String::from("groups:\n"));
    for service in 0..20 {
        let metrics: String =
            (0..50).map(|m| format!("r.counter(\"s{service}_m{m}_total\", \"h\", &[\"x\"]);\n")).collect();
        let code =
            format!("fn f(r: R) {{ {metrics} }}\nfn main() {{ Settings {{ port: {} }} }}", 7000 + service);
        planted = planted
            .with(&format!("s{service}/Cargo.toml"), &format!("[package]\nname = \"s{service}\"\n"))
            .with(&format!("s{service}/src/main.rs"), &code);
        let targets: Vec<String> = (0..5).map(|t| format!("'host{t}:{}'", 7000 + service)).collect();
        jobs += &format!(
            "  - job_name: s{service}\n    static_configs: [{{targets: [{}]}}]\n",
            targets.join(", ")
        );
        rules += &format!("  - name: g{service}\n    rules:\n");
        for m in 0..12 {
            rules += &format!(
                "      - {{record: 'job:s{service}_m{m}:rate5m', expr: 'rate(s{service}_m{m}_total[5m])'}}\n"
            );
            rules += &format!("      - {{alert: A{service}x{m}, expr: 'job:s{service}_m{m}:rate5m > 1'}}\n");
        }
        rules += &format!("      - {{alert: Bad{service}, expr: 's{service}_m7_totl > 1'}}\n");
    }
    let config = format!("rule_files: [monitoring/rules/*.yml]\n{jobs}");
    let planted = planted
        .with("monitoring/prometheus.yml", &config.replace("[monitoring/", "["))
        .with("monitoring/rules/a.yml", &rules);
    let started = Instant::now();
    let graph = planted.graph(None);
    println!("{} nodes, {} edges built in {:?}", graph.nodes.len(), graph.edges.len(), started.elapsed());
    let started = Instant::now();
    let text = svg(&graph);
    println!("{} bytes drawn in {:?}", text.len(), started.elapsed());
    assert!(started.elapsed() < DRAWN_IN, "drawn in {:?}", started.elapsed());
    let started = Instant::now();
    let pruned = crate::questions::prune(&graph, None);
    println!("{} unread found in {:?}", pruned.unread.len(), started.elapsed());
    assert_eq!(
        (pruned.unread.len(), pruned.dead_alerts.len()),
        (20 * 38 + 6, 20),
        "of the generated services, and the six of the planted ones"
    );
    for (_, part) in mermaid_parts(&graph) {
        assert!(part.len() < 50_000, "{} bytes", part.len());
    }
    let view = View::of(&graph, &ViewOptions::default());
    let measured = measure(&view, &crate::layout::tests::check(&view));
    assert_eq!(measured, Measure::default(), "nothing crosses, overlaps or is cut");
    crate::layout::tests::check(&View::of(
        &graph,
        &ViewOptions { nodes_max: 5_000, edges_max: 20_000, lane_max: 5_000, sinks: true },
    ));
    let bad = graph.nodes.iter().filter(|node| node.name.starts_with("Bad")).map(|node| node.id.clone());
    for id in bad {
        let edge = graph.edges.iter().find(|edge| edge.to == id).expect("it reads something");
        let right = id.replace("alert:Bad", "s") + "_m7_total";
        assert_eq!((edge.state, edge.nearest.as_ref()), (State::NeverSeen, Some(&right)));
    }
}

#[test]
fn a_page_is_whole_and_reaches_for_nothing() {
    let page = super::html(&Planted::new(&["alert: A, expr: 'http_request_total > 1'"]).graph(None));
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("data-id=\"alert:A\""), "{page}");
    for reach in ["src=", "@import", "<link", "fetch("] {
        assert!(!page.contains(reach), "{reach}");
    }
}

#[test]
fn a_terminal_shows_lanes_sources_and_what_is_broken() {
    let graph =
        Planted::new(&["alert: A, expr: 'http_request_total > 1'", "alert: B, expr: 'queue_size > 1'"])
            .graph(None);
    let text = super::text(&graph);
    for part in [
        "── alerting ─",
        "┤╳╌ http_request_total  [1]",
        "◀── backend",
        "broken:\n  1. A: `http_request_total` is defined nowhere",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 110 || line.starts_with("  1. ")), "{text}");
}

#[cfg(feature = "png")]
#[test]
fn a_picture_of_pixels_has_light_and_dark() {
    let graph = Planted::new(&["alert: A, expr: 'queue_size > 1'"]).graph(None);
    let (light, dark) = (super::png(&graph, false).expect("drawn"), super::png(&graph, true).expect("drawn"));
    assert!(light.starts_with(b"\x89PNG") && light != dark);
    assert_eq!(light, super::png(&graph, false).expect("drawn"));
}
