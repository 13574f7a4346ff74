//! Looking for characters outside quotes, and what stands in quotes.

use std::borrow::Cow;

/// Python's `str.isspace`, which also counts the four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Python's `str.strip`.
pub(super) fn trim(text: &str) -> &str {
    let plain = |b: Option<&u8>| b.is_none_or(|b| b.is_ascii_graphic());
    let bytes = text.as_bytes();
    if plain(bytes.first()) && plain(bytes.last()) { text } else { text.trim_matches(is_space) }
}

/// Python's `string.whitespace`.
pub(super) fn is_ascii_space(b: u8) -> bool {
    b == b' ' || (b'\t'..=b'\r').contains(&b)
}

fn is_escaped(text: &[u8], at: usize) -> bool {
    text[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// Finds the next byte that is wanted and not in quotes; `from` is not in quotes.
pub(super) fn next_unquoted(text: &str, from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut in_quotes = false;
    for (i, &b) in bytes.iter().enumerate().skip(from) {
        if b == b'"' && !is_escaped(bytes, i) {
            in_quotes = !in_quotes;
        }
        if !in_quotes && wanted(b) {
            return Some(i);
        }
    }
    None
}

/// Finds the quote that ends what a quote at 0 begins.
pub(super) fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (1..bytes.len()).find(|&i| bytes[i] == b'"' && !is_escaped(bytes, i))
}

/// Splits at runs of a separator outside quotes into at most `max` parts, of which the last is the rest.
pub(super) fn split(text: &str, max: usize, separates: impl Fn(u8) -> bool) -> Vec<&str> {
    let mut parts = Vec::with_capacity(max);
    let mut at = 0;
    // Whether a separator was the last thing seen, so that another part follows, be it empty.
    let mut open = false;
    while at < text.len() {
        match next_unquoted(text, at, &separates) {
            Some(end) if end == at => at += 1,
            Some(end) if parts.len() + 1 < max => {
                parts.push(&text[at..end]);
                at = end + 1;
                open = true;
            }
            _ => {
                parts.push(&text[at..]);
                return parts;
            }
        }
    }
    if open {
        parts.push("");
    }
    parts
}

/// Takes a name or value out of its quotes; says whether it had some. None where the closing quote is missing.
pub(super) fn unquote(text: &str) -> Option<(Cow<'_, str>, bool)> {
    let text = trim(text);
    let Some(rest) = text.strip_prefix('"') else { return Some((unescape(text, true), false)) };
    Some((unescape(rest.strip_suffix('"')?, true), true))
}

/// Reads `\\` and `\n`, and `\"` where quotes are escaped too; any other backslash stands for itself.
pub(super) fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    let Some(mut at) = text.find('\\') else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        out.push_str(&rest[..at]);
        let (meant, length) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ('\\', 2),
            Some(b'n') => ('\n', 2),
            Some(b'"') if quotes => ('"', 2),
            _ => ('\\', 1),
        };
        out.push(meant);
        rest = &rest[at + length..];
        match rest.find('\\') {
            Some(next) => at = next,
            None => {
                out.push_str(rest);
                return Cow::Owned(out);
            }
        }
    }
}
