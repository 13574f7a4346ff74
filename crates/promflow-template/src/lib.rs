//! Go text/template subset with Prometheus's alert functions.
//!
//! The problem: labels and annotations of alerts are Go templates, `{{ $labels.instance }} is at {{ $value |
//! humanize }}`, and the rule files in use are written for that engine to the letter: its trimming, its `printf`,
//! its number layouts, its errors.
//!
//! The model: a lexer, a parser and an evaluator that follow Go's own step by step, over the few types that an
//! alert's template can meet, with Go's names for them in every message. One expansion is bounded in output, work
//! and depth.
//!
//! Rejected: translating to the language of another template engine, whose rules for spaces, numbers and missing
//! values differ in each detail that people's rule files rely on.

mod ast;
mod builtin;
mod call;
mod error;
mod exec;
mod fmt;
mod gofloat;
mod gotime;
mod lex;
mod literal;
mod method;
mod parse;
mod prometheus;
mod refs;
mod url;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use promflow_model::Labels;

pub use error::{Error, ErrorKind};

/// The largest text that a template may be, that it may expand to, and that a value inside it may be.
pub const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// The definitions that stand before the text of every alert's template.
const PREAMBLE: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                        {{$externalURL := .ExternalURL}}{{$value := .Value}}";

/// A parsed template of an alert's label or annotation.
#[derive(Debug)]
pub struct Template {
    name: String,
    /// The text with the preamble, which Prometheus's error positions count in.
    text: String,
    trees: BTreeMap<String, ast::List>,
}

/// What the template is expanded for.
#[derive(Debug, Clone, Copy)]
pub struct AlertData<'a> {
    /// The labels of the series that the alert's expression returned: `$labels`, `.Labels`.
    pub labels: &'a Labels,
    /// The labels of the server: `$externalLabels`.
    pub external_labels: &'a Labels,
    /// The URL under which the server is reached: `$externalURL`.
    pub external_url: &'a str,
    /// The value of the series: `$value`.
    pub value: f64,
}

/// One sample that `query` returned.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySample {
    /// The label set, metric name included.
    pub labels: Labels,
    /// The value.
    pub value: f64,
}

/// Evaluates an instant query for the function `query`, at the time of the expansion.
pub trait QueryFn: Fn(&str) -> Result<Vec<QuerySample>, String> {}

impl<F: Fn(&str) -> Result<Vec<QuerySample>, String>> QueryFn for F {}

/// What a template reaches outside its data.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The time of the evaluation, which `now` returns.
    ///
    /// Units: milliseconds since the epoch.
    pub now_ms: i64,
    /// Answers `query`.
    pub query: &'a dyn QueryFn,
}

impl Template {
    /// Parses a template. Prometheus names the templates of an alert `__alert_NAME`.
    ///
    /// Errors: `Parse`, also for a function or a variable that does not exist.
    pub fn parse(name: &str, text: &str) -> Result<Template, Error> {
        if text.len() > OUTPUT_BYTES_MAX {
            return Err(Error {
                kind: ErrorKind::Parse,
                template: name.to_owned(),
                detail: format!("template: {name}:1: text longer than {OUTPUT_BYTES_MAX} bytes"),
                span: 0..text.len(),
            });
        }
        let text = [PREAMBLE, text].concat();
        let trees = parse::parse(name, &text).map_err(|error| {
            let shift = |pos: usize| pos.saturating_sub(PREAMBLE.len());
            Error { span: shift(error.span.start)..shift(error.span.end), ..error }
        })?;
        Ok(Template { name: name.to_owned(), text, trees })
    }

    /// Expands the template.
    ///
    /// Errors: `Execute` with Go's text; `Limit` when the output, the work or the depth exceeds its limit.
    pub fn expand(&self, data: &AlertData<'_>, env: &Env<'_>) -> Result<String, Error> {
        exec::expand(self, data, env)
    }

    /// Lists the alert's labels that the template names, sorted.
    pub fn label_refs(&self) -> Vec<String> {
        refs::label_refs(self.trees.values()).into_iter().collect()
    }
}
