//! Numbers and durations.

use promflow_model::quote::quote;

use super::{Lexed, Lexer, is_alphanumeric};
use crate::token::TokenKind;

const DECIMAL: &str = "0123456789";
const HEXADECIMAL: &str = "0123456789abcdefABCDEF";

impl Lexer<'_> {
    pub(super) fn number_or_duration(&mut self) -> Lexed {
        if self.scan_number() {
            self.emit(TokenKind::Number);
            return Ok(());
        }
        if self.scan_duration() {
            self.emit(TokenKind::Duration);
            return Ok(());
        }
        Err(format!("bad number or duration syntax: {}", quote(self.current())))
    }

    pub(super) fn number(&mut self) -> Lexed {
        if self.scan_number() {
            self.emit(TokenKind::Number);
            return Ok(());
        }
        Err(format!("bad number syntax: {}", quote(self.current())))
    }

    /// Takes what looks like a number; whether it is one, the parser finds out.
    ///
    /// On failure the characters taken stay taken: messages show them.
    fn scan_number(&mut self) -> bool {
        let begin = self.pos;
        let mut digits = DECIMAL;
        // In a series description `0x3` is a repetition.
        if !self.series && self.accept("0") && self.accept("xX") {
            self.accept("_");
            digits = HEXADECIMAL;
        }
        self.accept(".");
        self.accept(digits);
        let (mut dot, mut exponent) = (false, false);
        while let Some(c) = self.peek() {
            if matches!(c, 'e' | 'E') {
                if exponent {
                    self.next();
                    return false;
                }
                exponent = true;
                self.next();
                self.accept("+-");
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if c == '.' {
                if dot {
                    self.next();
                    return false;
                }
                dot = true;
                self.next();
                if self.accept("_.") || digits == HEXADECIMAL {
                    return false;
                }
            } else if c == '_' {
                self.next();
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if digits.contains(c) {
                self.accept_while(|c| digits.contains(c));
            } else {
                break;
            }
        }
        if self.pos == begin {
            return false;
        }
        match self.peek() {
            Some('x') if self.series => true,
            Some(c) => !is_alphanumeric(c),
            None => true,
        }
    }

    /// Takes the rest of a duration whose first digits have been taken.
    fn scan_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept(DECIMAL) {
            self.accept_while(|c| c.is_ascii_digit());
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        match self.peek() {
            Some(c) if is_alphanumeric(c) => {
                self.next();
                false
            }
            _ => true,
        }
    }
}
