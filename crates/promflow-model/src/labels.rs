//! Label sets.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh64::{Xxh64, xxh64};

use crate::quote::quote;
use crate::{METRIC_NAME, is_legacy_label_name};

/// A label set: names and values, sorted by name, names unique, no empty value.
///
/// Cost: one allocation per set, shared by clones; `get` walks the set.
/// Source: Prometheus model/labels (the flat layout of its default build, with lengths that stay valid UTF-8).
#[derive(Clone, PartialEq, Eq)]
pub struct Labels {
    /// `length name length value ...`. A length below 127 is one character, a longer one is U+007F and four
    /// characters of seven bits each, so that the whole stays valid UTF-8 and slices need no `unsafe`.
    flat: Arc<str>,
}

const LONG: u8 = 0x7f;

fn push_str(flat: &mut String, s: &str) {
    let len = s.len();
    if len < LONG as usize {
        flat.push(len as u8 as char);
    } else {
        assert!(len < 1 << 28, "BUG: label string longer than 256 MiB");
        flat.push(LONG as char);
        for shift in [21, 14, 7, 0] {
            flat.push(((len >> shift) & 0x7f) as u8 as char);
        }
    }
    flat.push_str(s);
}

impl Labels {
    /// Returns the empty label set.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Builds a label set from pairs in any order; empty values are left out, of equal names the last one stays.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.labels()
    }

    /// Builds a label set from pairs that are already sorted by name, unique and without empty values.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut flat = String::with_capacity(128);
        for (name, value) in pairs {
            push_str(&mut flat, name);
            push_str(&mut flat, value);
        }
        Self { flat: flat.into() }
    }

    /// Returns the value of a label, or `""` when the set has no such label.
    pub fn get(&self, name: &str) -> &str {
        self.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| v)
    }

    /// Says whether the set has this label.
    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(n, _)| n == name)
    }

    /// Returns the metric name, or `""`.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME)
    }

    /// Iterates over names and values, sorted by name.
    pub fn iter(&self) -> LabelsIter<'_> {
        LabelsIter { rest: &self.flat }
    }

    /// Counts the labels.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Says whether the set has no label.
    pub fn is_empty(&self) -> bool {
        self.flat.is_empty()
    }

    /// Returns the bytes that the set occupies.
    ///
    /// Units: bytes.
    pub fn size_bytes(&self) -> usize {
        self.flat.len() + 2 * size_of::<usize>()
    }

    /// Returns the set without the metric name.
    pub fn without_name(&self) -> Self {
        if !self.has(METRIC_NAME) {
            return self.clone();
        }
        Self::from_sorted(self.iter().filter(|(n, _)| *n != METRIC_NAME))
    }

    /// Returns the set with one label set (or, for an empty value, removed).
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut builder = LabelsBuilder::new(self);
        builder.set(name, value);
        builder.labels()
    }

    /// Returns only the labels named.
    ///
    /// `names` must be sorted.
    pub fn keep(&self, names: &[impl AsRef<str>]) -> Self {
        Self::from_sorted(self.iter().filter(|(n, _)| names.binary_search_by(|m| m.as_ref().cmp(n)).is_ok()))
    }

    /// Returns the labels that are not named and are not the metric name.
    ///
    /// `names` must be sorted.
    pub fn drop(&self, names: &[impl AsRef<str>]) -> Self {
        Self::from_sorted(
            self.iter()
                .filter(|(n, _)| *n != METRIC_NAME && names.binary_search_by(|m| m.as_ref().cmp(n)).is_err()),
        )
    }

    /// Returns a 64-bit hash of the set, equal to that of Prometheus's default build (`limit_ratio` shows it).
    pub fn hash64(&self) -> u64 {
        let mut bytes = Vec::with_capacity(self.flat.len() + 16);
        for (name, value) in self.iter() {
            for s in [name, value] {
                if s.len() < 255 {
                    bytes.push(s.len() as u8);
                } else {
                    bytes.push(255);
                    bytes.extend_from_slice(&(s.len() as u32).to_le_bytes()[..3]);
                }
                bytes.extend_from_slice(s.as_bytes());
            }
        }
        xxh64(&bytes, 0)
    }

    /// Returns Prometheus's `StableHash`: names and values, each followed by the byte 0xff.
    pub fn stable_hash64(&self) -> u64 {
        let mut hash = Xxh64::new(0);
        for (name, value) in self.iter() {
            for s in [name, value] {
                hash.update(s.as_bytes());
                hash.update(&[0xff]);
            }
        }
        hash.digest()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self { flat: Arc::from("") }
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.flat.hash(state);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// Compares name by name and value by value; a set that is the beginning of another comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl fmt::Display for Labels {
    /// Writes `{a="b", c="d"}`, the metric name among them, as Prometheus's `Labels.String`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if is_legacy_label_name(name) {
                f.write_str(name)?;
            } else {
                f.write_str(&quote(name))?;
            }
            write!(f, "={}", quote(value))?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = LabelsIter<'a>;

    fn into_iter(self) -> LabelsIter<'a> {
        self.iter()
    }
}

