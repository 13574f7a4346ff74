//! From tokens to a tree.

mod binary;
mod duration;
mod expr;
mod metric;
mod modifier;
mod selector;
mod series;

use promflow_model::{Labels, Matcher};

use crate::ast::{Expr, ExprKind, Span};
use crate::check::check;
use crate::error::{ParseError, ParseErrors};
use crate::lexer::{LexError, lex, lex_series};
use crate::token::{Token, TokenKind};

pub use series::{SequenceValue, SeriesDescription};

/// The longest text that is parsed.
///
/// Units: bytes.
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// How deep parentheses, calls and signs may stand inside each other.
pub const NESTING_MAX: usize = 200;
/// How many nodes may stand above each other in a tree; `a + b + c` makes two above `a`.
pub const EXPR_HEIGHT_MAX: usize = 500;
/// How many values a series description may have.
pub const SERIES_VALUES_MAX: usize = 10_000_000;

/// What of the language is switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseOptions {
    /// Functions and aggregations that Prometheus calls experimental.
    pub experimental_functions: bool,
    /// `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left` and `fill_right`.
    pub binop_fill_modifiers: bool,
    /// Arithmetic in ranges, steps and offsets.
    pub duration_expressions: bool,
}

impl Default for ParseOptions {
    /// Returns what Prometheus 3.14 has switched on when no feature flag is given.
    fn default() -> Self {
        Self {
            experimental_functions: false,
            extended_range_selectors: false,
            binop_fill_modifiers: false,
            duration_expressions: true,
        }
    }
}

impl ParseOptions {
    /// Returns the options with everything switched on.
    pub fn all() -> Self {
        Self {
            experimental_functions: true,
            extended_range_selectors: true,
            binop_fill_modifiers: true,
            duration_expressions: true,
        }
    }
}

/// Parses a query and checks its types, with the default options.
///
/// Errors: Prometheus's text; types are checked only when the syntax is sound.
pub fn parse(query: &str) -> Result<Expr, ParseErrors> {
    parse_with(query, &ParseOptions::default())
}

/// Parses a query and checks its types.
///
/// Errors: Prometheus's text; types are checked only when the syntax is sound.
pub fn parse_with(query: &str, options: &ParseOptions) -> Result<Expr, ParseErrors> {
    run(query, options, lex, |parser| {
        if parser.peek().kind == TokenKind::Eof {
            parser.error(Span::default(), "no expression found in input");
            return Err(Stop);
        }
        let mut expr = parser.expr()?;
        parser.end()?;
        if parser.errors.is_empty() {
            parser.errors = check(query, &mut expr);
        }
        Ok(expr)
    })
}

/// Parses a selector as the API's `match[]` has it.
///
/// Errors: Prometheus's text.
pub fn parse_metric_selector(input: &str) -> Result<Vec<Matcher>, ParseErrors> {
    run(input, &ParseOptions::default(), lex, |parser| {
        let expr = match parser.peek().kind {
            kind if kind.is_metric_name() || kind == TokenKind::LeftBrace => parser.vector_selector()?,
            _ => return Err(parser.unexpected("", "")),
        };
        parser.end()?;
        match expr.kind {
            ExprKind::Vector(selector) => Ok(selector.matchers),
            _ => unreachable!("BUG: a vector selector of another kind"),
        }
    })
}

/// Parses a label set with an optional metric name before it, as test files write samples.
///
/// Errors: Prometheus's text.
pub fn parse_metric(input: &str) -> Result<Labels, ParseErrors> {
    run(input, &ParseOptions::default(), lex, |parser| {
        let labels = parser.metric()?;
        parser.end()?;
        Ok(labels)
    })
}

/// Parses a series description of a test file: `name{a="b"} 1+2x3 _ stale`.
///
/// Errors: Prometheus's text; native histograms are not supported yet.
pub fn parse_series_description(input: &str) -> Result<SeriesDescription, ParseErrors> {
    run(input, &ParseOptions::default(), lex_series, |parser| parser.series_description())
}

type Lex = fn(&str) -> (Vec<Token>, Option<LexError>);

fn run<T>(
    text: &str,
    options: &ParseOptions,
    lex: Lex,
    parse: impl FnOnce(&mut Parser<'_>) -> Parsed<T>,
) -> Result<T, ParseErrors> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("text of {} bytes is longer than {TEXT_BYTES_MAX} bytes", text.len());
        return Err(ParseErrors::new(text, vec![ParseError { span: Span::default(), message }]));
    }
    let (tokens, lex_error) = lex(text);
    let mut parser = Parser {
        text,
        options: *options,
        tokens,
        lex_error,
        next: 0,
        errors: Vec::new(),
        nesting: 0,
        aggregations: 0,
        height: 0,
    };
    match parse(&mut parser) {
        Ok(parsed) if parser.errors.is_empty() => Ok(parsed),
        Ok(_) | Err(Stop) => Err(ParseErrors::new(text, parser.errors)),
    }
}

