use crate::{Captures, Regex};

/// What a `$` in a template stands for.
enum Reference<'a> {
    Number(usize),
    Name(&'a str),
}

impl Regex {
    /// Appends the template to `dst`, with `$1`, `${1}`, `$name` and `${name}` replaced by the groups of a match and
    /// `$$` by `$`. The longest name counts, `$1x` is the group named `1x`; what has no group becomes nothing.
    ///
    /// Source: Go's `Regexp.Expand`.
    pub fn expand(&self, template: &str, caps: &Captures<'_>, dst: &mut String) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            dst.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                dst.push('$');
                rest = after;
                continue;
            }
            let Some((reference, after)) = reference(rest) else {
                dst.push('$');
                continue;
            };
            rest = after;
            let group = match reference {
                Reference::Number(group) => caps.get(group),
                Reference::Name(name) => caps.name(name),
            };
            dst.push_str(group.unwrap_or(""));
        }
        dst.push_str(rest);
    }

    /// Replaces every match by the expanded template.
    ///
    /// Source: Go's `Regexp.ReplaceAllString`.
    pub fn replace_all(&self, s: &str, template: &str) -> String {
        self.replace_all_bounded(s, template, usize::MAX).unwrap_or_default()
    }

    /// Replaces every match by the expanded template, or returns `None` as soon as the result exceeds
    /// `size_bytes_max`.
    pub fn replace_all_bounded(&self, s: &str, template: &str, size_bytes_max: usize) -> Option<String> {
        let mut out = String::new();
        let mut copied = 0;
        let mut at = 0;
        while at <= s.len() {
            let Some(caps) = self.captures_at(s, at) else { break };
            let (start, end) = caps.span();
            out.push_str(&s[copied..start]);
            // An empty match right after another match is not replaced.
            if end > copied || start == 0 {
                self.expand(template, &caps, &mut out);
            }
            if out.len() > size_bytes_max {
                return None;
            }
            copied = end;
            let width = s[at..].chars().next().map_or(1, char::len_utf8);
            at = end.max(at + width);
        }
        out.push_str(&s[copied..]);
        (out.len() <= size_bytes_max).then_some(out)
    }
}

/// Splits the name after a `$` off, `None` when it is malformed and the `$` stands for itself.
fn reference(template: &str) -> Option<(Reference<'_>, &str)> {
    let braced = template.starts_with('{');
    let body = if braced { &template[1..] } else { template };
    let end = body.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(body.len());
    let (name, mut rest) = body.split_at(end);
    if name.is_empty() {
        return None;
    }
    if braced {
        rest = rest.strip_prefix('}')?;
    }
    let is_number = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    let reference = match name.parse::<usize>() {
        Ok(group) if is_number && group < 100_000_000 => Reference::Number(group),
        _ => Reference::Name(name),
    };
    Some((reference, rest))
}