/// Iterates over a label set's names and values.
#[derive(Clone)]
pub struct LabelsIter<'a> {
    rest: &'a str,
}

impl<'a> LabelsIter<'a> {
    fn take_str(&mut self) -> &'a str {
        let bytes = self.rest.as_bytes();
        let (start, len) = if bytes[0] < LONG {
            (1, bytes[0] as usize)
        } else {
            (5, bytes[1..5].iter().fold(0, |len, b| len << 7 | *b as usize))
        };
        let (s, rest) = self.rest[start..].split_at(len);
        self.rest = rest;
        s
    }
}

impl<'a> Iterator for LabelsIter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let name = self.take_str();
        let value = self.take_str();
        Some((name, value))
    }
}

/// Changes a label set: labels are set or removed one by one, and the result is built once.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Starts from a label set.
    pub fn new(base: &Labels) -> Self {
        Self { pairs: base.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name)) {
            Ok(i) if value.is_empty() => {
                self.pairs.remove(i);
            }
            Ok(i) => value.clone_into(&mut self.pairs[i].1),
            Err(_) if value.is_empty() => {}
            Err(i) => self.pairs.insert(i, (name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    /// Keeps only the labels that the predicate accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) -> &mut Self {
        self.pairs.retain(|(n, v)| keep(n, v));
        self
    }

    /// Returns the value of a label as it stands, or `""`.
    pub fn get(&self, name: &str) -> &str {
        self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name)).map_or("", |i| &self.pairs[i].1)
    }

    /// Iterates over names and values as they stand, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Builds the label set.
    pub fn labels(&self) -> Labels {
        Labels::from_sorted(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_and_empty_values_left_out() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", "")]);
        assert_eq!(labels.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="2"}"#);
        assert_eq!(labels.get("c"), "");
    }

    #[test]
    fn long_strings_keep_their_length() {
        for len in [0usize, 1, 126, 127, 128, 16_384, 300_000] {
            let value = "é".repeat(len / 2) + if len % 2 == 1 { "x" } else { "" };
            let labels = Labels::from_pairs([("a", value.as_str()), ("b", "end")]);
            assert_eq!(labels.get("a"), value);
            assert_eq!(labels.get("b"), "end");
        }
    }

    #[test]
    fn order_is_by_name_then_value_and_a_beginning_comes_first() {
        let set = |pairs: &[(&str, &str)]| Labels::from_pairs(pairs.iter().copied());
        let a = set(&[("a", "1")]);
        assert!(Labels::empty() < a);
        assert!(a < set(&[("a", "1"), ("b", "0")]));
        assert!(a < set(&[("a", "10")]));
        assert!(set(&[("a", "9")]) < set(&[("b", "1")]));
    }

    #[test]
    fn hash_is_that_of_the_upstream_layout() {
        // xxh64 of the empty input with seed 0.
        assert_eq!(Labels::empty().hash64(), 0xef46_db37_51d8_e999);
        let labels = Labels::from_pairs([("a", "1")]);
        assert_eq!(labels.hash64(), xxh64(b"\x01a\x011", 0));
        assert_eq!(labels.stable_hash64(), xxh64(b"a\xff1\xff", 0));
    }

    #[test]
    fn keep_and_drop_follow_by_and_without() {
        let labels = Labels::from_pairs([("__name__", "m"), ("a", "1"), ("b", "2")]);
        assert_eq!(labels.keep(&["a"]), Labels::from_pairs([("a", "1")]));
        assert_eq!(labels.drop(&["a"]), Labels::from_pairs([("b", "2")]));
        assert_eq!(labels.without_name(), Labels::from_pairs([("a", "1"), ("b", "2")]));
    }
}
