use regex_syntax::hir::{Capture, Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition};

use crate::class;
use crate::{Error, ErrorKind};

/// Depth of the expression tree; compilation recurses as deep. Go has 1000 here.
const HEIGHT_MAX: u32 = 400;

/// Largest repeat count, nested counts multiplied.
const REPEAT_MAX: u32 = 1000;

/// Instructions of the whole program, as Go counts them.
const SIZE_MAX: u64 = 3 << 20;

pub(crate) struct Parsed {
    pub(crate) hir: Hir,
    /// Names by group number; group 0 has none.
    pub(crate) names: Vec<Option<String>>,
    /// Upper estimate of the automaton's states.
    pub(crate) size: u64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Flags {
    pub(crate) fold_case: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

struct Node {
    hir: Hir,
    height: u32,
    size: u64,
    /// Largest product of repeat counts on a path through this node.
    repeat: u32,
}

/// A group that is still open, or the whole pattern at the bottom of the stack.
#[derive(Default)]
struct Frame {
    capture: Option<u32>,
    outer_flags: Flags,
    alternatives: Vec<Node>,
    sequence: Vec<Node>,
}

struct Parser<'p> {
    cursor: Cursor<'p>,
    flags: Flags,
    frames: Vec<Frame>,
    names: Vec<Option<String>>,
    pattern: &'p str,
}

/// Parses a pattern as Go's `regexp/syntax` does with the flags `Perl` and, when asked, `DotNL`.
///
/// Groups live on an explicit stack, so that the pattern cannot exhaust the thread's.
pub(crate) fn parse(pattern: &str, dot_newline: bool) -> Result<Parsed, Error> {
    let mut parser = Parser {
        cursor: Cursor { rest: pattern },
        flags: Flags { dot_newline, ..Flags::default() },
        frames: vec![Frame::default()],
        names: vec![None],
        pattern,
    };
    let mut last_repeat = None;
    while let Some(c) = parser.cursor.peek() {
        last_repeat = parser.item(c, last_repeat)?;
    }
    if parser.frames.len() > 1 {
        return Err(Error::new(ErrorKind::MissingParen, pattern));
    }
    let frame = parser.frames.pop().unwrap_or_default();
    let node = parser.close(frame)?;
    Ok(Parsed { hir: node.hir, names: parser.names, size: node.size })
}

impl<'p> Parser<'p> {
    /// Parses one atom or operator and returns where it began if it was a repetition operator.
    fn item(&mut self, c: char, last_repeat: Option<&'p str>) -> Result<Option<&'p str>, Error> {
        match c {
            '(' if self.cursor.rest().starts_with("(?") => self.perl_group()?,
            '(' => {
                self.cursor.advance(1);
                self.open(Some(None));
            }
            '|' => {
                self.cursor.advance(1);
                self.end_alternative()?;
            }
            ')' => self.right_paren()?,
            '^' => {
                let look = if self.flags.multi_line { Look::StartLF } else { Look::Start };
                self.look(look, 1)?;
            }
            '$' => {
                let look = if self.flags.multi_line { Look::EndLF } else { Look::End };
                self.look(look, 1)?;
            }
            '.' => {
                self.cursor.advance(1);
                let dot = if self.flags.dot_newline { Dot::AnyChar } else { Dot::AnyCharExceptLF };
                self.push(Node { hir: Hir::dot(dot), height: 1, size: 16, repeat: 1 })?;
            }
            '[' => {
                let class = class::parse_class(&mut self.cursor, self.flags)?;
                self.class(class)?;
            }
            '*' | '+' | '?' => {
                let before = self.cursor.rest();
                self.cursor.advance(1);
                let (min, max) = match c {
                    '*' => (0, None),
                    '+' => (1, None),
                    _ => (0, Some(1)),
                };
                self.repeat(min, max, false, before, last_repeat)?;
                return Ok(Some(before));
            }
            '{' => {
                let before = self.cursor.rest();
                let Some((min, max, after)) = counts(before) else {
                    self.cursor.advance(1);
                    self.literal('{')?;
                    return Ok(None);
                };
                self.cursor.rest = after;
                if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || min > max) {
                    return Err(Error::new(ErrorKind::InvalidRepeatSize, self.cursor.since(before)));
                }
                self.repeat(min, max, true, before, last_repeat)?;
                return Ok(Some(before));
            }
            '\\' => self.backslash()?,
            c => {
                self.cursor.advance(c.len_utf8());
                self.literal(c)?;
            }
        }
        Ok(None)
    }

