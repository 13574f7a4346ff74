//! Formats and their content types.

use std::fmt;

/// What a scraper offers when it asks for a page, best first.
pub const SCRAPE_ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

/// An exposition format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus's text format, 0.0.4 and 1.0.0 (quoted names are read in both).
    #[default]
    Text,
    /// OpenMetrics 1.0 text.
    OpenMetrics,
}

/// Says why a content type names no format that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no content type.
    Blank,
    /// Protobuf, which Prometheus reads.
    Protobuf,
    /// Anything else; the text is the content type.
    Unsupported(String),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => f.write_str(
                "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol \
                 specified for target",
            ),
            Self::Protobuf => f.write_str("not supported yet: protobuf exposition format"),
            Self::Unsupported(content_type) => write!(
                f,
                "received unsupported Content-Type {content_type:?} and no fallback_scrape_protocol \
                 specified for target"
            ),
        }
    }
}

impl std::error::Error for FormatError {}

impl Format {
    /// Finds the format of a page from its `Content-Type`.
    ///
    /// Errors: Prometheus's texts for a blank or unsupported content type.
    pub fn from_content_type(content_type: &str) -> Result<Self, FormatError> {
        let media_type = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        match media_type.as_str() {
            "" => Err(FormatError::Blank),
            "text/plain" => Ok(Self::Text),
            "application/openmetrics-text" => Ok(Self::OpenMetrics),
            "application/vnd.google.protobuf" => Err(FormatError::Protobuf),
            _ => Err(FormatError::Unsupported(content_type.to_owned())),
        }
    }

    /// Chooses the format to answer with from an `Accept` header; text when it asks for nothing that can be written.
    ///
    /// Of equal weights the more specific wins, then OpenMetrics.
    pub fn from_accept(accept: &str) -> Self {
        let mut best = (Self::Text, 0, 0);
        for (format, weight, specific) in accept.split(',').filter_map(accept_term) {
            let better = (weight, specific) > (best.1, best.2)
                || (weight, specific) == (best.1, best.2) && format == Self::OpenMetrics;
            if weight > 0 && better {
                best = (format, weight, specific);
            }
        }
        best.0
    }

    /// Returns the content type under which [`crate::Writer`]'s output is served.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Reads one term of an `Accept` header: format, weight in thousandths, and how specific it is.
fn accept_term(term: &str) -> Option<(Format, u32, u8)> {
    let mut parts = term.split(';').map(str::trim);
    let media_type = parts.next()?.to_ascii_lowercase();
    let mut weight = 1000;
    let mut version = "";
    for (name, value) in parts.filter_map(|p| p.split_once('=')) {
        match name.trim().to_ascii_lowercase().as_str() {
            "q" => weight = (value.trim().parse::<f32>().ok()?.clamp(0.0, 1.0) * 1000.0) as u32,
            "version" => version = value.trim().trim_matches('"'),
            _ => {}
        }
    }
    match media_type.as_str() {
        "application/openmetrics-text" if matches!(version, "" | "0.0.1" | "1.0.0") => {
            Some((Format::OpenMetrics, weight, 2))
        }
        "text/plain" if matches!(version, "" | "0.0.4" | "1.0.0") => Some((Format::Text, weight, 2)),
        "text/*" => Some((Format::Text, weight, 1)),
        "*/*" => Some((Format::Text, weight, 0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_their_format() {
        for (content_type, expected) in [
            ("text/plain; version=0.0.4; charset=utf-8", Ok(Format::Text)),
            ("text/plain", Ok(Format::Text)),
            ("application/openmetrics-text; version=1.0.0; charset=utf-8", Ok(Format::OpenMetrics)),
            ("", Err(FormatError::Blank)),
            ("application/vnd.google.protobuf; encoding=delimited", Err(FormatError::Protobuf)),
            ("text/html", Err(FormatError::Unsupported("text/html".to_owned()))),
        ] {
            assert_eq!(Format::from_content_type(content_type), expected);
        }
    }

    #[test]
    fn accept_headers_choose_by_weight() {
        for (accept, expected) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            (SCRAPE_ACCEPT, Format::OpenMetrics),
            ("application/openmetrics-text; version=1.0.0", Format::OpenMetrics),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", Format::Text),
            ("text/plain;version=0.0.4;q=0.9,application/openmetrics-text;q=0.5", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Text),
        ] {
            assert_eq!(Format::from_accept(accept), expected, "{accept}");
        }
    }
}
