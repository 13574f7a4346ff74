//! Matchers as `alertmanager.yml` writes them: `severity="page"`, `{team=~"a|b", env!=dev}`.

use promflow_model::{MatchOp, Matcher, is_legacy_metric_name};

/// Parses a list of matchers, with or without braces: first as Alertmanager's UTF-8 syntax, else as its classic one.
///
/// Errors: what is wrong with the text in the UTF-8 syntax.
/// Source: Alertmanager matcher/compat, matcher/parse, pkg/labels.
pub fn parse_matchers(text: &str) -> Result<Vec<Matcher>, String> {
    parse_utf8(text).or_else(|err| parse_classic(text).map_err(|_| err))
}

/// A word or a sign of the UTF-8 syntax.
#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Sign(&'static str),
}

const SIGNS: [&str; 7] = ["=~", "!~", "!=", "=", "{", "}", ","];

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '"' {
            let (word, after) = quoted(rest).ok_or_else(|| format!("{rest}: missing end \""))?;
            tokens.push(Token::Word(word));
            rest = after;
        } else {
            let is_reserved = |c: char| c.is_whitespace() || "{}!=~,\\\"'`".contains(c);
            let end = rest.find(is_reserved).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("unexpected {first} in \"{text}\""));
            }
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// Splits a text in double quotes off, its escapes resolved.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((word, &text[i + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => word.push('\n'),
                't' => word.push('\t'),
                escaped @ ('"' | '\\' | '\'') => word.push(escaped),
                other => word.extend(['\\', other]),
            },
            c => word.push(c),
        }
    }
    None
}

fn parse_utf8(text: &str) -> Result<Vec<Matcher>, String> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    if let [Token::Sign("{"), inner @ ..] = rest {
        let Some((Token::Sign("}"), inner)) = inner.split_last() else {
            return Err(format!("\"{text}\": expected close brace"));
        };
        rest = inner;
    }
    let mut matchers = Vec::new();
    while !rest.is_empty() {
        let [Token::Word(name), Token::Sign(op), Token::Word(value), after @ ..] = rest else {
            return Err(format!("\"{text}\": expected a label name, an operator such as '=', and a value"));
        };
        matchers.push(matcher(name, op, value)?);
        rest = match after {
            [] => after,
            [Token::Sign(","), after @ ..] => after,
            _ => return Err(format!("\"{text}\": expected a comma or the end")),
        };
    }
    Ok(matchers)
}

fn parse_classic(text: &str) -> Result<Vec<Matcher>, String> {
    let text = text.trim();
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let mut matchers = Vec::new();
    for part in split_at_commas(text).into_iter().filter(|part| !part.trim().is_empty()) {
        let part = part.trim();
        let end = part.find(|c: char| c.is_whitespace() || "=!~".contains(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let rest = rest.trim_start();
        let op = SIGNS[..4].iter().find(|op| rest.starts_with(**op));
        let op = op
            .filter(|_| is_legacy_metric_name(name))
            .ok_or_else(|| format!("bad matcher format: {part}"))?;
        let value = rest[op.len()..].trim();
        let value = classic_value(value)?;
        matchers.push(matcher(name, op, &value)?);
    }
    Ok(matchers)
}

/// Resolves the escapes of a value with or without quotes; other quotes inside it need a backslash.
fn classic_value(text: &str) -> Result<String, String> {
    let unescaped = || format!("matcher value contains unescaped double quote: {text}");
    let inner = match text.strip_prefix('"') {
        Some(inner) => inner.strip_suffix('"').ok_or_else(unescaped)?,
        None => text,
    };
    let mut value = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some(escaped @ ('"' | '\\')) => value.push(escaped),
                Some(other) => value.extend(['\\', other]),
                // The backslash escapes the quote that was to end the value.
                None if inner.len() < text.len() => return Err(unescaped()),
                None => value.push('\\'),
            },
            '"' => return Err(unescaped()),
            c => value.push(c),
        }
    }
    Ok(value)
}

fn split_at_commas(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut in_quotes, mut escaped) = (0, false, false);
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_quotes = !in_quotes,
            ',' if !in_quotes => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn matcher(name: &str, op: &str, value: &str) -> Result<Matcher, String> {
    let op = match op {
        "=" => MatchOp::Equal,
        "!=" => MatchOp::NotEqual,
        "=~" => MatchOp::Regex,
        "!~" => MatchOp::NotRegex,
        _ => return Err(format!("\"{op}\" is not an operator")),
    };
    Matcher::new(op, name, value).map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_syntaxes_are_read() {
        for (text, expected) in [
            ("severity=\"page\"", "severity=\"page\""),
            ("severity = page", "severity=\"page\""),
            ("{a=~\"x|y\", b!=c,}", "a=~\"x|y\" b!=\"c\""),
            ("a!~\"x\"", "a!~\"x\""),
            ("\"foo bar\"=\"b\\\"c\"", "\"foo bar\"=\"b\\\"c\""),
            ("föö=bar", "\"föö\"=\"bar\""),
            ("a=\"\"", "a=\"\""),
            ("a=b c", "a=\"b c\""),
            ("{a=b", "a=\"b\""),
            ("a=C:\\\\x y", "a=\"C:\\\\x y\""),
            ("a=", "a=\"\""),
            ("a=\"x,y\",b=\"z\"", "a=\"x,y\" b=\"z\""),
            ("{}", ""),
            ("a=~[a-z]+", "a=~\"[a-z]+\""),
        ] {
            let matchers = parse_matchers(text).unwrap_or_else(|err| panic!("{text}: {err}"));
            let printed: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
            assert_eq!(printed.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn malformed_matchers_are_refused() {
        for bad in ["a", "=b", "a=\"b", "a=~\"(\"", "a=b\"c\"", "1-x", "a==b\"", "\"a\"", "a=\"b\" c"] {
            assert!(parse_matchers(bad).is_err(), "{bad} is taken");
        }
    }
}
