//! Reads values out of a tree of nodes, and gathers what is wrong with them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use promflow_model::duration;

use crate::error::NOT_SUPPORTED;
use crate::node::{Key, Node, NodeKind, Place};
use crate::{ConfigError, FILE_SIZE_BYTES_MAX, Position, Secret, SourceText, hint, node, redact, size};

/// Go's names of the types whose values are shown when they do not fit.
const SCALAR_TYPES: [&str; 4] = ["bool", "uint", "int", "float64"];

/// The most errors that one file reports.
const ERRORS_MAX: usize = 50;

/// One file being read.
pub(crate) struct Reader<'t> {
    file: Arc<str>,
    text: &'t str,
    errors: RefCell<Vec<ConfigError>>,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(file: &str, text: &'t str) -> Self {
        Self { file: file.into(), text, errors: RefCell::default() }
    }

    /// Parses the text; malformed YAML is noted as the file's only error.
    pub(crate) fn root(&self) -> Node {
        if self.text.len() > FILE_SIZE_BYTES_MAX {
            self.error(Place::default(), format!("file is larger than {FILE_SIZE_BYTES_MAX} bytes"));
            return Node::default();
        }
        node::parse(self.text).unwrap_or_else(|err| {
            let place = Place { line: err.line, column: err.column, start: usize::MAX };
            // The parser's own message may quote what it stumbled over.
            let is_secret =
                redact::line(self.text, err.line).is_some_and(|line| line.contains(Secret::SHOWN));
            if is_secret {
                let hint = "a value that begins with a special character has to stand in quotes";
                self.error_with_hint(place, "yaml: malformed value", Some(hint.to_owned()));
            } else {
                self.error(place, err.message);
            }
            Node::default()
        })
    }

    pub(crate) fn position(&self, place: Place) -> Position {
        Position { file: self.file.clone(), line: place.line, column: place.column }
    }

    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    pub(crate) fn error(&self, place: Place, message: impl Into<String>) {
        self.error_with_hint(place, message, None);
    }

    pub(crate) fn error_with_hint(&self, place: Place, message: impl Into<String>, hint: Option<String>) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() >= ERRORS_MAX {
            return;
        }
        errors.push(ConfigError {
            file: self.file.to_string(),
            line: place.line,
            column: place.column,
            message: message.into(),
            snippet: redact::line(self.text, place.line),
            hint,
        });
    }

    /// Notes that a part exists in Prometheus and not here.
    pub(crate) fn unsupported(&self, place: Place, name: &str) {
        self.error(place, format!("{NOT_SUPPORTED}{name}"));
    }

    pub(crate) fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// Ends the reading: the value when nothing is wrong, else everything that is, in the file's order.
    pub(crate) fn finish<T>(self, value: T) -> Result<T, Vec<ConfigError>> {
        let mut errors = self.errors.into_inner();
        errors.sort_by_key(|e| (e.line, e.column));
        errors.dedup();
        if errors.is_empty() { Ok(value) } else { Err(errors) }
    }

    /// Begins to read a mapping; null is an empty one, anything else is noted and read as empty.
    pub(crate) fn fields<'a>(&'a self, node: &'a Node, type_name: &'static str) -> Fields<'a, 't> {
        let entries: &'a [(Key, Node)] = match &node.kind {
            NodeKind::Map(entries) => entries,
            NodeKind::Null => &[],
            _ => {
                self.mismatch(node, type_name);
                &[]
            }
        };
        Fields {
            reader: self,
            place: node.place,
            used: vec![false; entries.len()],
            entries,
            asked: Vec::new(),
            type_name,
        }
    }

    /// Returns the items of a sequence; null is an empty one.
    pub(crate) fn items<'a>(&self, node: &'a Node, type_name: &str) -> &'a [Node] {
        match &node.kind {
            NodeKind::Seq(items) => items,
            NodeKind::Null => &[],
            _ => {
                self.mismatch(node, type_name);
                &[]
            }
        }
    }

    /// Notes that a value has another type than is wanted.
    pub(crate) fn mismatch(&self, node: &Node, wanted: &str) {
        let found = match &node.kind {
            NodeKind::Null => "!!null".to_owned(),
            NodeKind::Seq(_) => "!!seq".to_owned(),
            NodeKind::Map(_) => "!!map".to_owned(),
            // Where a mapping or list is wanted the text may be a secret in the wrong place.
            NodeKind::Scalar { .. } if !SCALAR_TYPES.contains(&wanted) => "!!str".to_owned(),
            NodeKind::Scalar { text, typed } => {
                let tag = match text.as_bytes().first() {
                    _ if !typed => "!!str",
                    Some(b'0'..=b'9' | b'-' | b'+' | b'.') if text.contains('.') => "!!float",
                    Some(b'0'..=b'9' | b'-' | b'+') => "!!int",
                    _ => "!!bool",
                };
                let shown: String = text.chars().take(7).collect();
                let dots = if text.chars().count() > 10 { "..." } else { "" };
                let shown = if dots.is_empty() { text.as_str() } else { &shown };
                format!("{tag} `{shown}{dots}`")
            }
        };
        self.error(node.place, format!("cannot unmarshal {found} into {wanted}"));
    }

    /// Reads a scalar's text.
    pub(crate) fn str<'a>(&self, node: &'a Node) -> Option<&'a str> {
        match &node.kind {
            NodeKind::Scalar { text, .. } => Some(text),
            _ => {
                self.mismatch(node, "string");
                None
            }
        }
    }

    /// Reads a scalar's text with the place of each of its lines in the file.
    pub(crate) fn source_text(&self, node: &Node) -> Option<SourceText> {
        let text = self.str(node)?.to_owned();
        let anchors = anchors(self.text, node.place, &text);
        Some(SourceText { text, position: self.position(node.place), anchors })
    }

    /// Reads a sequence of strings; null items are empty strings.
    pub(crate) fn strings(&self, node: &Node) -> Vec<(String, Place)> {
        self.items(node, "[]string")
            .iter()
            .filter_map(|item| match item.kind {
                NodeKind::Null => Some((String::new(), item.place)),
                _ => self.str(item).map(|s| (s.to_owned(), item.place)),
            })
            .collect()
    }

    /// Reads a mapping of strings, in the file's order.
    pub(crate) fn string_map<'a>(&self, node: &'a Node) -> Vec<(&'a Key, String, &'a Node)> {
        match &node.kind {
            NodeKind::Null => Vec::new(),
            NodeKind::Map(entries) => entries
                .iter()
                .filter_map(|(key, value)| match value.kind {
                    NodeKind::Null => Some((key, String::new(), value)),
                    _ => self.str(value).map(|s| (key, s.to_owned(), value)),
                })
                .collect(),
            _ => {
                self.mismatch(node, "map[string]string");
                Vec::new()
            }
        }
    }
}

