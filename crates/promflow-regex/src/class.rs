use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use crate::parse::{Cursor, Flags};
use crate::{Error, ErrorKind};

/// Script names of four letters; any other name of four letters is an ISO 15924 code, which Go does not take.
const SHORT_SCRIPTS: [&str; 9] = ["ahom", "cham", "kawi", "lisu", "miao", "modi", "newa", "thai", "toto"];

/// Parses a bracketed class, the cursor standing on its `[`.
pub(crate) fn parse_class(cursor: &mut Cursor<'_>, flags: Flags) -> Result<ClassUnicode, Error> {
    let whole = cursor.rest();
    cursor.advance(1);
    let negated = cursor.eat('^');
    let mut class = ClassUnicode::empty();
    let mut ranges = Vec::new();
    let mut first = true;
    while first || !cursor.rest().starts_with(']') {
        first = false;
        if let Some(part) = posix_class(cursor, flags)? {
            class.union(&part);
            continue;
        }
        if let Some(part) = escaped_class(cursor, flags)? {
            class.union(&part);
            continue;
        }
        let start = cursor.rest();
        let lo = class_char(cursor, whole)?;
        let mut hi = lo;
        let rest = cursor.rest();
        // A `-` before the closing bracket stands for itself.
        if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
            cursor.advance(1);
            hi = class_char(cursor, whole)?;
            if hi < lo {
                return Err(Error::new(ErrorKind::InvalidCharRange, cursor.since(start)));
            }
        }
        push_range(&mut ranges, lo, hi);
    }
    cursor.advance(1);
    class.union(&ClassUnicode::new(ranges));
    if flags.fold_case {
        class.case_fold_simple();
    }
    if negated {
        class.negate();
    }
    Ok(class)
}

fn class_char(cursor: &mut Cursor<'_>, whole: &str) -> Result<u32, Error> {
    match cursor.peek() {
        None => Err(Error::new(ErrorKind::MissingBracket, whole)),
        Some('\\') => cursor.escape(),
        Some(c) => {
            cursor.advance(c.len_utf8());
            Ok(u32::from(c))
        }
    }
}

/// Adds a range of code points, surrogates left out because no text holds them.
fn push_range(ranges: &mut Vec<ClassUnicodeRange>, lo: u32, hi: u32) {
    let below = (lo, hi.min(0xd7ff));
    let above = (lo.max(0xe000), hi);
    for (lo, hi) in [below, above] {
        if let (true, Some(lo), Some(hi)) = (lo <= hi, char::from_u32(lo), char::from_u32(hi)) {
            ranges.push(ClassUnicodeRange::new(lo, hi));
        }
    }
}

fn from_table(table: &[(char, char)], negated: bool, flags: Flags) -> ClassUnicode {
    let mut class = ClassUnicode::new(table.iter().map(|&(lo, hi)| ClassUnicodeRange::new(lo, hi)));
    if flags.fold_case {
        class.case_fold_simple();
    }
    if negated {
        class.negate();
    }
    class
}

/// Parses `\d`, `\s`, `\w`, `\pN`, `\p{Greek}` and their negations; `None` when the cursor stands on something else.
pub(crate) fn escaped_class(cursor: &mut Cursor<'_>, flags: Flags) -> Result<Option<ClassUnicode>, Error> {
    let mut chars = cursor.rest().chars();
    if chars.next() != Some('\\') {
        return Ok(None);
    }
    let Some(kind) = chars.next() else { return Ok(None) };
    let table: &[(char, char)] = match kind.to_ascii_lowercase() {
        'd' => &[('0', '9')],
        's' => &[('\t', '\n'), ('\x0c', '\r'), (' ', ' ')],
        'w' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        'p' => return unicode_class(cursor, flags).map(Some),
        _ => return Ok(None),
    };
    cursor.advance(2);
    Ok(Some(from_table(table, kind.is_ascii_uppercase(), flags)))
}

fn posix_class(cursor: &mut Cursor<'_>, flags: Flags) -> Result<Option<ClassUnicode>, Error> {
    let rest = cursor.rest();
    let Some(body) = rest.strip_prefix("[:") else { return Ok(None) };
    let Some(end) = body.find(":]") else { return Ok(None) };
    let name = &body[..end];
    let (negated, bare) = match name.strip_prefix('^') {
        Some(bare) => (true, bare),
        None => (false, name),
    };
    let table: &[(char, char)] = match bare {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7f')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1f'), ('\x7f', '\x7f')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return Err(Error::new(ErrorKind::InvalidCharRange, &rest[..end + 4])),
    };
    cursor.advance(end + 4);
    Ok(Some(from_table(table, negated, flags)))
}

fn unicode_class(cursor: &mut Cursor<'_>, flags: Flags) -> Result<ClassUnicode, Error> {
    let start = cursor.rest();
    let mut negated = start.starts_with("\\P");
    cursor.advance(2);
    let name = if cursor.eat('{') {
        let Some(end) = cursor.rest().find('}') else {
            return Err(Error::new(ErrorKind::InvalidCharRange, start));
        };
        let name = &cursor.rest()[..end];
        cursor.advance(end + 1);
        name
    } else {
        let rest = cursor.rest();
        cursor.advance(rest.chars().next().map_or(0, char::len_utf8));
        &rest[..rest.len() - cursor.rest().len()]
    };
    let name = match name.strip_prefix('^') {
        Some(name) => {
            negated = !negated;
            name
        }
        None => name,
    };
    let Some(mut class) = unicode_table(name) else {
        return Err(Error::new(ErrorKind::InvalidCharRange, cursor.since(start)));
    };
    if flags.fold_case {
        class.case_fold_simple();
    }
    if negated {
        class.negate();
    }
    Ok(class)
}

/// Finds a general category or a script by the names Go has for them, compared without case, `_`, `-` and spaces.
fn unicode_table(name: &str) -> Option<ClassUnicode> {
    let name: String =
        name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    if !name.bytes().all(|b| b.is_ascii_alphanumeric()) || name.starts_with("is") {
        return None;
    }
    match name.as_str() {
        "any" => return Some(ClassUnicode::new([ClassUnicodeRange::new('\0', char::MAX)])),
        "ascii" => return Some(ClassUnicode::new([ClassUnicodeRange::new('\0', '\x7f')])),
        "assigned" => {
            let mut class = property("gc", "cn")?;
            class.negate();
            return Some(class);
        }
        "cs" | "surrogate" => return Some(ClassUnicode::empty()),
        "lc" => return property("gc", "casedletter"),
        _ => {}
    }
    property("gc", &name).or_else(|| {
        let is_code = name.len() == 4 && !SHORT_SCRIPTS.contains(&name.as_str());
        if is_code { None } else { property("sc", &name) }
    })
}

fn property(kind: &str, name: &str) -> Option<ClassUnicode> {
    let hir = regex_syntax::parse(&format!("\\p{{{kind}={name}}}")).ok()?;
    match hir.into_kind() {
        HirKind::Class(Class::Unicode(class)) => Some(class),
        _ => None,
    }
}
