//! The script language: from text to commands.

use promflow_model::{Labels, duration};
use promflow_syntax::{SequenceValue, parse_metric, parse_series_description};

/// Why a series or an eval cannot be tested yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unsupported {
    NativeHistograms,
    StartTimestamps,
}

/// A series as a line describes it.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) values: Result<Vec<SequenceValue>, Unsupported>,
}

#[derive(Clone, Debug)]
pub(crate) enum Command {
    Clear,
    Load { step_ms: i64, with_nhcb: bool, series: Vec<Series> },
    Eval(Box<Eval>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Instant { t_ms: i64 },
    Range { start_ms: i64, end_ms: i64, step_ms: i64 },
}

/// How a message is expected.
#[derive(Clone, Debug)]
pub(crate) enum Message {
    Any,
    Exact(String),
    Pattern(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Eval {
    pub(crate) line: usize,
    pub(crate) query: String,
    pub(crate) when: When,
    pub(crate) fail: Option<Message>,
    pub(crate) warn: Vec<Message>,
    pub(crate) info: Vec<Message>,
    pub(crate) no_warn: bool,
    pub(crate) no_info: bool,
    pub(crate) ordered: bool,
    pub(crate) string: Option<String>,
    /// The times of an expected range vector.
    pub(crate) matrix: Option<When>,
    pub(crate) scalar: Option<f64>,
    pub(crate) series: Vec<Series>,
}

/// Parses a script.
pub(crate) fn parse(text: &str) -> Result<Vec<Command>, String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut commands = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        let number = i + 1;
        i += 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut block = Vec::new();
        if line != "clear" {
            while i < lines.len() && !lines[i].is_empty() {
                if !lines[i].starts_with('#') {
                    block.push(lines[i]);
                }
                i += 1;
            }
        }
        let command = command(line, &block, number).map_err(|why| format!("line {number}: {why}"))?;
        commands.push(command);
    }
    Ok(commands)
}

fn command(line: &str, block: &[&str], number: usize) -> Result<Command, String> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "clear" => Ok(Command::Clear),
        "load" | "load_with_nhcb" => Ok(Command::Load {
            step_ms: duration::parse(rest.trim())?,
            with_nhcb: word == "load_with_nhcb",
            series: block.iter().map(|line| series(line)).collect::<Result<_, _>>()?,
        }),
        "eval" | "eval_fail" | "eval_warn" | "eval_info" | "eval_ordered" => {
            let mut eval = head(rest.trim(), number)?;
            match word {
                "eval_fail" => eval.fail = Some(Message::Any),
                "eval_warn" => eval.warn.push(Message::Any),
                "eval_info" => eval.info.push(Message::Any),
                _ => eval.ordered = word == "eval_ordered",
            }
            block.iter().try_for_each(|line| expectation(&mut eval, line))?;
            Ok(Command::Eval(Box::new(eval)))
        }
        _ => Err(format!("unknown command {line:?}")),
    }
}

fn word(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).ok_or_else(|| format!("the line ends after {text:?}"))
}

fn keyword<'t>(text: &'t str, expected: &str) -> Result<&'t str, String> {
    match word(text)? {
        (found, rest) if found == expected => Ok(rest),
        (found, _) => Err(format!("expected {expected:?}, got {found:?}")),
    }
}

fn time(text: &str) -> Result<i64, String> {
    match text.strip_prefix('-') {
        Some(positive) => Ok(-duration::parse(positive)?),
        None => duration::parse(text),
    }
}

fn head(text: &str, line: usize) -> Result<Eval, String> {
    let (kind, rest) = word(text)?;
    let (when, query) = match kind {
        "instant" => {
            let (at, query) = word(keyword(rest, "at")?)?;
            (When::Instant { t_ms: time(at)? }, query)
        }
        "range" => times(rest)?,
        _ => return Err(format!("unknown kind of eval {kind:?}")),
    };
    Ok(Eval {
        line,
        query: query.trim().to_owned(),
        when,
        fail: None,
        warn: Vec::new(),
        info: Vec::new(),
        no_warn: false,
        no_info: false,
        ordered: false,
        string: None,
        matrix: None,
        scalar: None,
        series: Vec::new(),
    })
}

