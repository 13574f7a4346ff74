//! Samples of one label set stand together, in the order of time.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::super::number::Time;
use super::Kind;
use super::line::Sample;

/// Where a sample stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first of a label set, or of a time.
    NewPoint,
    /// Another of the last one's.
    SamePoint,
    /// One that was seen before: nanoseconds are all that is kept of a time.
    Duplicate,
}

/// No part of UTF-8.
const END: u8 = 0xff;

/// The label sets of a family so far.
#[derive(Default)]
pub(super) struct Groups {
    /// The last label set, without what tells apart the samples of a point; none before the first sample.
    last: Option<Vec<u8>>,
    last_time: Option<Time>,
    /// The samples of the last label set.
    series: HashSet<Vec<u8>, RandomState>,
    seen: HashSet<Vec<u8>, RandomState>,
    key: Vec<u8>,
}

impl Groups {
    pub(super) fn place(
        &mut self,
        kind: Kind,
        family: &str,
        suffix: &str,
        sample: &Sample<'_>,
    ) -> Result<Place, &'static str> {
        let own = match (kind, suffix) {
            (Kind::Summary, "") => Some("quantile"),
            (Kind::StateSet, _) => Some(family),
            (Kind::Histogram | Kind::GaugeHistogram, "_bucket") => Some("le"),
            _ => None,
        };
        self.key.clear();
        // Facts are labels themselves, so all of a family's are one group.
        if kind != Kind::Info {
            push_labels(&mut self.key, sample, own);
        }
        let in_group = self.last.as_ref() == Some(&self.key);
        let place =
            if in_group && self.last_time == sample.time { Place::SamePoint } else { Place::NewPoint };
        if in_group {
            match (self.last_time, sample.time) {
                (None, None) => {}
                (Some(last), Some(time)) if kind == Kind::Info || last <= time => {}
                (Some(_), Some(_)) => return Err("Timestamps went backwards within a group"),
                _ => return Err("Mix of timestamp presence within a group"),
            }
        } else {
            if !self.seen.insert(self.key.clone()) {
                return Err("Invalid metric grouping");
            }
            self.series.clear();
            self.last = Some(self.key.clone());
        }
        let series = series_key(kind, suffix, own, sample);
        let known = !self.series.insert(series);
        self.last_time = sample.time;
        Ok(if known && place == Place::SamePoint { Place::Duplicate } else { place })
    }
}

fn push(key: &mut Vec<u8>, text: &str) {
    key.extend_from_slice(text.as_bytes());
    key.push(END);
}

/// Writes the labels in the order of their names, but for one.
fn push_labels(key: &mut Vec<u8>, sample: &Sample<'_>, without: Option<&str>) {
    let mut write = |name: &str, value: &str| {
        if Some(name) != without {
            push(key, name);
            push(key, value);
        }
    };
    if sample.labels.is_sorted_by(|a, b| a.0 <= b.0) {
        for (name, value) in &sample.labels {
            write(name, value);
        }
    } else {
        let mut sorted: Vec<_> = sample.labels.iter().collect();
        sorted.sort_unstable();
        for (name, value) in sorted {
            write(name, value);
        }
    }
}

/// What tells a sample apart from others of its group.
fn series_key(kind: Kind, suffix: &str, own: Option<&str>, sample: &Sample<'_>) -> Vec<u8> {
    let mut key = Vec::new();
    push(&mut key, suffix);
    if kind == Kind::Info {
        push_labels(&mut key, sample, None);
    } else if let Some(value) = own.and_then(|own| sample.label(own)) {
        push(&mut key, value);
    }
    key
}
