use promflow_config::Config;

use super::*;

/// Reads a job with its static targets, and turns them into targets.
fn targets(job: &str) -> JobTargets {
    let yaml = format!("scrape_configs:\n- job_name: j\n{job}");
    let config = Config::parse("prometheus.yml", &yaml, &|_| None).unwrap_or_else(|e| panic!("{}", e[0]));
    let job = &config.scrape_configs[0];
    targets_of(job, &job.static_configs)
}

fn one(job: &str) -> Target {
    let all = targets(job);
    assert_eq!(all.failures, [""; 0]);
    assert_eq!(all.active.len(), 1);
    all.active[0].clone()
}

#[test]
fn target_gets_the_settings_of_its_job() {
    let target = one("  static_configs: [{targets: ['h:9100'], labels: {env: prod}}]");
    assert_eq!(target.labels.to_string(), r#"{env="prod", instance="h:9100", job="j"}"#);
    assert_eq!(target.url, "http://h:9100/metrics");
    assert_eq!((target.scrape_interval_ms, target.scrape_timeout_ms), (60_000, 10_000));
    assert_eq!(
        target.discovered_labels.to_string(),
        r#"{__address__="h:9100", __metrics_path__="/metrics", __scheme__="http", __scrape_interval__="1m", __scrape_timeout__="10s", env="prod", job="j"}"#
    );
}

#[test]
fn address_without_a_port_stays_as_it_is() {
    let target = one("  scheme: https\n  static_configs: [{targets: [h.example]}]");
    assert_eq!(target.url, "https://h.example/metrics");
    assert_eq!(target.labels.get("instance"), "h.example");
}

#[test]
fn relabelling_decides_url_interval_and_labels() {
    let target = one(r#"
  params: {module: [http_2xx, more], b: ["x y&z"]}
  static_configs: [{targets: ['probe.example/path'], labels: {__meta_zone: eu}}]
  relabel_configs:
  - {source_labels: [__address__], target_label: __param_target}
  - {source_labels: [__param_target], target_label: instance}
  - {target_label: __address__, replacement: 'exporter:9115'}
  - {target_label: __metrics_path__, replacement: '/probe it'}
  - {target_label: __scrape_interval__, replacement: 30s}
  - {source_labels: [__meta_zone], target_label: zone}
  - {target_label: __param_module, replacement: other}
"#);
    assert_eq!(
        target.url,
        "http://exporter:9115/probe%20it?b=x+y%26z&module=other&module=more&target=probe.example%2Fpath"
    );
    assert_eq!(target.labels.to_string(), r#"{instance="probe.example/path", job="j", zone="eu"}"#);
    assert_eq!(target.scrape_interval_ms, 30_000);
    assert_eq!(target.discovered_labels.get("__meta_zone"), "eu");
}

#[test]
fn dropped_targets_are_kept_up_to_the_limit() {
    let all = targets(
        "  keep_dropped_targets: 1
  static_configs: [{targets: [a, b, c, a]}]
  relabel_configs: [{source_labels: [__address__], regex: '[bc]', action: drop}]",
    );
    assert_eq!(all.active.len(), 1, "equal targets are one");
    assert_eq!((all.dropped_count, all.dropped.len()), (2, 1));
    assert_eq!(all.dropped[0].get("__address__"), "b");
}

#[test]
fn target_that_cannot_be_made_is_a_failure_with_its_place() {
    for (relabelled, replacement, why) in [
        ("__address__", "", "no address"),
        ("__address__", "a/b", r#""a/b" is not a valid hostname"#),
        ("__scrape_interval__", "x", r#"error parsing scrape interval: not a valid duration string: "x""#),
        ("__scrape_timeout__", "0", "scrape timeout cannot be 0"),
        (
            "__scrape_interval__",
            "5s",
            r#"scrape timeout cannot be greater than scrape interval ("10s" > "5s")"#,
        ),
    ] {
        let all = targets(&format!(
            "  static_configs: [{{targets: [h]}}]
  relabel_configs: [{{target_label: {relabelled}, replacement: '{replacement}'}}]"
        ));
        assert_eq!(all.failures, [format!("instance 0 in group 0: {why}")]);
        assert!(all.active.is_empty());
    }
}

#[test]
fn hash_tells_targets_apart_and_is_the_same_in_every_run() {
    let job = "  static_configs: [{targets: [h]}]";
    assert_eq!(one(job).hash, one(job).hash);
    assert_ne!(one(job).hash, one("  static_configs: [{targets: [g]}]").hash);
    assert_ne!(one(job).hash, one("  metrics_path: /other\n  static_configs: [{targets: [h]}]").hash);
}
