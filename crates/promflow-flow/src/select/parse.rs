//! From the text of a selection to its terms.

use super::SelectError;

/// A name or `key:value`, with how far to go from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// Whether it is taken away.
    pub(super) excluded: bool,
    /// How many edges up; `Some(None)` is all of them.
    pub(super) up: Option<Option<usize>>,
    /// How many edges down.
    pub(super) down: Option<Option<usize>>,
    /// The name.
    pub(super) atom: Atom,
}

/// A name or `key:value`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Atom {
    pub(super) text: String,
    /// Whether it stood in quotes, so that it is a name whatever is in it.
    pub(super) quoted: bool,
    /// Where it starts, counted from 1 in characters.
    pub(super) column: usize,
}

/// The longest expression.
const CHARS_MAX: usize = 10_000;

/// Parses an expression: a union of intersections.
pub(super) fn parse(expr: &str) -> Result<Vec<Vec<Term>>, SelectError> {
    let chars: Vec<char> = expr.chars().collect();
    if chars.len() > CHARS_MAX {
        return Err(SelectError::new(CHARS_MAX, format!("longer than {CHARS_MAX} characters")));
    }
    let mut parser = Parser { chars: &chars, at: 0 };
    let mut union = Vec::new();
    loop {
        parser.skip_spaces();
        if parser.peek().is_none() {
            break;
        }
        let mut terms = vec![parser.term()?];
        while parser.comma() {
            terms.push(parser.term()?);
        }
        union.push(terms);
    }
    if union.is_empty() {
        return Err(SelectError::new(
            1,
            "nothing is selected; an example is `+HttpHighErrorRatio`".to_owned(),
        ));
    }
    Ok(union)
}

struct Parser<'c> {
    chars: &'c [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Takes a comma, with spaces around it.
    fn comma(&mut self) -> bool {
        let before = self.at;
        self.skip_spaces();
        if self.eat(',') {
            self.skip_spaces();
            return true;
        }
        self.at = before;
        false
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T, SelectError> {
        Err(SelectError::new(self.at + 1, message.into()))
    }

    fn term(&mut self) -> Result<Term, SelectError> {
        let excluded = self.eat('-');
        let up = self.upward()?;
        let atom = self.atom()?;
        let down = if self.eat('+') { Some(self.number()?) } else { None };
        match self.peek() {
            None | Some(',') => {}
            Some(c) if c.is_whitespace() => {}
            Some(c) => return self.error(format!("unexpected {c:?} after `{}`", atom.text)),
        }
        Ok(Term { excluded, up, down, atom })
    }

    /// Takes `+` or `2+` before a name.
    fn upward(&mut self) -> Result<Option<Option<usize>>, SelectError> {
        let start = self.at;
        let number = self.number()?;
        if self.eat('+') {
            return Ok(Some(number));
        }
        // Digits without a `+` are the start of a name.
        self.at = start;
        Ok(None)
    }

    fn number(&mut self) -> Result<Option<usize>, SelectError> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at {
            return Ok(None);
        }
        let digits: String = self.chars[start..self.at].iter().collect();
        match digits.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(SelectError::new(start + 1, format!("{digits} is too far"))),
        }
    }

    fn atom(&mut self) -> Result<Atom, SelectError> {
        let column = self.at + 1;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            return Ok(Atom { text, quoted: true, column });
        }
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| !c.is_whitespace() && !matches!(c, ',' | '+' | '"')) {
            text.push(c);
            self.at += 1;
        }
        // The value of a key may be quoted: `file:"my rules.yml"`.
        if text.ends_with(':') && self.peek() == Some('"') {
            text.push_str(&self.quoted()?);
        }
        if text.is_empty() {
            return self.error("a name or `key:value` is missing");
        }
        Ok(Atom { text, quoted: false, column })
    }

    fn quoted(&mut self) -> Result<String, SelectError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(SelectError::new(start + 1, "the quote is not closed".to_owned())),
                Some('"') => break,
                Some('\\') => {
                    self.at += 1;
                    text.extend(self.peek());
                }
                Some(c) => text.push(c),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(text)
    }
}
