//! Formats and their content types.

use std::fmt;

use crate::Escaping;

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
    /// OpenMetrics 2.0 text, which is written alone.
    OpenMetrics2,
    /// Protobuf: delimited messages `io.prometheus.client.MetricFamily`.
    Protobuf,
}

/// Says why a content type names no format that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no content type.
    Blank,
    /// Protobuf in another form than delimited metric families.
    Protobuf,
    /// OpenMetrics 2.0.
    OpenMetrics2,
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
            Self::Protobuf => f.write_str("not supported yet: protobuf other than delimited metric families"),
            Self::OpenMetrics2 => f.write_str("not supported yet: reading OpenMetrics 2.0"),
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
        let header = MediaType::parse(content_type);
        match header.name.as_str() {
            "" => Err(FormatError::Blank),
            "text/plain" => Ok(Self::Text),
            OPENMETRICS if header.parameter("version").is_some_and(|v| v.starts_with("2.")) => {
                Err(FormatError::OpenMetrics2)
            }
            OPENMETRICS => Ok(Self::OpenMetrics),
            PROTOBUF if header.is_delimited_families() => Ok(Self::Protobuf),
            PROTOBUF => Err(FormatError::Protobuf),
            _ => Err(FormatError::Unsupported(content_type.to_owned())),
        }
    }

    /// Chooses the format to answer with from an `Accept` header, as [`Negotiated::from_accept`] does.
    pub fn from_accept(accept: &str) -> Self {
        Negotiated::from_accept(accept).format
    }

    /// Returns the content type under which [`crate::Writer`]'s output is served.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::OpenMetrics2 => "application/openmetrics-text; version=2.0.0; charset=utf-8",
            Self::Protobuf => PROTOBUF_CONTENT_TYPE,
        }
    }

    /// Says whether the format is OpenMetrics of any version.
    pub(crate) fn is_openmetrics(self) -> bool {
        matches!(self, Self::OpenMetrics | Self::OpenMetrics2)
    }
}

const OPENMETRICS: &str = "application/openmetrics-text";
const PROTOBUF: &str = "application/vnd.google.protobuf";
const FAMILY: &str = "io.prometheus.client.MetricFamily";
const PROTOBUF_CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// What a page is answered in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The format.
    pub format: Format,
    /// The format's version; `""` for protobuf.
    pub version: &'static str,
    /// What is done to names that are not classic.
    pub escaping: Escaping,
    /// Whether the scraper named the escaping, so that the content type repeats it.
    names_escaping: bool,
}

impl Negotiated {
    /// Chooses from an `Accept` header; text 0.0.4 when it asks for nothing that can be written.
    ///
    /// Of equal weights the more specific wins, then any other format over text, then the earlier. OpenMetrics 2.0 and
    /// protobuf are chosen only where they are named. Names are escaped with underscores unless the term that is chosen
    /// says otherwise.
    pub fn from_accept(accept: &str) -> Self {
        let fallback = Self {
            format: Format::Text,
            version: "0.0.4",
            escaping: Escaping::Underscores,
            names_escaping: false,
        };
        let mut best = (fallback, (0, 0, false));
        for (choice, weight, specific) in accept.split(',').filter_map(accept_term) {
            let rank = (weight, specific, choice.format != Format::Text);
            if weight > 0 && rank > best.1 {
                best = (choice, rank);
            }
        }
        best.0
    }

    /// Returns the content type of the answer.
    pub fn content_type(&self) -> String {
        let base = match (self.format, self.version) {
            (Format::Text, version) => format!("text/plain; version={version}; charset=utf-8"),
            (Format::OpenMetrics | Format::OpenMetrics2, version) => {
                format!("{OPENMETRICS}; version={version}; charset=utf-8")
            }
            (Format::Protobuf, _) => PROTOBUF_CONTENT_TYPE.to_owned(),
        };
        if self.names_escaping { format!("{base}; escaping={}", self.escaping.as_str()) } else { base }
    }
}

/// A media type with its parameters.
struct MediaType<'a> {
    name: String,
    parameters: Vec<(String, &'a str)>,
}

impl<'a> MediaType<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or("").to_ascii_lowercase();
        let parameters = parts
            .filter_map(|p| p.split_once('='))
            .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().trim_matches('"')))
            .collect();
        Self { name, parameters }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    }

    fn is_delimited_families(&self) -> bool {
        self.parameter("proto").is_none_or(|p| p == FAMILY)
            && self.parameter("encoding").is_none_or(|e| e == "delimited")
    }
}

