//! The libraries that are compared, each used as its own documentation says.

use std::hint::black_box;

use crate::workload::{BOUNDS, SERIES, Workload};

/// Does something so many times.
pub(crate) type Work = Box<dyn Fn(u64) + Send + Sync>;

/// A library, and how it does the work.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Adds one to a counter that is at hand.
    pub(crate) inc: Work,
    /// Finds a counter by two labels and adds one.
    pub(crate) lookup: Work,
    /// Observes a value in a histogram that is at hand.
    pub(crate) observe: Work,
    /// Writes a page of many series; returns its bytes.
    pub(crate) encode: Box<dyn Fn() -> usize + Send + Sync>,
}

pub(crate) fn promflow(work: &'static Workload) -> Peer {
    use promflow_registry::{Format, Registry};
    let registry = Registry::new();
    let inc = registry.counter("inc_total", "Increments.", &[]).with(&[]).clone();
    let family = registry.counter("lookup_total", "Lookups.", &["method", "path"]);
    let histogram = registry.histogram("observe_seconds", "Observations.", &[], &BOUNDS).with(&[]).clone();
    let page = Registry::new();
    let requests = page.counter("http_requests_total", "Requests.", &["method", "path"]);
    requests.limit_series(SERIES);
    for i in 0..SERIES {
        requests.with(&["GET", &Workload::path(i)]).inc_by(i as u64);
    }
    Peer {
        name: "promflow",
        inc: Box::new(move |n| (0..n).for_each(|_| black_box(&inc).inc())),
        lookup: Box::new(move |n| {
            for i in 0..n {
                let (method, path) = black_box(work.pair(i));
                family.with(&[method, path]).inc();
            }
        }),
        observe: Box::new(move |n| (0..n).for_each(|i| black_box(&histogram).observe(work.value(i)))),
        encode: Box::new(move || black_box(page.encode(Format::Text)).len()),
    }
}

pub(crate) fn prometheus(work: &'static Workload) -> Peer {
    use prometheus::{
        Encoder, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder,
    };
    let inc = IntCounter::new("inc_total", "Increments.").unwrap();
    let family = IntCounterVec::new(Opts::new("lookup_total", "Lookups."), &["method", "path"]).unwrap();
    let options = HistogramOpts::new("observe_seconds", "Observations.").buckets(BOUNDS.to_vec());
    let histogram = Histogram::with_opts(options).unwrap();
    let requests =
        IntCounterVec::new(Opts::new("http_requests_total", "Requests."), &["method", "path"]).unwrap();
    let page = Registry::new();
    page.register(Box::new(requests.clone())).unwrap();
    for i in 0..SERIES {
        requests.with_label_values(&["GET", &Workload::path(i)]).inc_by(i as u64);
    }
    Peer {
        name: "prometheus",
        inc: Box::new(move |n| (0..n).for_each(|_| black_box(&inc).inc())),
        lookup: Box::new(move |n| {
            for i in 0..n {
                let (method, path) = black_box(work.pair(i));
                family.with_label_values(&[method, path]).inc();
            }
        }),
        observe: Box::new(move |n| (0..n).for_each(|i| black_box(&histogram).observe(work.value(i)))),
        encode: Box::new(move || {
            let mut out = Vec::new();
            TextEncoder::new().encode(&page.gather(), &mut out).unwrap();
            black_box(out).len()
        }),
    }
}

pub(crate) fn prometheus_client(work: &'static Workload) -> Peer {
    use prometheus_client::encoding::{EncodeLabelSet, text};
    use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
    use prometheus_client::registry::Registry;
    #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
    struct Static {
        method: &'static str,
        path: &'static str,
    }
    #[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
    struct Owned {
        method: &'static str,
        path: String,
    }
    let inc: Counter = Counter::default();
    let family = Family::<Static, Counter>::default();
    let histogram = Histogram::new(BOUNDS);
    let requests = Family::<Owned, Counter>::default();
    let mut page = Registry::default();
    page.register("http_requests", "Requests.", requests.clone());
    for i in 0..SERIES {
        requests.get_or_create(&Owned { method: "GET", path: Workload::path(i) }).inc_by(i as u64);
    }
    Peer {
        name: "prometheus-client",
        inc: Box::new(move |n| {
            for _ in 0..n {
                black_box(&inc).inc();
            }
        }),
        lookup: Box::new(move |n| {
            for i in 0..n {
                let (method, path) = black_box(work.pair(i));
                family.get_or_create(&Static { method, path }).inc();
            }
        }),
        observe: Box::new(move |n| (0..n).for_each(|i| black_box(&histogram).observe(work.value(i)))),
        encode: Box::new(move || {
            let mut out = String::new();
            text::encode(&mut out, &page).unwrap();
            black_box(out).len()
        }),
    }
}

