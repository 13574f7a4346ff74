//! The samples of a series, in prometheus_client's order.

use crate::desc::Kind;
use crate::family::Family;
use crate::series::{Series, load};
use crate::text_cell::Text;
use crate::types::{FACTS, HISTOGRAM_BUCKETS, HISTOGRAM_SUM, SUMMARY_COUNT, SUMMARY_SUM, VALUE};

/// What is put behind a family's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suffix {
    Nothing,
    Total,
    Created,
    Count,
    Sum,
    Bucket,
    Info,
}

impl Suffix {
    pub(crate) const ALL: [Self; 7] =
        [Self::Nothing, Self::Total, Self::Created, Self::Count, Self::Sum, Self::Bucket, Self::Info];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Total => "_total",
            Self::Created => "_created",
            Self::Count => "_count",
            Self::Sum => "_sum",
            Self::Bucket => "_bucket",
            Self::Info => "_info",
        }
    }
}

/// Which label a sample has besides those of the series.
#[derive(Debug)]
pub(crate) enum Extra {
    Nothing,
    /// The upper bound of the bucket of this number.
    Bucket(usize),
    /// The state of this number.
    State(usize),
    Pid(u32),
    /// Names and values.
    Facts(Text),
}

/// Which samples are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// Whether to say since when a series has been there.
    pub(crate) created: bool,
    /// Whether the order is that of prometheus_client's collector of several processes.
    pub(crate) multiprocess: bool,
}

type Emit<'a> = &'a mut dyn FnMut(Suffix, Extra, f64, Option<Text>);

/// Calls a function with each sample.
pub(crate) fn each(family: &Family, series: &Series, choice: Choice, emit: Emit<'_>) {
    let desc = &family.desc;
    let exemplar = |word: usize| series.text(word as u32);
    let value = |word: usize| match desc.by_process {
        false => Some(load(series.cells.word(word))),
        true => series.slots.combined(desc, word),
    };
    match desc.kind {
        Kind::Counter => {
            if let Some(v) = value(VALUE) {
                emit(Suffix::Total, Extra::Nothing, v, exemplar(VALUE));
            }
        }
        Kind::Gauge => gauge(family, series, emit),
        Kind::Value => {
            if let Some(v) = value(VALUE) {
                emit(Suffix::Nothing, Extra::Nothing, v, None);
            }
        }
        Kind::Summary => {
            for (suffix, word) in [(Suffix::Count, SUMMARY_COUNT), (Suffix::Sum, SUMMARY_SUM)] {
                if let Some(v) = value(word) {
                    emit(suffix, Extra::Nothing, v, None);
                }
            }
        }
        Kind::Histogram => histogram(family, series, choice, &value, emit),
        Kind::Info => {
            let facts = series.text(FACTS).map_or(Extra::Nothing, Extra::Facts);
            emit(Suffix::Info, facts, 1.0, None);
        }
        Kind::Enum => {
            let on = load(series.cells.word(VALUE)) as usize;
            for i in 0..desc.states.len() {
                emit(Suffix::Nothing, Extra::State(i), f64::from(u8::from(i == on)), None);
            }
        }
        Kind::Python => {}
    }
    if choice.created && matches!(desc.kind, Kind::Counter | Kind::Summary | Kind::Histogram) {
        emit(Suffix::Created, Extra::Nothing, series.created(), None);
    }
}

fn gauge(family: &Family, series: &Series, emit: Emit<'_>) {
    let desc = &family.desc;
    if !desc.by_process {
        return emit(Suffix::Nothing, Extra::Nothing, load(series.cells.word(VALUE)), None);
    }
    if !desc.mode.is_by_process() || !(desc.always_pid || series.slots.taken(desc) > 1) {
        if let Some(v) = series.slots.combined(desc, VALUE) {
            emit(Suffix::Nothing, Extra::Nothing, v, None);
        }
        return;
    }
    let mut seen = series.slots.counted(desc);
    seen.sort_by_key(|seen| seen.owner.pid());
    // An id that was used again has one series: the last process's.
    seen.dedup_by(|later, kept| {
        let same = later.owner.pid() == kept.owner.pid();
        if same && later.t_seconds > kept.t_seconds {
            std::mem::swap(later, kept);
        }
        same
    });
    for seen in seen {
        emit(Suffix::Nothing, Extra::Pid(seen.owner.pid()), seen.values[VALUE - 1], None);
    }
}

fn histogram(
    family: &Family,
    series: &Series,
    choice: Choice,
    value: &dyn Fn(usize) -> Option<f64>,
    emit: Emit<'_>,
) {
    let bounds = &family.desc.bounds;
    let has_texts = series.has_texts();
    if choice.multiprocess
        && let Some(sum) = value(HISTOGRAM_SUM)
    {
        emit(Suffix::Sum, Extra::Nothing, sum, None);
    }
    let mut total = 0.0;
    for i in 0..bounds.len() {
        let word = HISTOGRAM_BUCKETS + i;
        total += value(word).unwrap_or(0.0);
        let exemplar = if has_texts { series.text(word as u32) } else { None };
        emit(Suffix::Bucket, Extra::Bucket(i), total, exemplar);
    }
    emit(Suffix::Count, Extra::Nothing, total, None);
    // Where observations may be negative, the sum may go down, which no counter does.
    if !choice.multiprocess
        && bounds.first().is_some_and(|bound| *bound >= 0.0)
        && let Some(sum) = value(HISTOGRAM_SUM)
    {
        emit(Suffix::Sum, Extra::Nothing, sum, None);
    }
}