    fn backslash(&mut self) -> Result<(), Error> {
        let rest = self.cursor.rest();
        match rest.as_bytes().get(1) {
            Some(b'A') => self.look(Look::Start, 2),
            Some(b'z') => self.look(Look::End, 2),
            Some(b'b') => self.look(Look::WordAscii, 2),
            Some(b'B') => self.look(Look::WordAsciiNegate, 2),
            Some(b'C') => Err(Error::new(ErrorKind::InvalidEscape, &rest[..2])),
            Some(b'Q') => {
                let (quoted, after) = rest[2..].split_once("\\E").unwrap_or((&rest[2..], ""));
                self.cursor.rest = after;
                quoted.chars().try_for_each(|c| self.literal(c))
            }
            _ => {
                if let Some(class) = class::escaped_class(&mut self.cursor, self.flags)? {
                    return self.class(class);
                }
                match char::from_u32(self.cursor.escape()?) {
                    Some(c) => self.literal(c),
                    // A surrogate: Go takes the pattern, and no text ever matches it.
                    None => self.push(Node { hir: Hir::fail(), height: 1, size: 1, repeat: 1 }),
                }
            }
        }
    }

    fn literal(&mut self, c: char) -> Result<(), Error> {
        let mut class = ClassUnicode::new([ClassUnicodeRange::new(c, c)]);
        if self.flags.fold_case {
            class.case_fold_simple();
        }
        self.class(class)
    }

    fn class(&mut self, class: ClassUnicode) -> Result<(), Error> {
        // One range takes up to five UTF-8 byte sequences of four bytes.
        let size = 1 + 4 * class.ranges().len() as u64;
        self.push(Node { hir: Hir::class(Class::Unicode(class)), height: 1, size, repeat: 1 })
    }

    fn look(&mut self, look: Look, len: usize) -> Result<(), Error> {
        self.cursor.advance(len);
        self.push(Node { hir: Hir::look(look), height: 1, size: 1, repeat: 1 })
    }

    fn push(&mut self, node: Node) -> Result<(), Error> {
        if node.height > HEIGHT_MAX {
            return Err(Error::new(ErrorKind::NestingDepth, self.pattern));
        }
        if node.size > SIZE_MAX {
            return Err(Error::new(ErrorKind::TooLarge, self.pattern));
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.sequence.push(node);
        }
        Ok(())
    }

    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        counted: bool,
        before: &'p str,
        last_repeat: Option<&'p str>,
    ) -> Result<(), Error> {
        let lazy = self.cursor.eat('?');
        if let Some(last) = last_repeat {
            return Err(Error::new(ErrorKind::InvalidRepeatOp, self.cursor.since(last)));
        }
        let operator = self.cursor.since(before);
        let Some(sub) = self.frames.last_mut().and_then(|frame| frame.sequence.pop()) else {
            return Err(Error::new(ErrorKind::MissingRepeatArgument, operator));
        };
        let factor = match (counted, max) {
            (true, Some(max)) => max,
            (true, None) => min.max(1),
            (false, _) => 1,
        };
        let repeat = sub.repeat.saturating_mul(factor);
        if counted && (min >= 2 || max.is_some_and(|max| max >= 2)) && repeat > REPEAT_MAX {
            return Err(Error::new(ErrorKind::InvalidRepeatSize, operator));
        }
        let copies = u64::from(max.unwrap_or(min.max(1)));
        let size = copies.saturating_mul(sub.size.saturating_add(1)).saturating_add(2);
        let greedy = lazy == self.flags.swap_greed;
        let repetition = Repetition { min, max, greedy, sub: Box::new(sub.hir) };
        self.push(Node { hir: Hir::repetition(repetition), height: sub.height + 1, size, repeat })
    }

    /// Opens a group: `Some(name)` for a capturing one, `None` for one that only groups.
    fn open(&mut self, capture: Option<Option<String>>) {
        let capture = capture.map(|name| {
            self.names.push(name);
            self.names.len() as u32 - 1
        });
        self.frames.push(Frame { capture, outer_flags: self.flags, ..Frame::default() });
    }

    fn right_paren(&mut self) -> Result<(), Error> {
        if self.frames.len() < 2 {
            return Err(Error::new(ErrorKind::UnexpectedParen, self.pattern));
        }
        self.cursor.advance(1);
        let frame = self.frames.pop().unwrap_or_default();
        self.flags = frame.outer_flags;
        let capture = frame.capture;
        let mut node = self.close(frame)?;
        if let Some(index) = capture {
            node.hir = Hir::capture(Capture { index, name: None, sub: Box::new(node.hir) });
            node.height += 1;
            node.size += 2;
        }
        self.push(node)
    }

    fn end_alternative(&mut self) -> Result<(), Error> {
        let pattern = self.pattern;
        if let Some(frame) = self.frames.last_mut() {
            let sequence = std::mem::take(&mut frame.sequence);
            frame.alternatives.push(join(sequence, Hir::concat, pattern)?);
        }
        Ok(())
    }

    fn close(&self, frame: Frame) -> Result<Node, Error> {
        let mut alternatives = frame.alternatives;
        alternatives.push(join(frame.sequence, Hir::concat, self.pattern)?);
        join(alternatives, Hir::alternation, self.pattern)
    }

