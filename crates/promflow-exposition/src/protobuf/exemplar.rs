//! What metrics and histograms have in common: labels, times and exemplars.

use promflow_model::{Labels, is_legacy_label_name};

use crate::error::Fault;
use crate::text::push_quoted;
use crate::wire::{Fields, Message};
use crate::{LabelIter, OwnedExemplar};

pub(super) fn push_label(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(',');
    }
    if is_legacy_label_name(name) {
        out.push_str(name);
    } else {
        push_quoted(out, name);
    }
    out.push('=');
    push_quoted(out, value);
}

/// Splits a label pair as every library writes it: a short name, then a short value.
fn plain_label(bytes: &[u8]) -> Option<(&str, &str)> {
    let [0x0a, name_length @ 1..=0x7f, rest @ ..] = bytes else {
        return None;
    };
    let (name, rest) = rest.split_at_checked(usize::from(*name_length))?;
    let [0x12, value_length @ 0..=0x7f, value @ ..] = rest else {
        return None;
    };
    if value.len() != usize::from(*value_length) {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
}

pub(super) fn read_label<'a>(message: Message<'a>) -> Result<(&'a str, &'a str), Fault> {
    if let Some(label) = plain_label(message.bytes) {
        return Ok(label);
    }
    let (mut name, mut value) = ("", "");
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => name = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
    }
    if name.is_empty() {
        return Err(Fault::new(message.at, "empty label name"));
    }
    Ok((name, value))
}

/// Reads a timestamp.
///
/// Units: milliseconds since the epoch.
pub(super) fn read_time(message: Message<'_>) -> Result<i64, Fault> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => seconds = field.signed()?,
            2 => nanos = field.signed()?,
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

/// Reads an exemplar: its labels, braced, go into the text; its value and timestamp are returned.
pub(super) fn read_exemplar(message: Message<'_>, labels: &mut String) -> Result<(f64, Option<i64>), Fault> {
    let (mut value, mut t_ms) = (0.0, None);
    labels.clear();
    let mut list = String::new();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next()? {
        match field.number {
            1 => {
                let (name, value) = read_label(field.message()?)?;
                push_label(&mut list, name, value);
            }
            2 => value = field.double()?,
            3 => t_ms = Some(read_time(field.message()?)?),
            _ => {}
        }
    }
    labels.extend(["{", &list, "}"]);
    Ok((value, t_ms))
}

/// Reads an exemplar that is kept.
pub(super) fn read_owned_exemplar(message: Message<'_>) -> Result<OwnedExemplar, Fault> {
    let mut text = String::new();
    let (value, t_ms) = read_exemplar(message, &mut text)?;
    Ok(OwnedExemplar { labels: Labels::from_pairs(LabelIter::of_list(&text)), value, t_ms })
}
