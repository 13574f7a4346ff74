//! The exposition formats of Prometheus, read and written: text 0.0.4 and 1.0.0, OpenMetrics 1.0, and protobuf with
//! native histograms. OpenMetrics 2.0 is written alone.
//!
//! A scraper parses the same page every few seconds, so [`Parser`] is a pull parser over the body: it yields one
//! [`Entry`] at a time, borrows from the body, and allocates only for what needs unescaping. A sample keeps its
//! series as the raw bytes of the page, which is the key under which a scraper remembers the label set that it
//! built once. The rejected model, one tree of families for the page, copies every label of every scrape.
//! [`Reader`] adds protobuf, whose series are given the text that OpenMetrics has for them: one key for all formats.
//!
//! [`Negotiated`] says what to answer to an `Accept` header, [`Writer`] writes it, and [`lint`] holds a page to the
//! conventions of names.
//!
//! [`Mode::Prometheus`] is as lax as Prometheus's scraper; [`Mode::Strict`] also holds a page to the specification:
//! families in one piece, metadata before samples, consistent histograms.
//!
//! ```
//! use promflow_exposition::{Entry, Format, Mode, Parser};
//!
//! let page = b"# TYPE up gauge\nup{job=\"api\"} 1\n";
//! let mut parser = Parser::new(page, Format::Text, Mode::Strict);
//! let mut samples = Vec::new();
//! while let Some(entry) = parser.next() {
//!     if let Entry::Sample(sample) = entry? {
//!         samples.push((sample.labels().to_string(), sample.value));
//!     }
//! }
//! assert_eq!(samples, [(r#"{__name__="up", job="api"}"#.to_owned(), 1.0)]);
//! # Ok::<(), promflow_exposition::ParseError>(())
//! ```

mod entry;
mod error;
mod escape;
mod format;
mod lint;
mod names;
mod parser;
mod protobuf;
mod reader;
mod scan;
mod strict;
mod text;
mod wire;
mod write;

pub use entry::{Entry, ExemplarEntry, HistogramEntry, LabelIter, OwnedExemplar, PageEntry, SampleEntry};
pub use error::ParseError;
pub use escape::Escaping;
pub use format::{Format, FormatError, Negotiated, SCRAPE_ACCEPT};
pub use lint::{LintProblem, lint};
pub use parser::{Mode, Parser};
pub use protobuf::{NativeHistograms, ProtobufParser};
pub use reader::Reader;
pub use write::{
    Exemplar, HistogramPoint, LabelSlice, LabelText, NativeHistogramPoint, Number, SummaryPoint, Writer,
};
