//! Metrics that are read when a page is written, rather than counted.

use promflow_exposition::{LabelText, Number, Writer};
use promflow_model::MetricType;

use crate::desc::Desc;

/// Something that writes metrics of its own on a page.
pub trait Collector: std::any::Any + Send + Sync {
    /// Lists the names of all samples that it may write; no other metric of the registry may have them.
    fn sample_names(&self) -> Vec<String>;

    /// Writes its families, each with [`Writer::family`] and its samples. It runs while a page is written, and may
    /// neither register nor write another page.
    fn collect(&self, writer: &mut Writer);
}

/// A function that reads the values of a metric.
pub(crate) struct Callback<F> {
    pub(crate) desc: Desc,
    pub(crate) read: F,
}

impl<F: Fn(&mut dyn FnMut(&[&str], f64)) + Send + Sync + 'static> Collector for Callback<F> {
    fn sample_names(&self) -> Vec<String> {
        self.desc.sample_names()
    }

    fn collect(&self, writer: &mut Writer) {
        let desc = &self.desc;
        let mut samples = Vec::new();
        (self.read)(&mut |values, value| {
            // Values that do not fit the label names are no series.
            if values.len() == desc.labels.len() {
                let pairs = desc.labels.iter().map(String::as_str).zip(values.iter().copied());
                samples.push((LabelText::new(pairs), value));
            }
        });
        if samples.is_empty() {
            return;
        }
        samples.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        samples.dedup_by(|a, b| a.0 == b.0);
        writer.family(&desc.name, desc.kind, &desc.unit, &desc.help);
        for (labels, value) in samples {
            match desc.kind {
                MetricType::Counter => writer.counter(&labels, Number::Float(value), None, None),
                _ => writer.gauge(&labels, value),
            }
        }
    }
}
