//! Records of a shared arena.
//!
//! ```text
//! word 0  kind << 32 | lines of the record    word 2  bytes of the payload << 32 | lines of the cells
//! word 1  line of the family << 32 | index    word 3  checksum of words 0..3 and the payload
//! word 4  the payload, and behind it, on a line of their own, the cells
//! ```

use std::sync::Arc;

use promflow_model::MetricType;

use crate::desc::{Desc, Shape};
use crate::gauge::GaugeMode;
use crate::memory::{Block, LINE_WORDS, Memory};
use crate::native::NativeShape;
use crate::payload::{push_text, push_texts, take, take_text, take_texts};
use crate::quantiles::QuantileShape;
use crate::ranked::{Keep, RankedShape};
use crate::series::BORN;
use crate::sync::Ordering;

const PAYLOAD_WORD: usize = 4;
/// Keeps a damaged length from being believed.
const PAYLOAD_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Family = 1,
    Series = 2,
    Extension = 3,
    Foreign = 4,
}

/// A record that is to be written.
pub(super) struct Draft<'a> {
    pub(super) kind: Kind,
    pub(super) family: u32,
    pub(super) index: u32,
    pub(super) payload: &'a [u8],
    pub(super) lines: usize,
}

/// A record that was read.
pub(crate) enum Record {
    /// A family, and the line at which it stands.
    Family { at: u32, desc: Desc },
    /// A family whose description is not a registry's, and the line at which it stands.
    Foreign { at: u32, description: Box<[u8]> },
    /// A series of the family at a line.
    Series { family: u32, packed: Box<[u8]>, block: Block },
    /// A further piece of a series' cells.
    Extension { family: u32, packed: Box<[u8]>, index: usize, block: Block },
}

impl Draft<'_> {
    fn head_lines(&self) -> usize {
        (PAYLOAD_WORD + self.payload.len().div_ceil(8)).div_ceil(LINE_WORDS)
    }

    pub(super) fn total_lines(&self) -> usize {
        self.head_lines() + self.lines
    }
}

/// Writes a record over whatever a killed writer left; nothing when it is too long or the memory too short.
pub(super) fn write(memory: &Arc<Memory>, at: u64, draft: &Draft<'_>, born: Option<u64>) -> Option<()> {
    if draft.payload.len() > PAYLOAD_BYTES_MAX {
        return None;
    }
    let block = Block::new(memory, at as usize, draft.total_lines())?;
    for i in 0..block.len() {
        block.word(i).store(0, Ordering::Relaxed);
    }
    let words = [
        (draft.kind as u64) << 32 | draft.total_lines() as u64,
        u64::from(draft.family) << 32 | u64::from(draft.index),
        (draft.payload.len() as u64) << 32 | draft.lines as u64,
    ];
    for (i, word) in words.into_iter().enumerate() {
        block.word(i).store(word, Ordering::Relaxed);
    }
    block.word(3).store(checksum(&words, draft.payload), Ordering::Relaxed);
    for (i, bytes) in draft.payload.chunks(8).enumerate() {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        block.word(PAYLOAD_WORD + i).store(u64::from_ne_bytes(word), Ordering::Relaxed);
    }
    if let Some(born) = born {
        block.word(draft.head_lines() * LINE_WORDS + BORN).store(born, Ordering::Relaxed);
    }
    Some(())
}

/// Reads the record at a line; nothing when it is damaged. Returns the line behind it, too.
pub(super) fn read(memory: &Arc<Memory>, at: u64, end: u64) -> Option<(Record, u64)> {
    let first = Block::new(memory, usize::try_from(at).ok()?, 1)?;
    let words: [u64; 3] = std::array::from_fn(|i| first.word(i).load(Ordering::Relaxed));
    let halves = |word: u64| ((word >> 32) as usize, word as u32 as usize);
    let ((kind, total), (family, index), (length, lines)) =
        (halves(words[0]), halves(words[1]), halves(words[2]));
    let head = (PAYLOAD_WORD + length.div_ceil(8)).div_ceil(LINE_WORDS);
    if length > PAYLOAD_BYTES_MAX || total != head + lines || at + total as u64 > end {
        return None;
    }
    let record = Block::new(memory, at as usize, total)?;
    let mut payload: Vec<u8> = (0..length.div_ceil(8))
        .flat_map(|i| record.word(PAYLOAD_WORD + i).load(Ordering::Relaxed).to_ne_bytes())
        .collect();
    payload.truncate(length);
    if record.word(3).load(Ordering::Relaxed) != checksum(&words, &payload) {
        return None;
    }
    let family = family as u32;
    let cells = record.part(head, lines);
    let record = match kind {
        k if k == Kind::Family as usize => Record::Family { at: at as u32, desc: decode_desc(&payload)? },
        k if k == Kind::Foreign as usize => Record::Foreign { at: at as u32, description: payload.into() },
        k if k == Kind::Series as usize => Record::Series { family, packed: payload.into(), block: cells? },
        k if k == Kind::Extension as usize => {
            Record::Extension { family, packed: payload.into(), index, block: cells? }
        }
        _ => return None,
    };
    Some((record, at + total as u64))
}

