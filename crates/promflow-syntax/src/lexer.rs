//! From text to tokens.
//!
//! What a character means depends on what is open: braces, a bracket, a series description. The states and the
//! places of the messages follow Prometheus's lexer, for both are seen by users.

mod number;
mod quoted;
mod series;

use promflow_model::quote::quote;

use crate::ast::{BinaryOp, Span};
use crate::token::{Builtin, Keyword, Token, TokenKind};

/// Where and why the text stops being PromQL.
pub(crate) struct LexError {
    pub(crate) span: Span,
    pub(crate) message: String,
}

/// Splits a query into tokens, the last of which is `Eof`, or `Error` with the error beside.
pub(crate) fn lex(text: &str) -> (Vec<Token>, Option<LexError>) {
    Lexer::new(text, false).run()
}

/// Splits a series description into tokens.
pub(crate) fn lex_series(text: &str) -> (Vec<Token>, Option<LexError>) {
    Lexer::new(text, true).run()
}

/// What the next character is read as.
#[derive(Clone, Copy)]
enum State {
    /// An expression; also braces and brackets after their first token.
    Statement,
    /// The beginning of a bracket, up to its first number.
    Bracket,
    /// The values of a series description.
    Values,
}

struct Lexer<'a> {
    text: &'a str,
    /// The next character.
    pos: usize,
    /// Where the current token begins.
    start: usize,
    tokens: Vec<Token>,
    state: State,
    paren_depth: usize,
    brace_open: bool,
    bracket_open: bool,
    got_colon: bool,
    /// Whether a number stood at the beginning of any bracket so far.
    got_duration: bool,
    series: bool,
}

type Lexed = Result<(), String>;

impl<'a> Lexer<'a> {
    fn new(text: &'a str, series: bool) -> Self {
        Self {
            text,
            pos: 0,
            start: 0,
            tokens: Vec::new(),
            state: State::Statement,
            paren_depth: 0,
            brace_open: false,
            bracket_open: false,
            got_colon: false,
            got_duration: false,
            series,
        }
    }

