//! `promflow check metrics`.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use promflow_exposition::{Format, lint};

/// The exit code for a page that breaks conventions; promtool's.
const LINT_PROBLEMS: u8 = 3;
/// The exit code for a page that does not parse; promtool's.
const FAILURE: u8 = 1;
/// The largest page that is read.
const PAGE_BYTES_MAX: u64 = 1 << 30;

/// Arguments of `promflow check metrics`.
#[derive(Debug, Args)]
pub(crate) struct MetricsArguments {
    /// The format of the page on standard input
    #[arg(long, value_enum, default_value_t = PageFormat::Text)]
    format: PageFormat,
    /// Which conventions to hold the page to, besides its format's specification
    #[arg(long, value_enum, default_value_t = LintChoice::All)]
    lint: LintChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PageFormat {
    Text,
    Openmetrics,
    Protobuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LintChoice {
    All,
    None,
}

/// Checks the page on standard input; what is found goes to standard error.
///
/// Shape: exit code 0 when all is well, 3 for broken conventions, 1 for a page that does not parse.
pub(crate) fn metrics(arguments: &MetricsArguments) -> ExitCode {
    let mut page = Vec::new();
    let read = io::stdin().lock().take(PAGE_BYTES_MAX + 1).read_to_end(&mut page);
    let mut report = io::stderr().lock();
    let outcome = match read {
        Err(e) => Err(format!("cannot read standard input: {e}")),
        Ok(_) if page.len() as u64 > PAGE_BYTES_MAX => {
            Err(format!("the page is larger than {PAGE_BYTES_MAX} bytes"))
        }
        Ok(_) => check(&page, arguments),
    };
    let (code, text) = match outcome {
        Ok(problems) if problems.is_empty() => (0, problems),
        Ok(problems) => (LINT_PROBLEMS, problems),
        Err(error) => (FAILURE, format!("error while linting: {error}\n")),
    };
    // Nobody is left to tell when standard error is gone; the exit code still says it.
    let _ = report.write_all(text.as_bytes());
    ExitCode::from(code)
}

/// Returns the problems, one a line.
///
/// Errors: the page does not parse; the text has its place, and a hint in a paragraph of its own.
fn check(page: &[u8], arguments: &MetricsArguments) -> Result<String, String> {
    let format = match arguments.format {
        PageFormat::Text => Format::Text,
        PageFormat::Openmetrics => Format::OpenMetrics,
        PageFormat::Protobuf => Format::Protobuf,
    };
    let problems = lint(page, format).map_err(|mut error| {
        let hint = std::mem::take(&mut error.hint);
        if hint.is_empty() { error.to_string() } else { format!("{error}\n\nhint: {hint}") }
    })?;
    let shown = problems.iter().filter(|_| arguments.lint == LintChoice::All);
    Ok(shown.map(|problem| format!("{} {}\n", problem.metric, problem.text)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(page: &str, format: PageFormat, lint: LintChoice) -> Result<String, String> {
        check(page.as_bytes(), &MetricsArguments { format, lint })
    }

    #[test]
    fn conventions_are_named_unless_nobody_asks() {
        let page = "# TYPE a counter\na 1\n";
        let expected = "a counter metrics should have \"_total\" suffix\na no help text\n";
        assert_eq!(checked(page, PageFormat::Text, LintChoice::All).as_deref(), Ok(expected));
        assert_eq!(checked(page, PageFormat::Text, LintChoice::None).as_deref(), Ok(""));
    }

    #[test]
    fn errors_have_their_place_and_a_hint() {
        for (page, format, expected) in [
            ("a x\n", PageFormat::Text, "1:3: invalid value \"x\""),
            (
                "# TYPE a gauge\na 1\n",
                PageFormat::Openmetrics,
                "3:1: data does not end with # EOF\n\nhint: an OpenMetrics page ends in \"# EOF\\n\"",
            ),
            ("\u{7f}", PageFormat::Protobuf, "byte 0: length 127 passes the end of its message"),
        ] {
            assert_eq!(checked(page, format, LintChoice::None), Err(expected.to_owned()));
        }
    }
}