/// FNV-1a, in words and then in bytes.
pub(crate) fn checksum(words: &[u64], bytes: &[u8]) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let values = words.iter().copied().chain(bytes.iter().map(|b| u64::from(*b)));
    values.fold(BASIS, |sum, value| (sum ^ value).wrapping_mul(PRIME))
}

const KINDS: [MetricType; 6] = [
    MetricType::Counter,
    MetricType::Gauge,
    MetricType::Histogram,
    MetricType::Summary,
    MetricType::Info,
    MetricType::StateSet,
];

pub(super) fn encode_desc(desc: &Desc) -> Vec<u8> {
    let shape = &*desc.shape;
    let kind = KINDS.iter().position(|k| *k == desc.kind).unwrap_or(0);
    let mut out = vec![kind as u8, shape.mode.to_code(), u8::from(shape.native.is_some())];
    let native = shape.native.unwrap_or_default();
    out.push(native.schema.to_ne_bytes()[0]);
    out.extend(native.buckets_max.to_ne_bytes());
    out.extend(native.zero_threshold.to_bits().to_ne_bytes());
    for text in [&desc.name, &desc.help, &desc.unit] {
        push_text(&mut out, text);
    }
    push_texts(&mut out, desc.all_labels());
    push_texts(&mut out, &shape.states);
    let ranked = shape.ranked.as_ref().map(|ranked| (ranked.keep.to_code(), ranked.place as u32));
    let ((keep, shown), place) = ranked.unwrap_or(((0, 0), 0));
    [keep, shown, place].iter().for_each(|n| out.extend(n.to_ne_bytes()));
    let quantiles = shape.quantiles.clone().unwrap_or_default();
    out.extend(quantiles.max_age_ms.to_ne_bytes());
    out.extend((quantiles.quantiles.len() as u32).to_ne_bytes());
    quantiles.quantiles.iter().for_each(|quantile| out.extend(quantile.to_bits().to_ne_bytes()));
    shape.bounds.iter().for_each(|bound| out.extend(bound.to_bits().to_ne_bytes()));
    out
}

fn decode_desc(mut input: &[u8]) -> Option<Desc> {
    let input = &mut input;
    let [kind, mode, has_native, schema] = take(input)?;
    let buckets_max = u32::from_ne_bytes(take(input)?);
    let zero_threshold = f64::from_bits(u64::from_ne_bytes(take(input)?));
    let schema = i8::from_ne_bytes([schema]);
    let native = (has_native == 1).then_some(NativeShape { schema, buckets_max, zero_threshold });
    let (name, help, unit) = (take_text(input)?, take_text(input)?, take_text(input)?);
    let labels = take_texts(input)?;
    let states = take_texts(input)?;
    let [keep, shown, place] = [take_u32(input)?, take_u32(input)?, take_u32(input)?];
    let ranked = match keep {
        0 => None,
        _ => Some(RankedShape {
            keep: Keep::from_code(keep, shown)?,
            place: place as usize,
            names: Vec::new(),
        }),
    };
    let max_age_ms = u64::from_ne_bytes(take(input)?);
    let quantiles = (0..take_u32(input)?).map(|_| take_f64(input)).collect::<Option<Vec<_>>>()?;
    let quantiles =
        (!quantiles.is_empty()).then(|| QuantileShape { quantiles: quantiles.into(), max_age_ms });
    let mut bounds = Vec::new();
    while !input.is_empty() {
        bounds.push(take_f64(input)?);
    }
    let kind = *KINDS.get(usize::from(kind))?;
    let mode = GaugeMode::from_code(mode)?;
    let shape = Shape { bounds: bounds.into(), native, mode, states, quantiles, ranked };
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    // A file is input like any other: what no registration allows is not let in by this way.
    Desc::new(&name, &help, kind, &labels, shape).ok()?.with_unit(&unit).ok()
}

fn take_u32(input: &mut &[u8]) -> Option<u32> {
    take(input).map(u32::from_ne_bytes)
}

fn take_f64(input: &mut &[u8]) -> Option<f64> {
    take(input).map(|bytes| f64::from_bits(u64::from_ne_bytes(bytes)))
}
