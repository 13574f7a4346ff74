//! One reader for every format.

use crate::{Format, Mode, NativeHistograms, PageEntry, ParseError, Parser, ProtobufParser};

/// Reads a page of any format entry by entry.
///
/// Errors: the first one ends the page.
///
/// ```
/// use promflow_exposition::{Entry, Format, Mode, PageEntry, Reader};
///
/// let mut reader = Reader::new(b"up 1\n", Format::Text, Mode::Prometheus);
/// while let Some(entry) = reader.next() {
///     match entry? {
///         PageEntry::Entry(Entry::Sample(sample)) => assert_eq!(sample.value, 1.0),
///         PageEntry::Histogram(histogram) => histogram.histogram.validate()?,
///         _ => {}
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader<'a>(Inner<'a>);

enum Inner<'a> {
    Text(Parser<'a>),
    Protobuf(Box<ProtobufParser<'a>>),
}

impl<'a> Reader<'a> {
    /// Starts to read a page.
    pub fn new(body: &'a [u8], format: Format, mode: Mode) -> Self {
        match format {
            Format::Protobuf => Self(Inner::Protobuf(Box::new(ProtobufParser::new(body, mode)))),
            _ => Self(Inner::Text(Parser::new(body, format, mode))),
        }
    }

    /// Sets how histograms that have native buckets are read.
    pub fn native_histograms(mut self, histograms: NativeHistograms) -> Self {
        if let Inner::Protobuf(parser) = &mut self.0 {
            parser.set_native_histograms(histograms);
        }
        self
    }

    /// Reads the next entry; `None` at the end of the page and after an error.
    #[allow(clippy::should_implement_trait, reason = "the entry borrows from the reader")]
    pub fn next(&mut self) -> Option<Result<PageEntry<'_>, ParseError>> {
        match &mut self.0 {
            Inner::Text(parser) => parser.next().map(|entry| entry.map(PageEntry::Entry)),
            Inner::Protobuf(parser) => parser.next(),
        }
    }
}
