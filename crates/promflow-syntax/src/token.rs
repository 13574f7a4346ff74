//! The tokens, and how messages name them.

use promflow_model::quote::quote;

use crate::ast::{AggregateOp, BinaryOp, Span};

/// A piece of the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// The kinds of token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Eof,
    /// Not a token: the lexer stopped here, with a message.
    Error,
    Identifier,
    /// An identifier with a colon.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Equal,
    /// `=~`
    EqualRegex,
    /// `!~`
    NotRegex,
    At,
    Op(BinaryOp),
    Aggregate(AggregateOp),
    Keyword(Keyword),
    /// A word that is a function of the evaluation: `start`, `step`, ...
    Builtin(Builtin),
    /// A space in a series description.
    Space,
    /// `_` in a series description.
    Blank,
    /// `x` in a series description.
    Times,
    /// `{{` in a series description.
    OpenHistogram,
}

/// The words that modify an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
}

/// The words that are functions, and more where the grammar says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

impl Builtin {
    /// Returns the function's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Step => "step",
            Self::Range => "range",
            Self::MinOf => "min_of",
            Self::MaxOf => "max_of",
        }
    }
}

impl TokenKind {
    /// Returns the kind of a word, in any case, that is no plain identifier.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        if let Some(op) = AggregateOp::ALL.into_iter().find(|op| op.as_str() == word) {
            return Some(Self::Aggregate(op));
        }
        Some(match word.as_str() {
            "and" => Self::Op(BinaryOp::And),
            "or" => Self::Op(BinaryOp::Or),
            "unless" => Self::Op(BinaryOp::Unless),
            "atan2" => Self::Op(BinaryOp::Atan2),
            "anchored" => Self::Keyword(Keyword::Anchored),
            "bool" => Self::Keyword(Keyword::Bool),
            "by" => Self::Keyword(Keyword::By),
            "fill" => Self::Keyword(Keyword::Fill),
            "fill_left" => Self::Keyword(Keyword::FillLeft),
            "fill_right" => Self::Keyword(Keyword::FillRight),
            "group_left" => Self::Keyword(Keyword::GroupLeft),
            "group_right" => Self::Keyword(Keyword::GroupRight),
            "ignoring" => Self::Keyword(Keyword::Ignoring),
            "offset" => Self::Keyword(Keyword::Offset),
            "on" => Self::Keyword(Keyword::On),
            "smoothed" => Self::Keyword(Keyword::Smoothed),
            "without" => Self::Keyword(Keyword::Without),
            "start" => Self::Builtin(Builtin::Start),
            "end" => Self::Builtin(Builtin::End),
            "step" => Self::Builtin(Builtin::Step),
            "range" => Self::Builtin(Builtin::Range),
            "min_of" => Self::Builtin(Builtin::MinOf),
            "max_of" => Self::Builtin(Builtin::MaxOf),
            "inf" | "nan" => Self::Number,
            _ => return None,
        })
    }

    /// Says whether it may stand for a metric name.
    pub(crate) fn is_metric_name(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregate(_) | Self::Builtin(_) => true,
            Self::Op(op) => op.is_set(),
            Self::Keyword(keyword) => !matches!(
                keyword,
                Keyword::Bool | Keyword::GroupLeft | Keyword::GroupRight | Keyword::Ignoring | Keyword::On
            ),
            _ => false,
        }
    }

    /// Says whether it may stand for a label name in a list of labels.
    pub(crate) fn is_label_name(self) -> bool {
        self.is_metric_name() || matches!(self, Self::Keyword(_) | Self::Op(BinaryOp::Atan2))
    }

    /// Says whether an expression may begin with it.
    pub(crate) fn begins_expression(self) -> bool {
        self.is_metric_name()
            || matches!(
                self,
                Self::Number
                    | Self::Duration
                    | Self::String
                    | Self::LeftParen
                    | Self::LeftBrace
                    | Self::Op(BinaryOp::Add | BinaryOp::Sub)
            )
    }

    /// Describes a token of this kind as Prometheus's messages do.
    pub(crate) fn describe(self, text: &str) -> String {
        match self {
            Self::Eof => "end of input".to_owned(),
            Self::Identifier => format!("identifier {}", quote(text)),
            Self::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Self::Number => format!("number {}", shortened(text)),
            Self::Duration => format!("duration {}", shortened(text)),
            Self::String => format!("string {}", shortened(text)),
            Self::Op(_) | Self::EqualRegex | Self::NotRegex | Self::At => format!("<op:{text}>"),
            Self::Keyword(_) => format!("<{text}>"),
            Self::Aggregate(_) => format!("<aggr:{text}>"),
            _ => shortened(text),
        }
    }
}

/// Quotes at most the first ten characters.
fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let beginning: String = text.chars().take(10).collect();
    format!("{}...", quote(&beginning))
}
