use super::limits::suggested;
use super::*;

/// A server with series in its memory, which knows the few queries that are asked.
struct Fake(Vec<(&'static str, u64, &'static str)>, Option<&'static str>);

impl CountSource for Fake {
    fn query(&self, expr: &str) -> Result<Vec<Count>, String> {
        let of = |label: &str, name: &str, value: u64| Count {
            labels: BTreeMap::from([(label.to_owned(), name.to_owned())]),
            value: value as f64,
        };
        Ok(match expr {
            r#"count by (__name__) ({__name__=~".+"})"# => {
                self.0.iter().map(|(name, series, _)| of("__name__", name, *series)).collect()
            }
            r#"count by (job) ({__name__=~".+"})"# => vec![of("job", "backend", 1_010)],
            "max by (job) (scrape_samples_post_metric_relabeling offset 1h)" => {
                vec![of("job", "backend", 1_000)]
            }
            "sum by (job, metric) (promflow_series_overflowed_total) > 0" => vec![Count {
                labels: [("job", "backend"), ("metric", "orders_total")]
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                value: 900.0,
            }],
            r#"max(count by (instance) ({__name__="orders_total",job="backend"}))"# => {
                vec![of("x", "x", 1_000)]
            }
            "max by (job) (scrape_samples_post_metric_relabeling)" => vec![of("job", "backend", 1_010)],
            r#"count(count by (user_id) ({__name__="orders_total"}))"# => vec![of("x", "x", 980)],
            r#"topk(3, count by (user_id) ({__name__="orders_total"}))"# => {
                vec![of("user_id", "b", 1), of("user_id", "a", 1)]
            }
            _ => Vec::new(),
        })
    }

    fn label_names(&self, selector: &str) -> Result<Vec<String>, String> {
        let own = self.0.iter().find(|(name, ..)| selector.contains(name));
        Ok(own.map(|(_, _, label)| (*label).to_owned()).into_iter().collect())
    }

    fn limits(&self) -> Result<Option<BTreeMap<String, JobLimits>>, String> {
        self.1.map(limits_in).transpose()
    }
}

#[test]
fn labels_that_blow_up_are_named_with_a_limit_that_has_room() {
    let fake = Fake(vec![("up", 10, "instance"), ("orders_total", 1_000, "user_id")], None);
    let answer = cardinality(&fake, 1, 5).expect("the fake answers");
    assert_eq!(answer.series, 1_010);
    assert_eq!(answer.series_hour_ago, None);
    assert_eq!(answer.metrics[0].name, "orders_total");
    assert_eq!(answer.blowups.len(), 1);
    assert!(answer.blowups[0].reason.contains("nearly every series"), "{:?}", answer.blowups);
    assert_eq!(answer.labels[0].examples, ["a", "b"]);
    assert_eq!(answer.limits[0].sample_limit, Some(2_500));
    assert_eq!(answer.limits[0].label_limit, None, "what is set is not known");
    assert!(answer.limits_unknown.is_some());
    let text = answer.text();
    assert!(text.contains("user_id of orders_total") && text.contains("sample_limit: 2500"), "{text}");
}

#[test]
fn suggested_limits_are_round_and_at_least_twice_as_large() {
    for (samples, limit) in [(0, 100), (10, 100), (700, 1_500), (2_026, 4_500), (60_000, 150_000)] {
        assert_eq!(suggested(samples, None), limit, "{samples}");
        assert_eq!(suggested(samples, Some(samples + 1)), limit, "what shrinks needs no more room");
        assert!(limit >= samples * 2);
    }
    assert_eq!(suggested(1_000, Some(900)), 3_500, "a day of growth");
}

#[test]
fn limits_that_are_set_stand_beside_those_suggested() {
    let answer = |yaml: &'static str| {
        let fake = Fake(vec![("orders_total", 1_010, "user_id")], Some(yaml));
        cardinality(&fake, 1, 5).expect("the fake answers")
    };
    let wide = answer(
        "global: {label_limit: 40}\nscrape_configs:\n  - {job_name: backend, sample_limit: 5000, label_value_length_limit: 200}\n",
    );
    let job = &wide.jobs[0];
    assert_eq!((job.sample_limit, job.sample_limit_suggested), (Some(5_000), Some(2_500)));
    let limits = job.limits.as_ref().expect("they are configured");
    assert_eq!((limits.label_limit, limits.label_value_length_limit), (Some(40), Some(200)));
    assert_eq!((limits.target_limit, wide.limits.len(), wide.limits_unknown), (None, 0, None));
    let narrow = answer("scrape_configs:\n  - {job_name: backend, sample_limit: 1200}\n");
    let [limit] = &*narrow.limits else { panic!("{:?}", narrow.limits) };
    assert_eq!(
        (limit.sample_limit, limit.sample_limit_set, limit.label_limit),
        (Some(2_500), Some(1_200), Some(30))
    );
    assert_eq!(limit.yaml, "  - job_name: backend\n    sample_limit: 2500\n    label_limit: 30\n");
    assert!(
        limit.reason.contains("1010 samples, 10 more than an hour ago; the limit is 1200"),
        "{}",
        limit.reason
    );
    let foreign = answer("remote_read: [{url: 'http://x'}]\n");
    assert!(foreign.limits_unknown.is_some_and(|why| why.contains("not read")));
}

#[test]
fn series_that_a_library_refused_are_named_with_its_limit() {
    let answer =
        cardinality(&Fake(vec![("orders_total", 1_010, "user_id")], None), 1, 5).expect("the fake answers");
    let overflow = &answer.overflows[0];
    assert_eq!(
        (overflow.metric.as_str(), overflow.refused, overflow.series_limit),
        ("orders_total", 900, Some(1_000))
    );
    assert!(
        answer.text().contains("orders_total of job backend: 900 lookups beyond 1000 series"),
        "{}",
        answer.text()
    );
}
