//! Series descriptions of test files.

use promflow_model::Labels;

use super::{Parsed, Parser, SERIES_VALUES_MAX, Stop};
use crate::token::TokenKind;

const CONTEXT: &str = "series values";

/// A series as a test file describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesDescription {
    /// The labels, with the metric name.
    pub labels: Labels,
    /// One value per step.
    pub values: Vec<SequenceValue>,
}

/// One value of a described series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SequenceValue {
    /// A float sample.
    Float(f64),
    /// No sample.
    Omitted,
    /// A stale marker.
    Stale,
}

impl Parser<'_> {
    pub(super) fn series_description(&mut self) -> Parsed<SeriesDescription> {
        let labels = self.metric()?;
        let mut values = Vec::new();
        while self.accept(TokenKind::Space).is_some() {
            if !matches!(self.peek().kind, TokenKind::Space | TokenKind::Eof) {
                self.series_item(&mut values)?;
            }
        }
        self.expect(TokenKind::Eof, CONTEXT, "")?;
        Ok(SeriesDescription { labels, values })
    }

    /// Parses a value, with its repetitions.
    fn series_item(&mut self, values: &mut Vec<SequenceValue>) -> Parsed<()> {
        if self.accept(TokenKind::Blank).is_some() {
            let count = if self.accept(TokenKind::Times).is_some() { self.repetitions()? } else { 1 };
            self.reserve(values, count)?;
            values.extend((0..count).map(|_| SequenceValue::Omitted));
            return Ok(());
        }
        let first = self.series_value()?;
        let increment = match first {
            SequenceValue::Float(_) | SequenceValue::Stale => match self.sign() {
                Some(sign) => Some(sign * self.series_number()?),
                None => None,
            },
            SequenceValue::Omitted => None,
        };
        // One more than said: the value at the beginning is no repetition.
        let count = if increment.is_some() {
            self.expect(TokenKind::Times, CONTEXT, "")?;
            self.repetitions()?.saturating_add(1)
        } else if self.accept(TokenKind::Times).is_some() {
            self.repetitions()?.saturating_add(1)
        } else {
            1
        };
        self.reserve(values, count)?;
        let mut value = first;
        for _ in 0..count {
            values.push(value);
            if let (SequenceValue::Float(v), Some(increment)) = (&mut value, increment) {
                *v += increment;
            }
        }
        Ok(())
    }

    fn series_value(&mut self) -> Parsed<SequenceValue> {
        let token = self.peek();
        match token.kind {
            TokenKind::Identifier if self.text_of(token) == "stale" => {
                self.advance();
                Ok(SequenceValue::Stale)
            }
            TokenKind::Identifier => Err(self.unexpected(CONTEXT, "number or \"stale\"")),
            TokenKind::OpenHistogram => {
                self.error(token.span, "not supported yet: native histograms");
                Err(Stop)
            }
            _ => {
                let sign = self.sign();
                let value = self.series_number()?;
                Ok(SequenceValue::Float(sign.map_or(value, |sign| sign * value)))
            }
        }
    }

    fn series_number(&mut self) -> Parsed<f64> {
        match self.accept_number() {
            Some((_, value)) => Ok(value),
            None => Err(self.unexpected(CONTEXT, "")),
        }
    }

    fn repetitions(&mut self) -> Parsed<usize> {
        let token = self.expect(TokenKind::Number, CONTEXT, "")?;
        let text = self.text_of(token);
        if let Ok(count) = text.parse() {
            return Ok(count);
        }
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        let reason = if digits { "value out of range" } else { "invalid syntax" };
        let message =
            format!("invalid repetition in series values: strconv.ParseUint: parsing \"{text}\": {reason}");
        self.error(token.span, message);
        Err(Stop)
    }

    fn reserve(&mut self, values: &[SequenceValue], more: usize) -> Parsed<()> {
        if values.len().saturating_add(more) <= SERIES_VALUES_MAX {
            return Ok(());
        }
        let span = self.tokens[self.next.saturating_sub(1)].span;
        self.error(span, format!("series has more than {SERIES_VALUES_MAX} values"));
        Err(Stop)
    }
}