/// Parses `from a to b step c` and returns what follows.
fn times(text: &str) -> Result<(When, &str), String> {
    let (from, rest) = word(keyword(text, "from")?)?;
    let (to, rest) = word(keyword(rest, "to")?)?;
    let rest = keyword(rest, "step")?.trim_start();
    let (step, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Ok((When::Range { start_ms: time(from)?, end_ms: time(to)?, step_ms: time(step)? }, rest))
}

fn expectation(eval: &mut Eval, line: &str) -> Result<(), String> {
    if let Some(rest) = line.strip_prefix("expect ") {
        return expect(eval, rest.trim());
    }
    if let Some(message) = line.strip_prefix("expected_fail_message ") {
        eval.fail = Some(Message::Exact(message.to_owned()));
        return Ok(());
    }
    if let Some(pattern) = line.strip_prefix("expected_fail_regexp ") {
        eval.fail = Some(Message::Pattern(pattern.to_owned()));
        return Ok(());
    }
    if let Some(value) = promflow_model::float::parse(line) {
        eval.scalar = Some(value);
        return Ok(());
    }
    eval.series.push(series(line)?);
    Ok(())
}

fn expect(eval: &mut Eval, text: &str) -> Result<(), String> {
    let (kind, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match kind {
        "fail" => eval.fail = Some(message(rest)?),
        "warn" => eval.warn.push(message(rest)?),
        "info" => eval.info.push(message(rest)?),
        "no_warn" => eval.no_warn = true,
        "no_info" => eval.no_info = true,
        "ordered" => eval.ordered = true,
        "string" => {
            let quoted = rest.trim();
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).ok_or("expected a quoted text")?;
            eval.string = Some(inner.to_owned());
        }
        "range" => eval.matrix = Some(times(keyword(rest, "vector")?)?.0),
        _ => return Err(format!("unknown expectation {text:?}")),
    }
    Ok(())
}

fn message(text: &str) -> Result<Message, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Message::Any);
    }
    match text.split_once(':') {
        Some(("msg", rest)) => Ok(Message::Exact(rest.trim().to_owned())),
        Some(("regex", rest)) => Ok(Message::Pattern(rest.trim().to_owned())),
        _ => Err(format!("unknown way to match {text:?}")),
    }
}

/// Parses a series; one that cannot be tested yet keeps its labels.
fn series(line: &str) -> Result<Series, String> {
    let end = metric_end(line);
    let (metric, rest) = line.split_at(end);
    let unsupported = |metric: &str, why| {
        let labels = parse_metric(metric).map_err(|e| e.to_string())?;
        Ok(Series { labels, values: Err(why) })
    };
    if rest.starts_with("@st") {
        return unsupported(metric, Unsupported::StartTimestamps);
    }
    if rest.contains("{{") {
        return unsupported(metric, Unsupported::NativeHistograms);
    }
    let described = parse_series_description(line).map_err(|e| e.to_string())?;
    Ok(Series { labels: described.labels, values: Ok(described.values) })
}

/// Returns where the metric ends: at a space or `@` outside braces and quotes.
fn metric_end(line: &str) -> usize {
    let (mut depth, mut quoted) = (0, None);
    for (i, c) in line.char_indices() {
        match (quoted, c) {
            (Some(quote), c) if c == quote && !line[..i].ends_with('\\') => quoted = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quoted = Some(c),
            (None, '{') if line[i..].starts_with("{{") && depth == 0 => return i,
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            (None, c) if depth == 0 && (c.is_whitespace() || c == '@') => return i,
            _ => {}
        }
    }
    line.len()
}
