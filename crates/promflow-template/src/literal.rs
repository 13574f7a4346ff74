//! Go's literals: quoted strings, characters and numbers.

use promflow_model::quote::quote;

use crate::ast::Number;

/// Undoes the quotes of a `"..."` or `` `...` `` token.
///
/// Source: Go strconv.Unquote.
pub(crate) fn unquote(token: &str) -> Result<String, String> {
    let invalid = || "invalid syntax".to_owned();
    let body = token.get(1..token.len().saturating_sub(1)).ok_or_else(invalid)?;
    if token.starts_with('`') {
        return Ok(body.replace('\r', ""));
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        rest = unquote_char(rest, '"', &mut bytes).ok_or_else(invalid)?;
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Decodes one character or escape into `out` and returns what follows it.
fn unquote_char<'s>(s: &'s str, delimiter: char, out: &mut Vec<u8>) -> Option<&'s str> {
    let mut chars = s.chars();
    let c = chars.next()?;
    let mut push = |c: char| out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    if c == delimiter {
        return None;
    }
    if c != '\\' {
        push(c);
        return Some(chars.as_str());
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    match escape {
        'a' => push('\u{7}'),
        'b' => push('\u{8}'),
        'f' => push('\u{c}'),
        'n' => push('\n'),
        'r' => push('\r'),
        't' => push('\t'),
        'v' => push('\u{b}'),
        '\\' => push('\\'),
        '"' | '\'' if escape == delimiter => push(escape),
        'x' => {
            out.push(u8::from_str_radix(hex(rest, 2)?, 16).ok()?);
            return rest.get(2..);
        }
        'u' | 'U' => {
            let len = if escape == 'u' { 4 } else { 8 };
            push(char::from_u32(u32::from_str_radix(hex(rest, len)?, 16).ok()?)?);
            return rest.get(len..);
        }
        '0'..='7' => {
            let digits = s.get(1..4).filter(|d| d.bytes().all(|b| (b'0'..=b'7').contains(&b)))?;
            out.push(u8::try_from(u32::from_str_radix(digits, 8).ok()?).ok()?);
            return s.get(4..);
        }
        _ => return None,
    }
    Some(rest)
}

fn hex(s: &str, len: usize) -> Option<&str> {
    s.get(..len).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Reads a character constant, quotes included, as the number it is.
pub(crate) fn char_constant(token: &str) -> Result<Number, String> {
    let mut bytes = Vec::new();
    let rest = unquote_char(&token[1..], '\'', &mut bytes).ok_or("invalid syntax")?;
    if rest != "'" {
        return Err(format!("malformed character constant: {token}"));
    }
    // `'\xff'` is the number 255, not a piece of UTF-8.
    let value = match std::str::from_utf8(&bytes).ok().and_then(|s| s.chars().next()) {
        Some(c) => i64::from(u32::from(c)),
        None => i64::from(bytes[0]),
    };
    Ok(Number::Int(value))
}

/// Reads a number token.
///
/// Source: Go text/template/parse/node.go newNumber.
pub(crate) fn number(token: &str) -> Result<Number, String> {
    if token.ends_with('i') {
        return Err("not supported yet: complex numbers".to_owned());
    }
    let (negative, unsigned) = match token.as_bytes() {
        [b'-', ..] => (true, &token[1..]),
        [b'+', ..] => (false, &token[1..]),
        _ => (false, token),
    };
    let looks_like_float = token.contains(['.', 'e', 'E', 'p', 'P']);
    if let Some((digits, radix)) = integer_digits(unsigned) {
        return match (u64::from_str_radix(&digits, radix), negative) {
            (Ok(n), false) => Ok(i64::try_from(n).map_or(Number::TooLarge, Number::Int)),
            (Ok(n), true) if n <= 1 << 63 => Ok(Number::Int((n as i64).wrapping_neg())),
            _ => Err(format!("integer overflow: {}", quote(token))),
        };
    }
    let is_hex = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    if is_hex && looks_like_float && unsigned.contains(['p', 'P']) {
        return Err("not supported yet: hexadecimal floats".to_owned());
    }
    let plain = unsigned.replace('_', "");
    let well_formed = underscores_separate_digits(unsigned) && !is_hex && looks_like_float;
    match plain.parse::<f64>() {
        Ok(v) if well_formed && v.is_finite() => Ok(Number::Float(if negative { -v } else { v })),
        _ => Err(format!("illegal number syntax: {}", quote(token))),
    }
}

/// Splits an integer literal into digits and base; `None` when it is no integer.
fn integer_digits(text: &str) -> Option<(String, u32)> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match lower.get(..2) {
        Some("0x") => (&lower[2..], 16),
        Some("0o") => (&lower[2..], 8),
        Some("0b") => (&lower[2..], 2),
        _ if lower.len() > 1 && lower.starts_with('0') => (&lower[1..], 8),
        _ => (lower.as_str(), 10),
    };
    let after_prefix = if radix == 10 { digits } else { digits.strip_prefix('_').unwrap_or(digits) };
    let plain = after_prefix.replace('_', "");
    let valid = !plain.is_empty()
        && plain.chars().all(|c| c.is_digit(radix))
        && underscores_separate_digits(after_prefix);
    valid.then_some((plain, radix))
}

fn underscores_separate_digits(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |i: Option<usize>| i.and_then(|i| bytes.get(i)).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(i, &b)| b != b'_' || is_digit(i.checked_sub(1)) && is_digit(Some(i + 1)))
}