    /// Parses what begins with `(?`: a named group, a group with flags, or flags for the rest of the group.
    fn perl_group(&mut self) -> Result<(), Error> {
        let start = self.cursor.rest();
        let named = ["(?P<", "(?<"].into_iter().find(|p| start.starts_with(p) && start.len() > p.len());
        if let Some(opening) = named {
            let Some(end) = start.find('>') else {
                return Err(Error::new(ErrorKind::InvalidNamedCapture, start));
            };
            let name = &start[opening.len()..end];
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(Error::new(ErrorKind::InvalidNamedCapture, &start[..=end]));
            }
            self.cursor.advance(end + 1);
            self.open(Some(Some(name.to_owned())));
            return Ok(());
        }
        self.cursor.advance(2);
        let mut flags = self.flags;
        let mut value = true;
        let mut saw_flag = false;
        while let Some(c) = self.cursor.next() {
            match c {
                'i' => flags.fold_case = value,
                'm' => flags.multi_line = value,
                's' => flags.dot_newline = value,
                'U' => flags.swap_greed = value,
                '-' if value => {
                    value = false;
                    saw_flag = false;
                    continue;
                }
                ':' | ')' if value || saw_flag => {
                    if c == ':' {
                        self.open(None);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            saw_flag = true;
        }
        Err(Error::new(ErrorKind::InvalidPerlOp, self.cursor.since(start)))
    }
}

/// Puts nodes together by concatenation or alternation.
fn join(mut nodes: Vec<Node>, make: fn(Vec<Hir>) -> Hir, pattern: &str) -> Result<Node, Error> {
    if nodes.len() == 1
        && let Some(node) = nodes.pop()
    {
        return Ok(node);
    }
    let height = 1 + nodes.iter().map(|n| n.height).max().unwrap_or(0);
    let repeat = nodes.iter().map(|n| n.repeat).max().unwrap_or(1);
    let size = nodes.iter().fold(nodes.len() as u64 + 1, |sum, n| sum.saturating_add(n.size));
    if size > SIZE_MAX {
        return Err(Error::new(ErrorKind::TooLarge, pattern));
    }
    let hir = make(nodes.into_iter().map(|n| n.hir).collect());
    Ok(Node { hir, height, size, repeat })
}

/// Parses `{min}`, `{min,}` or `{min,max}`; anything else is no repetition but a literal brace.
fn counts(s: &str) -> Option<(u32, Option<u32>, &str)> {
    let (min, rest) = count(s.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = count(rest)?;
            (Some(max), rest)
        }
    };
    Some((min, max, rest.strip_prefix('}')?))
}

/// Parses a decimal number without leading zeros; one too large for Go comes back as `u32::MAX`.
fn count(s: &str) -> Option<(u32, &str)> {
    let len = s.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = s.split_at(len);
    if digits.is_empty() || (len > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}

pub(crate) struct Cursor<'p> {
    rest: &'p str,
}

impl<'p> Cursor<'p> {
    pub(crate) fn rest(&self) -> &'p str {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.advance(c.len_utf8());
        Some(c)
    }

    pub(crate) fn advance(&mut self, len: usize) {
        self.rest = &self.rest[len..];
    }

    pub(crate) fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Returns what was read since `start`, an earlier rest.
    pub(crate) fn since(&self, start: &'p str) -> &'p str {
        &start[..start.len() - self.rest.len()]
    }

    /// Parses an escape for one code point, the cursor standing on the backslash.
    pub(crate) fn escape(&mut self) -> Result<u32, Error> {
        let start = self.rest;
        self.advance(1);
        let Some(c) = self.next() else { return Err(Error::new(ErrorKind::TrailingBackslash, "")) };
        let value = match c {
            '0' => Some(self.octal(0)),
            // A single digit would be a backreference, which RE2 does not have.
            '1'..='7' if self.peek().is_some_and(|c| c.is_digit(8)) => Some(self.octal(u32::from(c) - 48)),
            'x' => self.hex(),
            'a' => Some(7),
            't' => Some(9),
            'n' => Some(10),
            'v' => Some(11),
            'f' => Some(12),
            'r' => Some(13),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
            _ => None,
        };
        value.ok_or_else(|| Error::new(ErrorKind::InvalidEscape, self.since(start)))
    }

    fn octal(&mut self, mut value: u32) -> u32 {
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            value = value * 8 + digit;
            self.advance(1);
        }
        value
    }

    fn hex(&mut self) -> Option<u32> {
        let first = self.next()?;
        if first != '{' {
            let second = self.next();
            return Some(first.to_digit(16)? * 16 + second?.to_digit(16)?);
        }
        let mut value = 0;
        let mut digits = 0;
        loop {
            let c = self.next()?;
            if c == '}' {
                return (digits > 0).then_some(value);
            }
            value = value * 16 + c.to_digit(16)?;
            if value > u32::from(char::MAX) {
                return None;
            }
            digits += 1;
        }
    }
}