/// Finds where each line of a scalar's value stands in the file: value and file are walked together, character by
/// character, white space apart, which block scalars, folded lines and quotes change.
fn anchors(file: &str, place: Place, value: &str) -> Vec<(usize, u32, u32)> {
    let Some(source) = file.get(place.start..) else { return Vec::new() };
    let quote = source.chars().next().filter(|c| matches!(c, '"' | '\'') && !value.starts_with(*c));
    let mut source = source.chars().peekable();
    let (mut line, mut column) = (place.line, place.column);
    let mut advance = |source: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        let at = (line, column);
        match source.next() {
            Some('\n') => (line, column) = (line + 1, 1),
            Some(_) => column += 1,
            None => {}
        }
        at
    };
    if quote.is_some() {
        advance(&mut source);
    }
    let mut found: Vec<(usize, u32, u32)> = Vec::new();
    let mut last = None;
    for (offset, wanted) in value.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let at = loop {
            let Some(&c) = source.peek() else { return found };
            let escapes = quote == Some('"') && c == '\\' || quote == Some('\'') && c == '\'';
            if escapes {
                advance(&mut source);
                let Some(&escaped) = source.peek() else { return found };
                if escaped == wanted {
                    break advance(&mut source);
                }
                advance(&mut source);
                continue;
            }
            if c == wanted {
                break advance(&mut source);
            }
            if !c.is_whitespace() {
                return found;
            }
            advance(&mut source);
        };
        // A new anchor wherever the text does not simply go on.
        let goes_on = last.is_some_and(|(o, l, c): (usize, u32, u32)| {
            let chars = value[o..offset].chars().count() as u32;
            (l, c + chars) == at && !value[o..offset].contains('\n')
        });
        if !goes_on {
            found.push((offset, at.0, at.1));
            last = Some((offset, at.0, at.1));
        }
    }
    found
}

