use std::borrow::Cow;

use promflow_model::quote::quote;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Eof,
    Text,
    LeftDelim,
    RightDelim,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Comma,
    /// Another printable character that no action begins with.
    Char,
    Field,
    Variable,
    Identifier,
    Bool,
    CharConstant,
    Complex,
    Number,
    Quoted,
    RawQuoted,
    // The words with a meaning of their own.
    Dot,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    fn is_keyword(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Dot | Block | Break | Continue | Define | Else | End | If | Nil | Range | Template | With
        )
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Token<'t> {
    pub(crate) kind: Kind,
    pub(crate) pos: usize,
    pub(crate) text: Cow<'t, str>,
}

impl Token<'_> {
    pub(crate) fn end(&self) -> usize {
        if matches!(self.kind, Kind::Eof | Kind::Error) { self.pos } else { self.pos + self.text.len() }
    }

    /// Names the token in an error, as Go does.
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.to_string(),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            _ if self.text.len() > 10 => {
                format!("{}...", quote(&self.text.chars().take(10).collect::<String>()))
            }
            _ => quote(&self.text),
        }
    }
}

/// Splits a template into tokens, on demand.
///
/// Source: Go text/template/parse/lex.go.
pub(crate) struct Lexer<'t> {
    input: &'t str,
    pos: usize,
    start: usize,
    inside_action: bool,
    paren_depth: usize,
}

const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