    fn run(mut self) -> (Vec<Token>, Option<LexError>) {
        loop {
            let lexed = match self.state {
                State::Values => self.values(),
                State::Statement if self.brace_open => self.braces(),
                State::Statement => self.statement(),
                State::Bracket => self.bracket(),
            };
            if let Err(message) = lexed {
                let span = Span { start: self.start, end: self.text.len() };
                self.tokens.push(Token { kind: TokenKind::Error, span });
                return (self.tokens, Some(LexError { span, message }));
            }
            if self.tokens.last().is_some_and(|t| t.kind == TokenKind::Eof) {
                return (self.tokens, None);
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text[self.pos..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    /// Takes the next character if it is one of these.
    fn accept(&mut self, valid: &str) -> bool {
        let accepted = self.peek().is_some_and(|c| valid.contains(c));
        if accepted {
            self.next();
        }
        accepted
    }

    fn accept_while(&mut self, valid: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&valid) {
            self.next();
        }
    }

    fn emit(&mut self, kind: TokenKind) {
        self.tokens.push(Token { kind, span: Span { start: self.start, end: self.pos } });
        self.start = self.pos;
    }

    fn current(&self) -> &'a str {
        &self.text[self.start..self.pos]
    }

    fn skip_space(&mut self) {
        self.accept_while(is_space);
        self.start = self.pos;
    }

    fn skip_comment(&mut self) {
        self.accept_while(|c| c != '\n' && c != '\r');
        self.start = self.pos;
    }

    fn statement(&mut self) -> Lexed {
        let Some(c) = self.next() else {
            return self.end();
        };
        match c {
            '#' => self.skip_comment(),
            c if is_space(c) => self.skip_space(),
            ',' => self.emit(TokenKind::Comma),
            '*' => self.emit(TokenKind::Op(BinaryOp::Mul)),
            '/' => self.emit(TokenKind::Op(BinaryOp::Div)),
            '%' => self.emit(TokenKind::Op(BinaryOp::Mod)),
            '+' => self.emit(TokenKind::Op(BinaryOp::Add)),
            '-' => self.emit(TokenKind::Op(BinaryOp::Sub)),
            '^' => self.emit(TokenKind::Op(BinaryOp::Pow)),
            '@' => self.emit(TokenKind::At),
            '=' | '!' | '<' | '>' => return self.comparison(c),
            c if c.is_ascii_digit() || (c == '.' && self.digit_follows()) => {
                self.pos = self.start;
                return self.number_or_duration();
            }
            '"' | '\'' | '`' => return self.quoted(c),
            c if is_alpha(c) || c == ':' => return self.word(c),
            '(' => {
                self.emit(TokenKind::LeftParen);
                self.paren_depth += 1;
            }
            ')' => return self.right_paren(),
            '{' => {
                self.emit(TokenKind::LeftBrace);
                self.brace_open = true;
            }
            '[' => return self.left_bracket(),
            ']' => return self.right_bracket(),
            c => return Err(format!("unexpected character: {}", quote_char(c))),
        }
        Ok(())
    }

    fn end(&mut self) -> Lexed {
        if self.paren_depth != 0 {
            return Err("unclosed left parenthesis".to_owned());
        }
        if self.bracket_open {
            return Err("unclosed left bracket".to_owned());
        }
        self.emit(TokenKind::Eof);
        Ok(())
    }

    fn comparison(&mut self, first: char) -> Lexed {
        let second = self.peek();
        let kind = match (first, second) {
            ('=', Some('=')) => TokenKind::Op(BinaryOp::Eq),
            ('=', Some('~')) => {
                return Err(format!("unexpected character after '=': {}", quote_char('~')));
            }
            ('=', _) => {
                self.emit(TokenKind::Equal);
                return Ok(());
            }
            ('!', Some('=')) => TokenKind::Op(BinaryOp::Ne),
            ('!', other) => {
                return Err(format!("unexpected character after '!': {}", quote_next(other)));
            }
            ('<', Some('=')) => TokenKind::Op(BinaryOp::Le),
            ('<', Some('/')) => TokenKind::Op(BinaryOp::TrimUpper),
            ('<', _) => {
                self.emit(TokenKind::Op(BinaryOp::Lt));
                return Ok(());
            }
            (_, Some('=')) => TokenKind::Op(BinaryOp::Ge),
            (_, Some('/')) => TokenKind::Op(BinaryOp::TrimLower),
            (_, _) => {
                self.emit(TokenKind::Op(BinaryOp::Gt));
                return Ok(());
            }
        };
        self.next();
        self.emit(kind);
        Ok(())
    }

    fn right_paren(&mut self) -> Lexed {
        if self.paren_depth == 0 {
            // The place is the one behind the parenthesis, as upstream has it.
            self.start = self.pos;
            return Err("unexpected right parenthesis ')'".to_owned());
        }
        self.emit(TokenKind::RightParen);
        self.paren_depth -= 1;
        Ok(())
    }

    fn left_bracket(&mut self) -> Lexed {
        if self.bracket_open {
            return Err("unexpected left bracket '['".to_owned());
        }
        self.emit(TokenKind::LeftBracket);
        self.got_colon = false;
        self.bracket_open = true;
        self.skip_space();
        self.state = State::Bracket;
        Ok(())
    }

    fn right_bracket(&mut self) -> Lexed {
        if !self.bracket_open {
            return Err("unexpected right bracket ']'".to_owned());
        }
        self.emit(TokenKind::RightBracket);
        self.bracket_open = false;
        self.state = State::Statement;
        Ok(())
    }

    /// Reads a word outside of braces, or a colon inside a bracket.
    fn word(&mut self, first: char) -> Lexed {
        if !self.bracket_open {
            self.accept_while(|c| is_alphanumeric(c) || c == ':');
            self.emit_word();
            if self.series && self.peek() != Some('{') {
                self.state = State::Values;
            }
            return Ok(());
        }
        if first == ':' {
            if self.got_colon {
                return Err(format!("unexpected colon {}", quote_char(first)));
            }
            self.emit(TokenKind::Colon);
            self.got_colon = true;
            return Ok(());
        }
        if self.duration_function() {
            return Ok(());
        }
        Err(format!("unexpected character: {}, expected ':'", quote_char(first)))
    }

    fn emit_word(&mut self) {
        let word = self.current();
        let kind = TokenKind::of_word(word).unwrap_or(if word.contains(':') {
            TokenKind::MetricIdentifier
        } else {
            TokenKind::Identifier
        });
        // These came late to the language: without a parenthesis they are still names.
        let fill = matches!(kind, TokenKind::Keyword(Keyword::Fill | Keyword::FillLeft | Keyword::FillRight));
        if fill && !self.text[self.pos..].trim_start_matches(is_space).starts_with('(') {
            self.emit(TokenKind::Identifier);
        } else {
            self.emit(kind);
        }
    }

    /// Reads a function of duration expressions; its first character has been taken.
    fn duration_function(&mut self) -> bool {
        self.accept_while(is_alpha);
        match TokenKind::of_word(self.current()) {
            Some(
                kind @ TokenKind::Builtin(Builtin::Step | Builtin::Range | Builtin::MinOf | Builtin::MaxOf),
            ) => {
                self.emit(kind);
                true
            }
            _ => false,
        }
    }

    /// Reads a bracket before its first number.
    fn bracket(&mut self) -> Lexed {
        let Some(c) = self.next() else {
            return Err("unexpected end of input in duration expression".to_owned());
        };
        match c {
            ']' => return self.right_bracket(),
            ':' => {
                self.emit(TokenKind::Colon);
                if !self.got_duration {
                    return Err("unexpected colon before duration in duration expression".to_owned());
                }
                if self.got_colon {
                    return Err("unexpected repeated colon in duration expression".to_owned());
                }
                self.got_colon = true;
            }
            '(' => {
                self.emit(TokenKind::LeftParen);
                self.paren_depth += 1;
            }
            ')' => return self.right_paren(),
            c if is_space(c) => self.skip_space(),
            '+' => self.emit(TokenKind::Op(BinaryOp::Add)),
            '-' => self.emit(TokenKind::Op(BinaryOp::Sub)),
            '*' => self.emit(TokenKind::Op(BinaryOp::Mul)),
            '/' => self.emit(TokenKind::Op(BinaryOp::Div)),
            '%' => self.emit(TokenKind::Op(BinaryOp::Mod)),
            '^' => self.emit(TokenKind::Op(BinaryOp::Pow)),
            ',' => self.emit(TokenKind::Comma),
            c if c.is_ascii_digit() || (c == '.' && self.digit_follows()) => {
                self.pos = self.start;
                self.got_duration = true;
                self.state = State::Statement;
                return self.number_or_duration();
            }
            c if is_alpha(c) && self.duration_function() => {}
            c => return Err(format!("unexpected character in duration expression: {}", quote_char(c))),
        }
        Ok(())
    }

    /// Reads the inside of braces, where no word is a keyword.
    fn braces(&mut self) -> Lexed {
        let Some(c) = self.next() else {
            return Err("unexpected end of input inside braces".to_owned());
        };
        match c {
            '#' => self.skip_comment(),
            c if is_space(c) => self.skip_space(),
            c if is_alpha(c) => {
                self.accept_while(is_alphanumeric);
                self.emit(TokenKind::Identifier);
            }
            ',' => self.emit(TokenKind::Comma),
            '"' | '\'' | '`' => return self.quoted(c),
            '=' if self.accept("~") => self.emit(TokenKind::EqualRegex),
            '=' => self.emit(TokenKind::Equal),
            '!' if self.accept("~") => self.emit(TokenKind::NotRegex),
            '!' if self.accept("=") => self.emit(TokenKind::Op(BinaryOp::Ne)),
            '!' => {
                return Err(format!(
                    "unexpected character after '!' inside braces: {}",
                    quote_next(self.peek())
                ));
            }
            '{' => return Err("unexpected left brace '{'".to_owned()),
            '}' => {
                self.emit(TokenKind::RightBrace);
                self.brace_open = false;
                if self.series {
                    self.state = State::Values;
                }
            }
            c => return Err(format!("unexpected character inside braces: {}", quote_char(c))),
        }
        Ok(())
    }

    fn digit_follows(&self) -> bool {
        self.peek().is_some_and(|c| c.is_ascii_digit())
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_alpha(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic()
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

/// Writes a character in single quotes, as Go does.
fn quote_char(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

/// Writes the next character in single quotes; the end of input is what Go makes of no character.
fn quote_next(c: Option<char>) -> String {
    quote_char(c.unwrap_or(char::REPLACEMENT_CHARACTER))
}
