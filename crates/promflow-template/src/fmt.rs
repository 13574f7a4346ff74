//! Go's `fmt`: `Sprint`, `Sprintln` and `Sprintf` for the values a template can hold.

use promflow_model::quote::quote;

use crate::OUTPUT_BYTES_MAX;
use crate::gofloat::{format_float, with_point};
use crate::gotime;
use crate::value::Value;

/// Widths, precisions and argument numbers above this are an error in Go.
const NUMBER_MAX: usize = 1_000_000;

#[derive(Default, Clone)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// Writes values next to each other, with a space between two that are no strings.
pub(crate) fn sprint(values: &[Value<'_>]) -> Result<String, String> {
    let mut out = Printer::default();
    let mut after_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !after_text && !is_text {
            out.text.push(' ');
        }
        out.value(value, 'v', &Flags::default(), 0)?;
        after_text = is_text;
    }
    Ok(out.text)
}

/// Writes values with spaces between them and a newline behind.
pub(crate) fn sprintln(values: &[Value<'_>]) -> Result<String, String> {
    let mut out = Printer::default();
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.text.push(' ');
        }
        out.value(value, 'v', &Flags::default(), 0)?;
    }
    out.text.push('\n');
    Ok(out.text)
}

/// Writes values by a format.
pub(crate) fn sprintf(format: &str, values: &[Value<'_>]) -> Result<String, String> {
    let mut out = Printer::default();
    let mut formatter =
        Formatter { rest: format, values, next: 0, reordered: false, good_index: true, after_index: false };
    while let Some(at) = formatter.rest.find('%') {
        out.text.push_str(&formatter.rest[..at]);
        formatter.rest = &formatter.rest[at + 1..];
        formatter.verb(&mut out)?;
        out.check()?;
    }
    out.text.push_str(formatter.rest);
    if !formatter.reordered && formatter.next < values.len() {
        out.text.push_str("%!(EXTRA ");
        for (i, value) in values[formatter.next..].iter().enumerate() {
            if i > 0 {
                out.text.push_str(", ");
            }
            if !matches!(value, Value::Nil) {
                out.text.push_str(value.type_name());
                out.text.push('=');
            }
            out.value(value, 'v', &Flags::default(), 0)?;
        }
        out.text.push(')');
    }
    out.check()?;
    Ok(out.text)
}

struct Formatter<'f, 'v, 'a> {
    rest: &'f str,
    values: &'v [Value<'a>],
    next: usize,
    reordered: bool,
    good_index: bool,
    after_index: bool,
}

