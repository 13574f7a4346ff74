//! The values of numbers and strings, as Go reads them.

/// Reads a number: Go's integers of any base, else a float.
///
/// Errors: Go's text.
/// Source: strconv.ParseInt with base 0, then strconv.ParseFloat.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    if let Some(integer) = integer(text) {
        return Ok(integer as f64);
    }
    let syntax = || format!("strconv.ParseFloat: parsing \"{text}\": invalid syntax");
    if !underscores_separate_digits(text) || text.starts_with("0x") || text.starts_with("0X") {
        return Err(syntax());
    }
    let value: f64 = text.replace('_', "").parse().map_err(|_| syntax())?;
    if value.is_infinite() && text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(format!("strconv.ParseFloat: parsing \"{text}\": value out of range"));
    }
    Ok(value)
}

/// Reads an integer with the base that its prefix names; `None` for what is no integer or too large.
fn integer(text: &str) -> Option<i64> {
    if !underscores_separate_digits(text) {
        return None;
    }
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&digits.replace('_', ""), base).ok()
}

/// Says whether every underscore has a digit, or the prefix of a base, before it and a digit behind it.
fn underscores_separate_digits(text: &str) -> bool {
    let hexadecimal = text.starts_with("0x") || text.starts_with("0X");
    let digit = |c: char| c.is_ascii_digit() || (hexadecimal && c.is_ascii_hexdigit());
    let mut last = if hexadecimal { '0' } else { '^' };
    for c in text.chars().skip(if hexadecimal { 2 } else { 0 }) {
        let sound = match c {
            '_' => digit(last),
            c if digit(c) => true,
            _ => last != '_',
        };
        if !sound {
            return false;
        }
        last = c;
    }
    last != '_'
}

/// Takes the quotes off a string whose escapes the lexer has found sound.
///
/// Errors: the bytes that the escapes spell are not UTF-8.
pub(crate) fn unquote(quoted: &str) -> Result<String, String> {
    let inner = &quoted[1..quoted.len() - 1];
    if quoted.starts_with('`') || !inner.contains('\\') {
        return Ok(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        rest = unescape(after, &mut bytes);
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).map_err(|_| "not supported yet: strings that are not UTF-8".to_owned())
}

/// Writes what the escape after a backslash stands for, and returns the text behind it.
fn unescape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let first = text.as_bytes().first().copied().unwrap_or(b'\\');
    let (digits, base, prefix) = match first {
        b'0'..=b'7' => (3, 8, 0),
        b'x' => (2, 16, 1),
        b'u' => (4, 16, 1),
        b'U' => (8, 16, 1),
        _ => {
            bytes.push(match first {
                b'a' => 7,
                b'b' => 8,
                b'f' => 12,
                b'n' => b'\n',
                b'r' => b'\r',
                b't' => b'\t',
                b'v' => 11,
                other => other,
            });
            return &text[1..];
        }
    };
    let end = prefix + digits;
    let value =
        u32::from_str_radix(&text[prefix..end], base).expect("BUG: the lexer checks the digits of escapes");
    if matches!(first, b'u' | b'U') {
        let c = char::from_u32(value).expect("BUG: the lexer checks the code points of escapes");
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        bytes.push(value as u8);
    }
    &text[end..]
}
