//! The values of a series description.

use super::{Lexed, Lexer, State, is_alpha, is_space, quote_char};
use crate::ast::BinaryOp;
use crate::token::TokenKind;

impl Lexer<'_> {
    pub(super) fn values(&mut self) -> Lexed {
        let Some(c) = self.next() else {
            self.state = State::Statement;
            return self.end();
        };
        match c {
            '{' if self.peek() == Some('{') => {
                self.next();
                self.emit(TokenKind::OpenHistogram);
            }
            c if is_space(c) => {
                self.emit(TokenKind::Space);
                self.skip_space();
            }
            '+' => self.emit(TokenKind::Op(BinaryOp::Add)),
            '-' => self.emit(TokenKind::Op(BinaryOp::Sub)),
            'x' => self.emit(TokenKind::Times),
            '_' => self.emit(TokenKind::Blank),
            c if c.is_ascii_digit() || (c == '.' && self.digit_follows()) => {
                self.pos = self.start;
                return self.number();
            }
            c if is_alpha(c) => return self.word(c),
            c => return Err(format!("unexpected character in series sequence: {}", quote_char(c))),
        }
        Ok(())
    }
}