/// The text makes no sense from here on; the error has been recorded.
struct Stop;

type Parsed<T> = Result<T, Stop>;

struct Parser<'a> {
    text: &'a str,
    options: ParseOptions,
    tokens: Vec<Token>,
    lex_error: Option<LexError>,
    /// The index of the next token.
    next: usize,
    errors: Vec<ParseError>,
    nesting: usize,
    /// How many aggregations are open: messages inside one name it.
    aggregations: usize,
    /// The height of the expression built last.
    height: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token {
        self.tokens[self.next]
    }

    /// Returns the token behind the next one.
    fn peek_second(&self) -> TokenKind {
        self.tokens.get(self.next + 1).map_or(TokenKind::Eof, |t| t.kind)
    }

    fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.span.start..token.span.end]
    }

    /// Takes the next token; the last one stays.
    fn advance(&mut self) -> Token {
        let token = self.peek();
        if self.next + 1 < self.tokens.len() {
            self.next += 1;
        }
        token
    }

    /// Takes the next token if it is of this kind.
    fn accept(&mut self, kind: TokenKind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.advance())
    }

    /// Takes the next token, which must be of this kind.
    fn expect(&mut self, kind: TokenKind, context: &str, expected: &str) -> Parsed<Token> {
        self.accept(kind).ok_or_else(|| self.unexpected(context, expected))
    }

    /// Takes a parenthesis or the like, where nothing better can be said than that something else stands there.
    fn expect_plain(&mut self, kind: TokenKind) -> Parsed<Token> {
        self.accept(kind).ok_or_else(|| self.unexpected_here())
    }

    fn end(&mut self) -> Parsed<()> {
        self.expect_plain(TokenKind::Eof).map(|_| ())
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(ParseError { span, message: message.into() });
    }

    /// Records that the next token may not stand here.
    fn unexpected(&mut self, context: &str, expected: &str) -> Stop {
        let token = self.peek();
        if let (TokenKind::Error, Some(LexError { span, message })) = (token.kind, &self.lex_error) {
            self.errors.push(ParseError { span: *span, message: message.clone() });
            return Stop;
        }
        let mut message = format!("unexpected {}", token.kind.describe(self.text_of(token)));
        if !context.is_empty() {
            message.push_str(&format!(" in {context}"));
        }
        if !expected.is_empty() {
            message.push_str(&format!(", expected {expected}"));
        }
        self.error(token.span, message);
        Stop
    }

    /// Records that the next token may not stand here, where no construct has words of its own.
    fn unexpected_here(&mut self) -> Stop {
        let context = if self.aggregations > 0 { "aggregation" } else { "" };
        self.unexpected(context, "")
    }

    /// Parses something one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.nesting == NESTING_MAX {
            let span = self.peek().span;
            self.error(span, format!("expression is nested more than {NESTING_MAX} levels deep"));
            return Err(Stop);
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// Takes note of the height of an expression that has been built.
    fn built(&mut self, height: usize, span: Span) -> Parsed<()> {
        if height > EXPR_HEIGHT_MAX {
            self.error(span, format!("expression is more than {EXPR_HEIGHT_MAX} levels high"));
            return Err(Stop);
        }
        self.height = height;
        Ok(())
    }

    /// Takes the quotes off a string token.
    fn unquote(&mut self, token: Token) -> String {
        let quoted = self.text_of(token);
        match crate::literal::unquote(quoted) {
            Ok(text) => text,
            Err(reason) => {
                let quoted = promflow_model::quote::quote(quoted);
                self.error(token.span, format!("error unquoting string {quoted}: {reason}"));
                String::new()
            }
        }
    }

    /// Reads the value of a number or duration token; a duration counts in seconds.
    fn number(&mut self, token: Token) -> f64 {
        let text = self.text_of(token);
        let value = match token.kind {
            TokenKind::Duration => promflow_model::duration::parse(text)
                .map(|ms| (ms / 1000) as f64 + (ms % 1000 * 1_000_000) as f64 / 1e9),
            _ => crate::literal::number(text).map_err(|e| format!("error parsing number: {e}")),
        };
        value.unwrap_or_else(|message| {
            self.error(token.span, message);
            0.0
        })
    }

    /// Takes a number or a duration.
    fn accept_number(&mut self) -> Option<(Token, f64)> {
        if !matches!(self.peek().kind, TokenKind::Number | TokenKind::Duration) {
            return None;
        }
        let token = self.advance();
        let value = self.number(token);
        Some((token, value))
    }
}