/// The recorder of the process is set before: `metrics` has no other way to be used from several threads.
pub(crate) fn metrics(
    work: &'static Workload,
    handle: metrics_exporter_prometheus::PrometheusHandle,
) -> Peer {
    let inc = metrics::counter!("inc_total");
    let histogram = metrics::histogram!("observe_seconds");
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for i in 0..SERIES {
            metrics::counter!("http_requests_total", "method" => "GET", "path" => Workload::path(i))
                .increment(i as u64);
        }
    });
    let page = recorder.handle();
    Peer {
        name: "metrics",
        inc: Box::new(move |n| (0..n).for_each(|_| black_box(&inc).increment(1))),
        lookup: Box::new(move |n| {
            for i in 0..n {
                let (method, path) = black_box(work.pair(i));
                metrics::counter!("lookup_total", "method" => method, "path" => path).increment(1);
            }
        }),
        observe: Box::new(move |n| {
            (0..n).for_each(|i| black_box(&histogram).record(work.value(i)));
            // Samples are put into buckets by whoever does the upkeep.
            handle.run_upkeep();
        }),
        encode: Box::new(move || {
            // The recorder goes when nobody has it.
            let _ = &recorder;
            black_box(page.render()).len()
        }),
    }
}

pub(crate) fn measured(work: &'static Workload) -> Peer {
    use measured::metric::histogram::Thresholds;
    use measured::text::BufferedTextEncoder;
    use measured::{Counter, CounterVec, Histogram, LabelGroup, MetricGroup};
    use paracord::ParaCord;
    #[derive(Clone, Copy, LabelGroup)]
    #[label(set = PairSet)]
    struct Pair<'a> {
        #[label(dynamic_with = ParaCord)]
        method: &'a str,
        #[label(dynamic_with = ParaCord)]
        path: &'a str,
    }
    #[derive(MetricGroup)]
    struct Page {
        /// Requests.
        http_requests_total: CounterVec<PairSet>,
    }
    let new_family =
        || CounterVec::with_label_set(PairSet { method: ParaCord::default(), path: ParaCord::default() });
    let inc = Counter::new();
    let family = new_family();
    let histogram = Histogram::with_metadata(Thresholds::with_buckets(BOUNDS));
    let page = Page { http_requests_total: new_family() };
    for i in 0..SERIES {
        page.http_requests_total.inc_by(Pair { method: "GET", path: &Workload::path(i) }, i as u64);
    }
    Peer {
        name: "measured",
        inc: Box::new(move |n| (0..n).for_each(|_| black_box(&inc).inc())),
        lookup: Box::new(move |n| {
            for i in 0..n {
                let (method, path) = black_box(work.pair(i));
                family.inc(Pair { method, path });
            }
        }),
        observe: Box::new(move |n| (0..n).for_each(|i| black_box(&histogram).observe(work.value(i)))),
        encode: Box::new(move || {
            let mut encoder = BufferedTextEncoder::new();
            page.collect_group_into(&mut encoder).unwrap();
            black_box(encoder.finish()).len()
        }),
    }
}

pub(crate) fn fastmetrics(work: &'static Workload) -> Peer {
    use fastmetrics::encoder::{EncodeLabelSet, LabelSetEncoder};
    use fastmetrics::format::text::{TextProfile, encode};
    use fastmetrics::metrics::{counter::Counter, family::Family, histogram::Histogram};
    use fastmetrics::raw::LabelSetSchema;
    use fastmetrics::registry::Registry;
    #[derive(Clone, Eq, PartialEq, Hash)]
    struct Pair<P> {
        method: &'static str,
        path: P,
    }
    impl<P> LabelSetSchema for Pair<P> {
        fn names() -> Option<&'static [&'static str]> {
            Some(&["method", "path"])
        }
    }
    impl<P: AsRef<str>> EncodeLabelSet for Pair<P> {
        fn encode(&self, encoder: &mut dyn LabelSetEncoder) -> fastmetrics::error::Result<()> {
            encoder.encode(&("method", self.method))?;
            encoder.encode(&("path", self.path.as_ref()))
        }
    }
    let inc = Counter::<u64>::default();
    let family = Family::<Pair<&'static str>, Counter>::default();
    let histogram = Histogram::new(BOUNDS);
    let requests = Family::<Pair<String>, Counter>::default();
    let mut page = Registry::default();
    page.register("http_requests", "Requests", requests.clone()).unwrap();
    for i in 0..SERIES {
        let pair = Pair { method: "GET", path: Workload::path(i) };
        requests.with_or_new(&pair, |counter| counter.inc_by(i as u64));
    }
    Peer {
        name: "fastmetrics",
        inc: Box::new(move |n| (0..n).for_each(|_| black_box(&inc).inc())),
        lookup: Box::new(move |n| {
            for i in 0..n {
                let (method, path) = black_box(work.pair(i));
                family.with_or_new(&Pair { method, path }, |counter| counter.inc());
            }
        }),
        observe: Box::new(move |n| (0..n).for_each(|i| black_box(&histogram).observe(work.value(i)))),
        encode: Box::new(move || {
            let mut out = String::new();
            encode(&mut out, &page, TextProfile::PrometheusV0_0_4).unwrap();
            black_box(out).len()
        }),
    }
}