fn is_space(c: char) -> bool {
    SPACES.contains(&c)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Tells whether Go would print the character as it is.
pub(crate) fn is_printable(c: char) -> bool {
    c == '"' || c == '\\' || quote(c.encode_utf8(&mut [0; 4])).len() == c.len_utf8() + 2
}

/// Writes a character as Go's `%#U`.
fn code_point(c: char) -> String {
    let code = format!("U+{:04X}", u32::from(c));
    if is_printable(c) { format!("{code} '{c}'") } else { code }
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(input: &'t str) -> Lexer<'t> {
        Lexer { input, pos: 0, start: 0, inside_action: false, paren_depth: 0 }
    }

    pub(crate) fn next(&mut self) -> Token<'t> {
        self.start = self.pos;
        if self.inside_action { self.action() } else { self.text() }
    }

    fn rest(&self) -> &'t str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|c| valid.contains(c));
        if found {
            self.bump();
        }
        found
    }

    fn accept_run(&mut self, valid: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&valid) {
            self.bump();
        }
    }

    fn token(&self, kind: Kind) -> Token<'t> {
        Token { kind, pos: self.start, text: Cow::Borrowed(&self.input[self.start..self.pos]) }
    }

    /// Ends the scan: after an error there is nothing but the end.
    fn error(&mut self, message: impl Into<String>) -> Token<'t> {
        let token = Token { kind: Kind::Error, pos: self.start, text: Cow::Owned(message.into()) };
        self.pos = self.input.len();
        self.inside_action = false;
        token
    }

    fn text(&mut self) -> Token<'t> {
        loop {
            self.start = self.pos;
            let Some(at) = self.rest().find("{{") else {
                self.pos = self.input.len();
                return self.token(if self.start < self.pos { Kind::Text } else { Kind::Eof });
            };
            let delim = self.pos + at;
            let after = &self.input[delim + 2..];
            let trims = after.strip_prefix('-').is_some_and(|s| s.starts_with(SPACES));
            let before = &self.input[self.pos..delim];
            let kept = if trims { before.trim_end_matches(SPACES) } else { before };
            if !kept.is_empty() {
                let token = Token { kind: Kind::Text, pos: self.start, text: Cow::Borrowed(kept) };
                self.pos = delim;
                return token;
            }
            self.start = delim;
            self.pos = delim + 2;
            let marker = if trims { 2 } else { 0 };
            if !self.input[self.pos + marker..].starts_with("/*") {
                let token = self.token(Kind::LeftDelim);
                self.inside_action = true;
                self.paren_depth = 0;
                self.pos += marker;
                return token;
            }
            self.start += marker;
            self.pos += marker + 2;
            if let Some(error) = self.comment() {
                return error;
            }
        }
    }

    fn comment(&mut self) -> Option<Token<'t>> {
        let Some(end) = self.rest().find("*/") else { return Some(self.error("unclosed comment")) };
        self.pos += end + 2;
        match self.right_delim() {
            Some(trims) => {
                self.skip_right_delim(trims);
                None
            }
            None => Some(self.error("comment ends before closing delimiter")),
        }
    }

    /// Tells whether a closing delimiter stands here, and whether it trims the spaces after it.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        let marked = rest.strip_prefix(SPACES).and_then(|s| s.strip_prefix('-'));
        if marked.is_some_and(|s| s.starts_with("}}")) {
            return Some(true);
        }
        rest.starts_with("}}").then_some(false)
    }

    fn skip_right_delim(&mut self, trims: bool) -> Token<'t> {
        self.pos += if trims { 2 } else { 0 };
        self.start = self.pos;
        self.pos += 2;
        let token = self.token(Kind::RightDelim);
        if trims {
            self.accept_run(is_space);
        }
        self.inside_action = false;
        token
    }

    fn action(&mut self) -> Token<'t> {
        if let Some(trims) = self.right_delim() {
            if self.paren_depth == 0 {
                return self.skip_right_delim(trims);
            }
            return self.error("unclosed left paren");
        }
        let Some(c) = self.bump() else { return self.error("unclosed action") };
        match c {
            c if is_space(c) => self.space(),
            '=' => self.token(Kind::Assign),
            ':' if self.accept("=") => self.token(Kind::Declare),
            ':' => self.error("expected :="),
            '|' => self.token(Kind::Pipe),
            '"' => self.quoted('"', Kind::Quoted, "unterminated quoted string"),
            '\'' => self.quoted('\'', Kind::CharConstant, "unterminated character constant"),
            '`' => match self.rest().find('`') {
                Some(end) => {
                    self.pos += end + 1;
                    self.token(Kind::RawQuoted)
                }
                None => self.error("unterminated raw quoted string"),
            },
            '$' => self.word(Kind::Variable, Kind::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) && self.pos < self.input.len() => {
                self.word(Kind::Field, Kind::Dot)
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos -= 1;
                self.number()
            }
            c if is_alphanumeric(c) => self.identifier(),
            '(' => {
                self.paren_depth += 1;
                self.token(Kind::LeftParen)
            }
            ')' if self.paren_depth == 0 => self.error("unexpected right paren"),
            ')' => {
                self.paren_depth -= 1;
                self.token(Kind::RightParen)
            }
            ',' => self.token(Kind::Comma),
            ' '..='~' => self.token(Kind::Char),
            c => self.error(format!("unrecognized character in action: {}", code_point(c))),
        }
    }

    fn space(&mut self) -> Token<'t> {
        self.accept_run(is_space);
        // The last space may belong to a trimming delimiter.
        if self.rest().starts_with("-}}") {
            self.pos -= 1;
            if self.pos == self.start {
                return self.skip_right_delim(true);
            }
        }
        self.token(Kind::Space)
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with("}}"),
        }
    }

    /// Scans what follows a `$` or a `.`, `bare` being the sign that stands alone.
    fn word(&mut self, kind: Kind, bare: Kind) -> Token<'t> {
        if self.at_terminator() {
            return self.token(bare);
        }
        self.accept_run(is_alphanumeric);
        self.terminated(kind)
    }

    fn terminated(&mut self, kind: Kind) -> Token<'t> {
        match self.peek() {
            Some(c) if !self.at_terminator() => self.error(format!("bad character {}", code_point(c))),
            _ => self.token(kind),
        }
    }

    fn identifier(&mut self) -> Token<'t> {
        self.accept_run(is_alphanumeric);
        let kind = match &self.input[self.start..self.pos] {
            "block" => Kind::Block,
            "break" => Kind::Break,
            "continue" => Kind::Continue,
            "define" => Kind::Define,
            "else" => Kind::Else,
            "end" => Kind::End,
            "if" => Kind::If,
            "nil" => Kind::Nil,
            "range" => Kind::Range,
            "template" => Kind::Template,
            "with" => Kind::With,
            "true" | "false" => Kind::Bool,
            _ => Kind::Identifier,
        };
        self.terminated(kind)
    }

    fn quoted(&mut self, quote: char, kind: Kind, unterminated: &str) -> Token<'t> {
        loop {
            match self.bump() {
                Some('\\') if !matches!(self.bump(), None | Some('\n')) => {}
                None | Some('\n' | '\\') => return self.error(unterminated),
                Some(c) if c == quote => return self.token(kind),
                Some(_) => {}
            }
        }
    }

    fn number(&mut self) -> Token<'t> {
        let bad = |lexer: &mut Self| {
            let text = quote(&lexer.input[lexer.start..lexer.pos]);
            lexer.error(format!("bad number syntax: {text}"))
        };
        if !self.scan_number() {
            return bad(self);
        }
        if !matches!(self.peek(), Some('+' | '-')) {
            return self.token(Kind::Number);
        }
        if !self.scan_number() || !self.input[..self.pos].ends_with('i') {
            return bad(self);
        }
        self.token(Kind::Complex)
    }

    fn scan_number(&mut self) -> bool {
        self.accept("+-");
        let mut radix = 10;
        if self.accept("0") {
            for (letters, base) in [("xX", 16), ("oO", 8), ("bB", 2)] {
                if radix == 10 && self.accept(letters) {
                    radix = base;
                }
            }
        }
        let digit = |c: char| c == '_' || c.is_digit(radix);
        self.accept_run(digit);
        if self.accept(".") {
            self.accept_run(digit);
        }
        if radix == 10 && self.accept("eE") || radix == 16 && self.accept("pP") {
            self.accept("+-");
            self.accept_run(|c| c == '_' || c.is_ascii_digit());
        }
        self.accept("i");
        if self.peek().is_some_and(is_alphanumeric) {
            self.bump();
            return false;
        }
        true
    }
}
