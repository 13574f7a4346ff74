//! Writes YAML in the layout of Prometheus's status page: two spaces, lists at the depth of their key.

/// A value to be written.
pub(crate) enum Yaml {
    /// Text, quoted where it has to be.
    Text(String),
    /// A number or boolean.
    Bare(String),
    List(Vec<Yaml>),
    /// A list on one line.
    Flow(Vec<String>),
    Map(Map),
}

/// Entries in the order written.
#[derive(Default)]
pub(crate) struct Map(Vec<(String, Yaml)>);

impl Map {
    pub(crate) fn put(&mut self, key: &str, value: Yaml) {
        self.0.push((key.to_owned(), value));
    }

    pub(crate) fn text(&mut self, key: &str, value: impl Into<String>) {
        self.put(key, Yaml::Text(value.into()));
    }

    /// Writes text unless it is empty.
    pub(crate) fn text_if(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text(key, value);
        }
    }

    pub(crate) fn bare(&mut self, key: &str, value: impl ToString) {
        self.put(key, Yaml::Bare(value.to_string()));
    }

    /// Writes a number unless it is zero.
    pub(crate) fn number_if(&mut self, key: &str, value: u64) {
        if value > 0 {
            self.bare(key, value);
        }
    }

    pub(crate) fn texts_if<S: AsRef<str>>(&mut self, key: &str, values: &[S]) {
        self.list_if(key, values.iter().map(|s| Yaml::Text(s.as_ref().to_owned())).collect());
    }

    pub(crate) fn list_if(&mut self, key: &str, values: Vec<Yaml>) {
        if !values.is_empty() {
            self.put(key, Yaml::List(values));
        }
    }

    pub(crate) fn map_if(&mut self, key: &str, map: Map) {
        if !map.0.is_empty() {
            self.put(key, Yaml::Map(map));
        }
    }

    /// Writes the whole document.
    pub(crate) fn document(&self) -> String {
        let mut out = String::new();
        if self.0.is_empty() {
            return "{}\n".to_owned();
        }
        write_map(&mut out, self, 0, false);
        out
    }
}

fn write_map(out: &mut String, map: &Map, depth: usize, first_inline: bool) {
    for (i, (key, value)) in map.0.iter().enumerate() {
        if i > 0 || !first_inline {
            indent(out, depth);
        }
        out.push_str(&scalar(key));
        out.push(':');
        match value {
            Yaml::Map(inner) if inner.0.is_empty() => out.push_str(" {}\n"),
            Yaml::Map(inner) => {
                out.push('\n');
                write_map(out, inner, depth + 1, false);
            }
            Yaml::List(items) if items.is_empty() => out.push_str(" []\n"),
            Yaml::List(items) => {
                out.push('\n');
                write_list(out, items, depth);
            }
            one_line => write_one_line(out, one_line, " "),
        }
    }
}

fn write_list(out: &mut String, items: &[Yaml], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push('-');
        match item {
            Yaml::Map(map) if map.0.is_empty() => out.push_str(" {}\n"),
            Yaml::Map(map) => {
                out.push(' ');
                write_map(out, map, depth + 1, true);
            }
            Yaml::List(items) if items.is_empty() => out.push_str(" []\n"),
            Yaml::List(items) => {
                out.push('\n');
                write_list(out, items, depth + 1);
            }
            one_line => write_one_line(out, one_line, " "),
        }
    }
}

fn write_one_line(out: &mut String, value: &Yaml, before: &str) {
    out.push_str(before);
    match value {
        Yaml::Bare(text) => out.push_str(text),
        Yaml::Text(text) => out.push_str(&scalar(text)),
        Yaml::Flow(items) => {
            let items: Vec<String> = items.iter().map(|item| flow_scalar(item)).collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        Yaml::List(_) | Yaml::Map(_) => unreachable!("BUG: not a value of one line"),
    }
    out.push('\n');
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn flow_scalar(text: &str) -> String {
    if text.contains([',', '[', ']', '{', '}']) { quoted(text) } else { scalar(text) }
}

/// Writes a text plainly where YAML reads the same text back, else in quotes.
fn scalar(text: &str) -> String {
    let special_start = text.starts_with(|c: char| "!&*-?|>@`'\"#%{}[],:= \t~".contains(c));
    let special_inside =
        text.contains(": ") || text.contains(" #") || text.contains(|c: char| c.is_control());
    let typed = text.parse::<f64>().is_ok()
        || text.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '+')
            && text.chars().all(|c| c.is_ascii_hexdigit() || "xob_.:+-".contains(c))
        || ["true", "false", "yes", "no", "on", "off", "y", "n", "null"]
            .contains(&text.to_ascii_lowercase().as_str());
    let special_end = text.ends_with([' ', ':']);
    let has_to =
        text.is_empty() || special_start && !is_negative_word(text) || special_inside || typed || special_end;
    if has_to { quoted(text) } else { text.to_owned() }
}

/// Says whether a text begins with a hyphen and is a plain word all the same.
fn is_negative_word(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphanumeric()))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::{NodeKind, parse};

    #[test]
    fn texts_are_read_back_as_they_were() {
        for text in [
            "",
            "plain",
            "with space",
            "15s",
            "1",
            "-1",
            "1.5",
            "true",
            "No",
            "~",
            "null",
            "- x",
            "-",
            "-a",
            "a: b",
            "a #b",
            "#c",
            "*a",
            "(.*)",
            "$1",
            ";",
            "<secret>",
            "a\nb",
            "tab\there",
            "\"q\"",
            "'q'",
            "é",
            "1:30",
            "0x1f",
            "[a]",
            "{a}",
            "a,b",
            "http://x:1/y",
            "trailing:",
            " lead",
            "trail ",
            "%x",
            "@x",
            "=",
            "1_000",
        ] {
            for flow in [false, true] {
                let value =
                    if flow { Yaml::Flow(vec![text.to_owned()]) } else { Yaml::Text(text.to_owned()) };
                let mut map = Map::default();
                map.put("k", value);
                let written = map.document();
                let node = parse(&written).unwrap_or_else(|e| panic!("{written}: {}", e.message));
                let NodeKind::Map(entries) = node.kind else { panic!("{written}") };
                let mut kind = &entries[0].1.kind;
                if let NodeKind::Seq(items) = kind {
                    kind = &items[0].kind;
                }
                let NodeKind::Scalar { text: read, typed: false } = kind else {
                    panic!("{written}: {kind:?}")
                };
                assert_eq!(read, text, "{written}");
            }
        }
    }

    #[test]
    fn lists_stand_at_the_depth_of_their_key() {
        let mut inner = Map::default();
        inner.text("a", "x");
        inner.texts_if("b", &["v", "w"]);
        let mut map = Map::default();
        map.list_if("list", vec![Yaml::Map(inner)]);
        map.put("flow", Yaml::Flow(vec!["p".to_owned(), "q".to_owned()]));
        assert_eq!(map.document(), "list:\n- a: x\n  b:\n  - v\n  - w\nflow: [p, q]\n");
    }
}