impl Formatter<'_, '_, '_> {
    /// Handles one directive, its `%` read already.
    fn verb(&mut self, out: &mut Printer) -> Result<(), String> {
        self.good_index = true;
        self.after_index = false;
        let mut flags = Flags::default();
        while let Some(c) = self.rest.chars().next() {
            match c {
                '#' => flags.sharp = true,
                '0' => flags.zero = true,
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                ' ' => flags.space = true,
                _ => break,
            }
            self.rest = &self.rest[1..];
        }
        self.index();
        self.width(out, &mut flags);
        self.precision(out, &mut flags);
        if !self.after_index {
            self.index();
        }
        let Some(verb) = self.rest.chars().next() else {
            out.text.push_str("%!(NOVERB)");
            return Ok(());
        };
        self.rest = &self.rest[verb.len_utf8()..];
        match self.values.get(self.next) {
            _ if verb == '%' => out.text.push('%'),
            _ if !self.good_index => out.text.push_str(&format!("%!{verb}(BADINDEX)")),
            None => out.text.push_str(&format!("%!{verb}(MISSING)")),
            Some(value) => {
                self.next += 1;
                let is_struct = matches!(value, Value::Samples(_) | Value::Sample(_) | Value::Data(_));
                if verb == 'v' && (flags.sharp || flags.plus && is_struct) || verb == 'p' {
                    let flag = if flags.sharp { "#" } else { "" };
                    return Err(format!("not supported yet: verb %{flag}{verb} for {}", value.type_name()));
                }
                flags.plus &= verb != 'v';
                out.value(value, verb, &flags, 0)?;
            }
        }
        Ok(())
    }

    /// Reads an explicit argument number, `[2]`.
    fn index(&mut self) {
        let Some(body) = self.rest.strip_prefix('[') else { return };
        self.reordered = true;
        let Some((number, after)) = body.split_once(']') else {
            self.good_index = false;
            self.rest = body;
            return;
        };
        self.rest = after;
        match number.parse::<usize>() {
            Ok(n) if number.bytes().all(|b| b.is_ascii_digit()) => {
                self.after_index = true;
                if (1..=self.values.len()).contains(&n) {
                    self.next = n - 1;
                } else {
                    self.good_index = false;
                }
            }
            _ => self.good_index = false,
        }
    }

    fn width(&mut self, out: &mut Printer, flags: &mut Flags) {
        if let Some(after) = self.rest.strip_prefix('*') {
            self.rest = after;
            match self.int_argument() {
                Some(n) => {
                    if n < 0 {
                        flags.minus = true;
                        flags.zero = false;
                    }
                    flags.width = Some(n.unsigned_abs() as usize);
                }
                None => out.text.push_str("%!(BADWIDTH)"),
            }
            self.after_index = false;
            return;
        }
        flags.width = self.number();
        if self.after_index && flags.width.is_some() {
            self.good_index = false;
        }
    }

    fn precision(&mut self, out: &mut Printer, flags: &mut Flags) {
        let Some(after) = self.rest.strip_prefix('.').filter(|after| !after.is_empty()) else { return };
        self.rest = after;
        if self.after_index {
            self.good_index = false;
        }
        self.after_index = false;
        self.index();
        if let Some(after) = self.rest.strip_prefix('*') {
            self.rest = after;
            flags.precision = self.int_argument().and_then(|n| usize::try_from(n).ok());
            if flags.precision.is_none() {
                out.text.push_str("%!(BADPREC)");
            }
            self.after_index = false;
            return;
        }
        flags.precision = Some(self.number().unwrap_or(0));
    }

    fn number(&mut self) -> Option<usize> {
        let len = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = self.rest.split_at(len);
        if digits.is_empty() {
            return None;
        }
        self.rest = after;
        digits.parse().ok().filter(|n| *n <= NUMBER_MAX)
    }

    fn int_argument(&mut self) -> Option<i64> {
        let value = self.values.get(self.next);
        self.next += usize::from(value.is_some());
        match value {
            Some(Value::Int(n)) if n.unsigned_abs() <= NUMBER_MAX as u64 => Some(*n),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Printer {
    text: String,
}

impl Printer {
    fn check(&self) -> Result<(), String> {
        if self.text.len() > OUTPUT_BYTES_MAX {
            return Err(format!("text longer than {OUTPUT_BYTES_MAX} bytes"));
        }
        Ok(())
    }

    fn value(&mut self, value: &Value<'_>, verb: char, flags: &Flags, depth: usize) -> Result<(), String> {
        self.check()?;
        if verb == 'T' {
            self.padded(&flags_text(value.type_name(), flags), flags);
            return Ok(());
        }
        match value {
            Value::Nil if verb == 'v' => self.padded("<nil>", flags),
            Value::Bool(b) if matches!(verb, 'v' | 't') => self.padded(&b.to_string(), flags),
            Value::Int(n) if "vdbcoOqxXU".contains(verb) => self.integer(*n, verb, flags),
            Value::Byte(n) if "vdbcoOqxXU".contains(verb) => self.integer(i64::from(*n), verb, flags),
            Value::Float(v) if "vgGeEfF".contains(verb) => self.float(*v, verb, flags),
            Value::Text(s) if "vsqxX".contains(verb) => self.string(s, verb, flags),
            Value::Time(t) if "vsqxX".contains(verb) => {
                self.string(&gotime::time_string(*t), verb, flags);
            }
            Value::Duration(ns) if "vsqxX".contains(verb) => {
                self.string(&gotime::duration_string(*ns), verb, flags);
            }
            Value::Labels(labels) => {
                let entries = labels.iter().map(|(name, value)| (name, Value::text(value)));
                self.map(entries, verb, flags, depth)?;
            }
            Value::Args(args) => {
                let entries = args.entries.iter().map(|(name, value)| (name.as_str(), value.clone()));
                self.map(entries, verb, flags, depth)?;
            }
            Value::Samples(samples) => {
                let items = samples.iter().map(|sample| Value::Sample(sample.clone()));
                self.list(('[', ']'), items, verb, flags, depth)?;
            }
            Value::Sample(sample) => {
                self.text.push_str(if depth == 0 { "&" } else { "" });
                let fields = [Value::Labels(sample.labels.clone()), Value::Float(sample.value)];
                self.list(('{', '}'), fields.into_iter(), verb, flags, depth)?;
            }
            Value::Data(data) => {
                let fields = [
                    Value::Labels(data.labels.clone()),
                    Value::Labels(data.external_labels.clone()),
                    Value::text(data.external_url),
                    Value::Float(data.value),
                ];
                self.list(('{', '}'), fields.into_iter(), verb, flags, depth)?;
            }
            Value::Nil => self.text.push_str(&format!("%!{verb}(<nil>)")),
            Value::Float(_) if matches!(verb, 'b' | 'x' | 'X') => {
                return Err(format!("not supported yet: verb %{verb} for float64"));
            }
            Value::Bool(_)
            | Value::Int(_)
            | Value::Byte(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::Time(_)
            | Value::Duration(_) => {
                self.text.push_str(&format!("%!{verb}({}=", value.type_name()));
                self.value(value, 'v', flags, depth)?;
                self.text.push(')');
            }
        }
        Ok(())
    }

    fn map<'n, 'a>(
        &mut self,
        entries: impl Iterator<Item = (&'n str, Value<'a>)>,
        verb: char,
        flags: &Flags,
        depth: usize,
    ) -> Result<(), String> {
        self.text.push_str("map[");
        for (i, (name, value)) in entries.enumerate() {
            if i > 0 {
                self.text.push(' ');
            }
            self.value(&Value::text(name), verb, flags, depth + 1)?;
            self.text.push(':');
            self.value(&value, verb, flags, depth + 1)?;
        }
        self.text.push(']');
        Ok(())
    }

    fn list<'a>(
        &mut self,
        (open, close): (char, char),
        items: impl Iterator<Item = Value<'a>>,
        verb: char,
        flags: &Flags,
        depth: usize,
    ) -> Result<(), String> {
        self.text.push(open);
        for (i, item) in items.enumerate() {
            if i > 0 {
                self.text.push(' ');
            }
            self.value(&item, verb, flags, depth + 1)?;
        }
        self.text.push(close);
        Ok(())
    }

    fn padded(&mut self, text: &str, flags: &Flags) {
        let missing = flags.width.unwrap_or(0).saturating_sub(text.chars().count());
        let fill = if flags.zero && !flags.minus { '0' } else { ' ' };
        if !flags.minus {
            self.text.extend(std::iter::repeat_n(fill, missing));
        }
        self.text.push_str(text);
        if flags.minus {
            self.text.extend(std::iter::repeat_n(' ', missing));
        }
    }

    fn string(&mut self, s: &str, verb: char, flags: &Flags) {
        match verb {
            'q' => {
                let s = flags_text(s, flags);
                let raw = flags.sharp && !s.contains(|c: char| c == '`' || c.is_control() && c != '\t');
                let quoted = if raw { format!("`{s}`") } else { quote(&s) };
                self.padded(&if flags.plus { ascii_only(&quoted) } else { quoted }, flags);
            }
            'x' | 'X' => {
                let bytes = &s.as_bytes()[..flags.precision.unwrap_or(s.len()).min(s.len())];
                let separator = if flags.space { " " } else { "" };
                let hex: Vec<String> = bytes
                    .iter()
                    .enumerate()
                    .map(|(i, b)| {
                        let prefix = if flags.sharp && (i == 0 || flags.space) { "0x" } else { "" };
                        format!("{prefix}{b:02x}")
                    })
                    .collect();
                let hex = hex.join(separator);
                self.padded(&if verb == 'X' { hex.to_uppercase() } else { hex }, flags);
            }
            _ => self.padded(&flags_text(s, flags), flags),
        }
    }

    fn integer(&mut self, n: i64, verb: char, flags: &Flags) {
        let digits = match verb {
            'b' => format!("{:b}", n.unsigned_abs()),
            'o' | 'O' => format!("{:o}", n.unsigned_abs()),
            'x' => format!("{:x}", n.unsigned_abs()),
            'X' => format!("{:X}", n.unsigned_abs()),
            'c' | 'q' => {
                let c = u32::try_from(n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
                let text = if verb == 'c' { c.to_string() } else { quote_char(c) };
                return self.padded(&text, flags);
            }
            'U' => {
                let width = flags.precision.unwrap_or(4).max(4);
                let c = u32::try_from(n).ok().and_then(char::from_u32).filter(|_| flags.sharp);
                let shown = c.map(|c| format!(" '{c}'")).unwrap_or_default();
                let flags = Flags { zero: false, ..flags.clone() };
                return self.padded(&format!("U+{n:0width$X}{shown}"), &flags);
            }
            _ => n.unsigned_abs().to_string(),
        };
        if flags.precision == Some(0) && n == 0 {
            let flags = Flags { zero: false, ..flags.clone() };
            return self.padded("", &flags);
        }
        let sign = match n {
            ..0 => "-",
            _ if flags.plus => "+",
            _ if flags.space => " ",
            _ => "",
        };
        let to_width = flags.width.filter(|_| flags.zero && !flags.minus).unwrap_or(0);
        let len = flags.precision.unwrap_or(to_width.saturating_sub(sign.len()));
        let zeros = "0".repeat(len.saturating_sub(digits.len()));
        let prefix = match verb {
            'O' => "0o",
            'b' if flags.sharp => "0b",
            'x' if flags.sharp => "0x",
            'X' if flags.sharp => "0X",
            'o' if flags.sharp && zeros.is_empty() && digits != "0" => "0",
            _ => "",
        };
        let flags = Flags { zero: false, ..flags.clone() };
        self.padded(&format!("{sign}{prefix}{zeros}{digits}"), &flags);
    }

    fn float(&mut self, v: f64, verb: char, flags: &Flags) {
        let default = if "eEfF".contains(verb) { Some(6) } else { None };
        let mut text = format_float(v.abs(), verb, flags.precision.or(default));
        if flags.sharp && v.is_finite() {
            text = with_point(&text, verb, flags.precision);
        }
        let sign = match v {
            _ if v.is_nan() => "",
            _ if v.is_sign_negative() => "-",
            _ => "+",
        };
        let shown = match sign {
            "-" => "-",
            _ if flags.plus => "+",
            _ if flags.space => " ",
            // Infinity keeps its sign.
            _ if v.is_infinite() => "+",
            _ => "",
        };
        let text = text.trim_start_matches('+');
        if !v.is_finite() || !flags.zero || flags.minus {
            let flags = Flags { zero: false, ..flags.clone() };
            return self.padded(&format!("{shown}{text}"), &flags);
        }
        let missing = flags.width.unwrap_or(0).saturating_sub(shown.len() + text.len());
        self.text.push_str(shown);
        self.text.extend(std::iter::repeat_n('0', missing));
        self.text.push_str(text);
    }
}

/// Cuts a text to the precision, in characters.
fn flags_text(s: &str, flags: &Flags) -> String {
    match flags.precision {
        Some(n) => s.chars().take(n).collect(),
        None => s.to_owned(),
    }
}

fn ascii_only(quoted: &str) -> String {
    let mut out = String::new();
    for c in quoted.chars() {
        match u32::from(c) {
            code @ 0x80..=0xffff => out.push_str(&format!("\\u{code:04x}")),
            code @ 0x1_0000.. => out.push_str(&format!("\\U{code:08x}")),
            _ => out.push(c),
        }
    }
    out
}

fn quote_char(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = quote(&c.to_string());
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}
