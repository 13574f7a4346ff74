//! Label values, and what else is found by bytes.

/// Stands behind each text; no text holds this byte.
const SEPARATOR: u8 = 0xff;

/// What a record of a shared arena holds, and of which series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The series itself.
    Base,
    /// The values of one process.
    Slot(u32),
    /// A text that goes with the series: which one, and how often it needed more room.
    Text(u32, u32),
}

/// Joins texts.
pub(crate) fn pack<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut packed = Vec::new();
    for text in texts {
        packed.extend_from_slice(text.as_bytes());
        packed.push(SEPARATOR);
    }
    packed
}

/// Takes joined texts apart; one that is damaged is left out.
pub(crate) fn unpack(packed: &[u8]) -> impl Iterator<Item = &str> {
    let inner = packed.strip_suffix(&[SEPARATOR]);
    let texts = inner.into_iter().flat_map(|inner| inner.split(|b| *b == SEPARATOR));
    texts.filter_map(|text| std::str::from_utf8(text).ok())
}

/// Writes the key of a record.
pub(crate) fn encode(part: Part, series: &[u8]) -> Vec<u8> {
    let (tag, first, second) = match part {
        Part::Base => (0u8, 0, 0),
        Part::Slot(slot) => (1, slot, 0),
        Part::Text(which, generation) => (2, which, generation),
    };
    let mut key = vec![tag];
    key.extend(first.to_ne_bytes());
    key.extend(second.to_ne_bytes());
    key.extend_from_slice(series);
    key
}

/// Reads the key of a record; nothing when it is none.
pub(crate) fn decode(key: &[u8]) -> Option<(Part, &[u8])> {
    let (tag, rest) = key.split_first()?;
    let (first, rest) = rest.split_first_chunk()?;
    let (second, series) = rest.split_first_chunk()?;
    let (first, second) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*second));
    let part = match tag {
        0 => Part::Base,
        1 => Part::Slot(first),
        2 => Part::Text(first, second),
        _ => return None,
    };
    Some((part, series))
}
