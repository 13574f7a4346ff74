//! YAML as a tree of nodes that know where they stand.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// The deepest nesting of a file.
const DEPTH_MAX: usize = 64;

/// Where a node begins: its line and column, and the offset of its first byte. A block scalar begins with its first
/// line of content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) start: usize,
}

/// A value and where it stands.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) place: Place,
}

/// The kinds of value.
#[derive(Debug, Default)]
pub(crate) enum NodeKind {
    #[default]
    Null,
    /// A scalar's text; `typed` when it is a boolean or a number, which is then spelt as in the file.
    Scalar {
        text: String,
        typed: bool,
    },
    Seq(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The key of a mapping's entry.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// What the YAML itself is refused for.
pub(crate) struct Malformed {
    pub(crate) message: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// Reads a text into a tree; a text without content is null.
///
/// Errors: malformed YAML, a key twice in one mapping, more than one document, nesting beyond [`DEPTH_MAX`], aliases
/// that multiply beyond the parser's budget.
pub(crate) fn parse(text: &str) -> Result<Node, Malformed> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Node::default());
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
    };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(text, options) {
        Ok(raw) => Ok(convert(raw, text)),
        Err(err) => {
            let (line, column) = err.location().map_or((0, 0), |at| (at.line() as u32, at.column() as u32));
            Err(Malformed { message: message_of(&err), line, column })
        }
    }
}

/// Returns the parser's message without the position that it repeats at the end.
fn message_of(err: &serde_saphyr::Error) -> String {
    match err.without_snippet() {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            return format!("yaml: key {} already set in map", promflow_model::quote::quote(key));
        }
        serde_saphyr::Error::BinaryNotUtf8 { .. } => {
            return "yaml: !!binary value is not valid UTF-8".to_owned();
        }
        _ => {}
    }
    let text = err.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    let cut = text.rfind(" at line ").unwrap_or(text.len());
    let text = text[..cut].trim_end();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    format!("yaml: {}", text.rsplit_once(": at ").map_or(text, |(text, _)| text))
}

/// A value as the deserializer hands it out, before the text is consulted.
enum Raw {
    Null,
    /// A boolean or number, whose spelling stands in the text.
    Typed(String),
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<RawKey>, Spanned<Raw>)>),
}

struct RawKey(String);

fn place(spanned: &Spanned<impl Sized>) -> Place {
    let at = spanned.defined;
    let start = at.span().byte_offset().unwrap_or(u64::MAX);
    Place { line: at.line() as u32, column: at.column() as u32, start: start as usize }
}

fn convert(raw: Spanned<Raw>, text: &str) -> Node {
    let place = place(&raw);
    let len = raw.defined.span().byte_len().unwrap_or(0) as usize;
    let written = text.get(place.start..place.start.saturating_add(len)).map(str::trim_end);
    let kind = match raw.value {
        Raw::Null => NodeKind::Null,
        Raw::Typed(value) => {
            let written = written.filter(|w| !w.is_empty()).map_or(value, str::to_owned);
            NodeKind::Scalar { text: written, typed: true }
        }
        Raw::Text(value) => NodeKind::Scalar { text: value, typed: false },
        Raw::Seq(items) => NodeKind::Seq(items.into_iter().map(|item| convert(item, text)).collect()),
        Raw::Map(entries) => NodeKind::Map(
            entries
                .into_iter()
                .map(|(key, value)| {
                    let place = self::place(&key);
                    (Key { text: key.value.0, place }, convert(value, text))
                })
                .collect(),
        ),
    };
    Node { kind, place }
}

impl<'de> Deserialize<'de> for RawKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(RawKey)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Typed(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Raw::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(node: &'a Node, key: &str) -> &'a Node {
        let NodeKind::Map(entries) = &node.kind else { panic!("not a mapping") };
        &entries.iter().find(|(k, _)| k.text == key).expect("no such key").1
    }

    #[test]
    fn scalars_keep_their_spelling_and_their_quotes() {
        let text = "a: 1.50\nb: yes\nc: \"7\"\nd:\ne: 'x'\nf: 0x1F\ng: plain text\nh: 1_000\n";
        let node = parse(text).unwrap_or_else(|e| panic!("{}", e.message));
        for (key, expected, is_typed) in [
            ("a", "1.50", true),
            ("b", "yes", true),
            ("c", "7", false),
            ("e", "x", false),
            ("f", "0x1F", true),
            ("g", "plain text", false),
            ("h", "1_000", true),
        ] {
            let NodeKind::Scalar { text, typed } = &entry(&node, key).kind else { panic!("{key}") };
            assert_eq!((text.as_str(), *typed), (expected, is_typed), "{key}");
        }
        assert!(matches!(entry(&node, "d").kind, NodeKind::Null));
    }

    #[test]
    fn places_are_those_of_the_values() {
        let text = "a:\n  - x: 1\n    y: |\n      text\n";
        let node = parse(text).unwrap_or_else(|e| panic!("{}", e.message));
        let NodeKind::Seq(items) = &entry(&node, "a").kind else { panic!() };
        assert_eq!((items[0].place.line, items[0].place.column), (2, 5));
        let block = entry(&items[0], "y");
        assert_eq!((block.place.line, block.place.column), (4, 7));
        assert_eq!(&text[block.place.start..][..4], "text");
    }

    #[test]
    fn aliases_and_merge_keys_are_followed() {
        let text = "base: &b {x: 1}\nc:\n  <<: *b\n  y: 2\nd: *b\n";
        let node = parse(text).unwrap_or_else(|e| panic!("{}", e.message));
        let NodeKind::Scalar { text, .. } = &entry(entry(&node, "c"), "x").kind else { panic!() };
        assert_eq!(text, "1");
        assert!(matches!(entry(&node, "d").kind, NodeKind::Map(_)));
    }

    #[test]
    fn malformed_yaml_has_a_place_and_a_plain_message() {
        for (text, line, message) in [
            ("a: 1\na: 2\n", 2, "yaml: key \"a\" already set in map"),
            ("a:\n\t- b\n", 2, "yaml: tab"),
            ("a: [1\nb: 2\n", 2, "yaml: "),
            ("a: \"x\n", 1, "yaml: "),
        ] {
            let Err(err) = parse(text) else { panic!("{text:?} is taken") };
            assert!(err.message.starts_with(message), "{text:?}: {}", err.message);
            assert!(!err.message.contains('\n') && !err.message.contains("line "), "{}", err.message);
            assert!(err.line >= line, "{text:?}: line {}", err.line);
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse("").is_ok_and(|n| matches!(n.kind, NodeKind::Null)));
        assert!(parse("# nothing\n").is_ok_and(|n| matches!(n.kind, NodeKind::Null)));
    }
}