/// Reads one term of an `Accept` header: the choice, its weight in thousandths, and how specific it is.
fn accept_term(term: &str) -> Option<(Negotiated, u32, u8)> {
    let header = MediaType::parse(term);
    let weight = match header.parameter("q") {
        Some(q) => (q.parse::<f32>().ok()?.clamp(0.0, 1.0) * 1000.0) as u32,
        None => 1000,
    };
    let (format, version, specific) = match (header.name.as_str(), header.parameter("version").unwrap_or(""))
    {
        (OPENMETRICS, "" | "1.0.0") => (Format::OpenMetrics, "1.0.0", 2),
        (OPENMETRICS, "0.0.1") => (Format::OpenMetrics, "0.0.1", 2),
        (OPENMETRICS, "2.0.0") => (Format::OpenMetrics2, "2.0.0", 2),
        (PROTOBUF, _) if header.parameter("proto").is_some() && header.is_delimited_families() => {
            (Format::Protobuf, "", 2)
        }
        ("text/plain", "" | "0.0.4") => (Format::Text, "0.0.4", 2),
        ("text/plain", "1.0.0") => (Format::Text, "1.0.0", 2),
        ("text/*", _) => (Format::Text, "0.0.4", 1),
        ("*/*", _) => (Format::Text, "0.0.4", 0),
        _ => return None,
    };
    let escaping = header.parameter("escaping").and_then(Escaping::from_parameter);
    let names_escaping = escaping.is_some();
    let escaping = escaping.unwrap_or(Escaping::Underscores);
    Some((Negotiated { format, version, escaping, names_escaping }, weight, specific))
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
            ("application/openmetrics-text; version=2.0.0", Err(FormatError::OpenMetrics2)),
            ("", Err(FormatError::Blank)),
            (Format::Protobuf.content_type(), Ok(Format::Protobuf)),
            ("application/vnd.google.protobuf; encoding=text", Err(FormatError::Protobuf)),
            ("application/vnd.google.protobuf; proto=other.Message", Err(FormatError::Protobuf)),
            ("text/html", Err(FormatError::Unsupported("text/html".to_owned()))),
        ] {
            assert_eq!(Format::from_content_type(content_type), expected);
        }
    }

    /// What Prometheus 3 sends with native histograms on.
    const PROTOBUF_FIRST: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
        encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,*/*;q=0.1";

    #[test]
    fn accept_headers_choose_by_weight() {
        for (accept, expected) in [
            ("", "text/plain; version=0.0.4; charset=utf-8"),
            ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
            (
                SCRAPE_ACCEPT,
                "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            ),
            (PROTOBUF_FIRST, PROTOBUF_CONTENT_TYPE),
            ("application/openmetrics-text", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
            (
                "application/openmetrics-text;version=0.0.1",
                "application/openmetrics-text; version=0.0.1; charset=utf-8",
            ),
            (
                "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
                "application/openmetrics-text; version=2.0.0; charset=utf-8",
            ),
            (
                "text/plain;version=1.0.0;escaping=dots;q=0.9,application/openmetrics-text;q=0.5",
                "text/plain; version=1.0.0; charset=utf-8; escaping=dots",
            ),
            (
                "text/plain, application/openmetrics-text",
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
            ("text/plain;escaping=unheard-of", "text/plain; version=0.0.4; charset=utf-8"),
            ("application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"),
            ("application/vnd.google.protobuf", "text/plain; version=0.0.4; charset=utf-8"),
            ("text/html,application/xhtml+xml,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8"),
        ] {
            assert_eq!(Negotiated::from_accept(accept).content_type(), expected, "{accept}");
            let read = Format::from_content_type(expected);
            assert_eq!(read.unwrap_or(Format::OpenMetrics2), Format::from_accept(accept), "{accept}");
        }
    }

    #[test]
    fn names_are_escaped_unless_the_scraper_reads_them() {
        assert_eq!(Negotiated::from_accept("*/*").escaping, Escaping::Underscores);
        assert_eq!(Negotiated::from_accept(SCRAPE_ACCEPT).escaping, Escaping::AllowUtf8);
        assert_eq!(Negotiated::from_accept("text/plain;escaping=values").escaping, Escaping::Values);
    }
}
