//! Measures how fast pages are parsed: `cargo run --release -p promflow-exposition --example parse_speed [FILE...]`.
//!
//! Without files it takes Prometheus's own benchmark pages. A file that ends in `.om.txt` is OpenMetrics, one in `.pb` is
//! protobuf, any other text.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use promflow_exposition::{Entry, Format, LabelText, Mode, Number, PageEntry, Parser, Reader, Writer};
use promflow_model::{LabelsBuilder, MetricType};
use promflow_testkit::conformance_root;

const ROUNDS: usize = 400;

fn main() {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let folder = conformance_root().join("exposition");
    let files = if files.is_empty() {
        [
            "alltypes.237mfs.prom.txt",
            "alltypes.237mfs.nometa.prom.txt",
            "pulsar/normal-1.txt",
            "pulsar/normal-1.otel.txt",
        ]
        .map(|name| folder.join(name))
        .to_vec()
    } else {
        files
    };
    println!("{:<44}{:>10}{:>14}{:>14}{:>14}", "page", "samples", "MB/s parse", "MB/s labels", "MB/s strict");
    for file in files {
        let body = std::fs::read(&file).unwrap_or_else(|e| panic!("cannot read {}: {e}", file.display()));
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let format = match name.as_str() {
            n if n.ends_with(".om.txt") || n.ends_with(".otel.txt") => Format::OpenMetrics,
            n if n.ends_with(".pb") => Format::Protobuf,
            _ => Format::Text,
        };
        report(&name, &body, format);
        if format == Format::Text {
            report(&format!("{name} as protobuf"), &as_protobuf(&body), Format::Protobuf);
        }
    }
}

fn report(name: &str, body: &[u8], format: Format) {
    let samples = parse(body, format, Mode::Prometheus);
    let parse_only = speed(body, || parse(body, format, Mode::Prometheus));
    let labels = speed(body, || parse_labels(body, format));
    let strict = if parse(body, format, Mode::Strict) == samples {
        format!("{:.0}", speed(body, || parse(body, format, Mode::Strict)))
    } else {
        "refused".to_owned()
    };
    println!("{name:<44}{samples:>10}{parse_only:>14.0}{labels:>14.0}{strict:>14}");
}

/// Returns the best speed of many rounds: what else runs on the machine only makes a round slower.
///
/// Units: megabytes per second.
fn speed(body: &[u8], mut parse: impl FnMut() -> usize) -> f64 {
    let fastest = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        black_box(parse());
        start.elapsed()
    });
    body.len() as f64 / 1e6 / fastest.min().unwrap_or(Duration::MAX).as_secs_f64()
}

/// Counts the samples as a scraper meets them: series bytes and value.
fn parse(body: &[u8], format: Format, mode: Mode) -> usize {
    let mut samples = 0;
    let mut reader = Reader::new(body, format, mode);
    while let Some(Ok(entry)) = reader.next() {
        if let PageEntry::Entry(Entry::Sample(sample)) = entry {
            black_box((sample.series(), sample.value));
            samples += 1;
        }
    }
    samples
}

/// Counts the samples and builds each label set, as a scraper does for series that it meets first.
fn parse_labels(body: &[u8], format: Format) -> usize {
    let mut samples = 0;
    let mut builder = LabelsBuilder::default();
    let mut reader = Reader::new(body, format, Mode::Prometheus);
    while let Some(Ok(entry)) = reader.next() {
        if let PageEntry::Entry(Entry::Sample(sample)) = entry {
            builder = LabelsBuilder::default();
            sample.labels_into(&mut builder);
            samples += 1;
        }
    }
    black_box(builder);
    samples
}

/// Writes the samples of a text page as gauges in protobuf, families of equal names together.
fn as_protobuf(body: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Format::Protobuf);
    let mut family = String::new();
    for entry in Parser::new(body, Format::Text, Mode::Prometheus) {
        if let Ok(Entry::Sample(sample)) = entry {
            let name = sample.metric_name();
            if family != name {
                family = name.into_owned();
                writer.family(&family, MetricType::Counter, "", "");
            }
            let labels: Vec<_> = sample.iter().filter(|(name, _)| name != "__name__").collect();
            let labels = LabelText::new(labels.iter().map(|(n, v)| (n.as_ref(), v.as_ref())));
            writer.counter(&labels, Number::Float(sample.value), None, None);
        }
    }
    writer.finish()
}
