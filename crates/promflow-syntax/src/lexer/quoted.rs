//! Quoted strings: only where they end, and that their escapes are sound.

use super::{Lexed, Lexer, quote_char};
use crate::token::TokenKind;

impl Lexer<'_> {
    /// Reads a string; its opening quote has been taken.
    pub(super) fn quoted(&mut self, quote: char) -> Lexed {
        let raw = quote == '`';
        loop {
            match self.next() {
                None if raw => return Err("unterminated raw string".to_owned()),
                None => return Err("unterminated quoted string".to_owned()),
                Some('\n') if !raw => return Err("unterminated quoted string".to_owned()),
                // Go cannot tell it from broken UTF-8.
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".to_owned()),
                Some('\\') if !raw => self.escape(quote)?,
                Some(c) if c == quote => break,
                Some(_) => {}
            }
        }
        self.emit(TokenKind::String);
        Ok(())
    }

    fn escape(&mut self, quote: char) -> Lexed {
        let Some(c) = self.next() else {
            return Err("escape sequence not terminated".to_owned());
        };
        let (digits, base, max, first) = match c {
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\' => return Ok(()),
            c if c == quote => return Ok(()),
            '0'..='7' => (3, 8, 255, Some(c)),
            'x' => (2, 16, 255, self.next()),
            'u' => (4, 16, u32::from(char::MAX), self.next()),
            'U' => (8, 16, u32::from(char::MAX), self.next()),
            c => return Err(format!("unknown escape sequence {}", code_point(c))),
        };
        let mut value: u32 = 0;
        let mut next = first;
        for left in (0..digits).rev() {
            let Some(c) = next else {
                return Err("escape sequence not terminated".to_owned());
            };
            let Some(digit) = c.to_digit(base) else {
                return Err(format!("illegal character {} in escape sequence", code_point(c)));
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
            if left > 0 {
                next = self.next();
            }
        }
        if value > max || (0xd800..0xe000).contains(&value) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }
}

/// Writes a character as Go's `%#U`.
fn code_point(c: char) -> String {
    let quoted =
        if c.is_control() { String::new() } else { format!(" {}", quote_char(c).replace("\\'", "'")) };
    format!("U+{:04X}{quoted}", u32::from(c))
}