/// A mapping being read: each key is asked for once; what was not asked for is unknown.
pub(crate) struct Fields<'a, 't> {
    pub(crate) reader: &'a Reader<'t>,
    pub(crate) place: Place,
    entries: &'a [(Key, Node)],
    used: Vec<bool>,
    asked: Vec<&'static str>,
    type_name: &'static str,
}

impl<'a> Fields<'a, '_> {
    fn entry(&mut self, name: &'static str) -> Option<&'a (Key, Node)> {
        self.asked.push(name);
        let i = self.entries.iter().position(|(key, _)| key.text == name)?;
        self.used[i] = true;
        Some(&self.entries[i])
    }

    /// Returns a key's value; null counts as absent.
    pub(crate) fn node(&mut self, name: &'static str) -> Option<&'a Node> {
        self.entry(name).map(|(_, node)| node).filter(|node| !matches!(node.kind, NodeKind::Null))
    }

    /// Returns where a key stands, or where the mapping begins.
    pub(crate) fn place_of(&self, name: &str) -> Place {
        self.entries.iter().find(|(key, _)| key.text == name).map_or(self.place, |(key, _)| key.place)
    }

    /// Returns where a key's value stands, or where the mapping begins.
    pub(crate) fn value_place(&self, name: &str) -> Place {
        self.entries.iter().find(|(key, _)| key.text == name).map_or(self.place, |(_, node)| node.place)
    }

    /// Says whether a key is there with a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(key, node)| key.text == name && !matches!(node.kind, NodeKind::Null))
    }

    /// Notes an error at a key's value.
    pub(crate) fn error(&self, name: &str, message: impl Into<String>) {
        self.reader.error(self.value_place(name), message);
    }

    pub(crate) fn string(&mut self, name: &'static str) -> Option<String> {
        let node = self.node(name)?;
        self.reader.str(node).map(str::to_owned)
    }

    pub(crate) fn string_or_empty(&mut self, name: &'static str) -> String {
        self.string(name).unwrap_or_default()
    }

    pub(crate) fn secret(&mut self, name: &'static str) -> Secret {
        Secret::new(self.string_or_empty(name))
    }

    pub(crate) fn path(&mut self, name: &'static str) -> Option<PathBuf> {
        self.string(name).filter(|s| !s.is_empty()).map(PathBuf::from)
    }

    pub(crate) fn source_text(&mut self, name: &'static str) -> Option<SourceText> {
        let node = self.node(name)?;
        self.reader.source_text(node)
    }

    pub(crate) fn strings(&mut self, name: &'static str) -> Vec<(String, Place)> {
        self.node(name).map(|node| self.reader.strings(node)).unwrap_or_default()
    }

    pub(crate) fn plain_strings(&mut self, name: &'static str) -> Vec<String> {
        self.strings(name).into_iter().map(|(s, _)| s).collect()
    }

    pub(crate) fn string_map(&mut self, name: &'static str) -> BTreeMap<String, String> {
        let Some(node) = self.node(name) else { return BTreeMap::new() };
        self.reader.string_map(node).into_iter().map(|(key, value, _)| (key.text.clone(), value)).collect()
    }

    /// Returns the items of a list.
    pub(crate) fn items(&mut self, name: &'static str, type_name: &str) -> &'a [Node] {
        self.node(name).map_or(&[], |node| self.reader.items(node, type_name))
    }

    pub(crate) fn bool(&mut self, name: &'static str) -> Option<bool> {
        let node = self.node(name)?;
        let value = match &node.kind {
            NodeKind::Scalar { text, typed: true } => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Some(true),
                "false" | "no" | "off" | "n" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if value.is_none() {
            self.reader.mismatch(node, "bool");
        }
        value
    }

    fn integer(&mut self, name: &'static str, wanted: &str) -> Option<i128> {
        let node = self.node(name)?;
        let value = match &node.kind {
            NodeKind::Scalar { text, typed: true } => parse_integer(text),
            _ => None,
        };
        if value.is_none() {
            self.reader.mismatch(node, wanted);
        }
        value
    }

    pub(crate) fn u64(&mut self, name: &'static str) -> Option<u64> {
        let value = self.integer(name, "uint")?;
        u64::try_from(value).map_err(|_| self.mismatch(name, "uint")).ok()
    }

    pub(crate) fn i64(&mut self, name: &'static str) -> Option<i64> {
        let value = self.integer(name, "int")?;
        i64::try_from(value).map_err(|_| self.mismatch(name, "int")).ok()
    }

    fn mismatch(&self, name: &str, wanted: &str) {
        if let Some((_, node)) = self.entries.iter().find(|(key, _)| key.text == name) {
            self.reader.mismatch(node, wanted);
        }
    }

    pub(crate) fn f64(&mut self, name: &'static str) -> Option<f64> {
        let node = self.node(name)?;
        let value = match &node.kind {
            NodeKind::Scalar { text, .. } => {
                let text = text.replace('_', "");
                promflow_model::float::parse(text.strip_prefix('.').map_or(&text, |rest| match rest {
                    "nan" | "NaN" | "NAN" => "NaN",
                    "inf" | "Inf" | "INF" => "+Inf",
                    _ => &text,
                }))
                .or_else(|| (text == "-.inf" || text == "-.Inf").then_some(f64::NEG_INFINITY))
            }
            _ => None,
        };
        if value.is_none() {
            self.reader.mismatch(node, "float64");
        }
        value
    }

    /// Units: milliseconds.
    pub(crate) fn duration_ms(&mut self, name: &'static str) -> Option<i64> {
        let node = self.node(name)?;
        let text = self.reader.str(node)?;
        duration::parse(text).map_err(|message| self.reader.error(node.place, message)).ok()
    }

    /// Units: bytes.
    pub(crate) fn size_bytes(&mut self, name: &'static str) -> Option<i64> {
        let node = self.node(name)?;
        let text = self.reader.str(node)?;
        size::parse(text).map_err(|message| self.reader.error(node.place, message)).ok()
    }

    /// Notes each of these keys that is there as not supported yet; an empty list or mapping, `false` and `0` ask for
    /// nothing and pass.
    pub(crate) fn unsupported(&mut self, names: &[&'static str]) {
        for name in names {
            let Some((key, node)) = self.entry(name) else { continue };
            let asks_for_nothing = match &node.kind {
                NodeKind::Null => true,
                NodeKind::Seq(items) => items.is_empty(),
                NodeKind::Map(entries) => entries.is_empty(),
                NodeKind::Scalar { text, .. } => {
                    matches!(text.as_str(), "" | "0" | "false" | "no" | "off" | "0s")
                }
            };
            if !asks_for_nothing {
                self.reader.unsupported(key.place, name);
            }
        }
    }

    /// Takes note of keys that are known and not looked at.
    pub(crate) fn ignore(&mut self, names: &[&'static str]) {
        for name in names {
            self.entry(name);
        }
    }

    /// Reads whatever keys were not asked for.
    pub(crate) fn rest(&mut self) -> Vec<&'a (Key, Node)> {
        let rest = self.entries.iter().zip(&mut self.used).filter(|(_, used)| !**used);
        rest.map(|(entry, used)| {
            *used = true;
            entry
        })
        .collect()
    }

    /// Ends the reading: every key that was not asked for is an error.
    pub(crate) fn finish(mut self) {
        for (key, _) in self.rest() {
            let near = hint::nearest(&key.text, self.asked.iter().copied());
            self.reader.error_with_hint(
                key.place,
                format!("field {} not found in type {}", key.text, self.type_name),
                near.map(|name| format!("did you mean \"{name}\"?")),
            );
        }
    }
}

fn parse_integer(text: &str) -> Option<i128> {
    let text = text.replace('_', "");
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(&text)),
    };
    let radix = |prefix: &str, radix| digits.strip_prefix(prefix).map(|d| i128::from_str_radix(d, radix));
    let value = radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| radix("0b", 2));
    let value = value.unwrap_or_else(|| digits.parse()).ok();
    // A number such as `1e3` or `5.0` is an integer all the same.
    let value = value.or_else(|| {
        let float: f64 = digits.parse().ok()?;
        (float.fract() == 0.0 && float.abs() < 1e18).then_some(float as i128)
    });
    value.map(|v| sign * v)
}

#[cfg(test)]
mod tests;
