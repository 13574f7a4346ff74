//! The cells of a family in the order of the page.

use promflow_exposition::LabelSlice;

use crate::metric::Metric;

/// Cells sorted by labels, and the labels once more in one piece of memory: a page reads them one behind the other,
/// which is a third faster than to go to each series for its own.
pub(super) struct Sorted<M> {
    cells: Vec<M>,
    text: String,
    /// Where the labels of each cell end in the text.
    ends: Vec<usize>,
    /// Whether a label name is quoted: then it is in all series.
    has_quoted_name: bool,
}

impl<M> Default for Sorted<M> {
    fn default() -> Self {
        Self { cells: Vec::new(), text: String::new(), ends: Vec::new(), has_quoted_name: false }
    }
}

impl<M: Metric> Sorted<M> {
    pub(super) fn new(mut cells: Vec<M>) -> Self {
        cells.sort_by(|a, b| a.cell().labels().as_str().cmp(b.cell().labels().as_str()));
        let mut text = String::with_capacity(cells.iter().map(|m| m.cell().labels().as_str().len()).sum());
        let push = |metric: &M| {
            text.push_str(metric.cell().labels().as_str());
            text.len()
        };
        let ends = cells.iter().map(push).collect();
        let has_quoted_name = cells.first().is_some_and(|m| m.cell().labels().has_quoted_name());
        Self { cells, text, ends, has_quoted_name }
    }
}

impl<M> Sorted<M> {
    pub(super) fn cells(&self) -> &[M] {
        &self.cells
    }

    /// Walks over the cells and their labels.
    pub(super) fn series(&self) -> impl Iterator<Item = (&M, LabelSlice<'_>)> {
        let mut start = 0;
        self.cells.iter().zip(&self.ends).map(move |(metric, end)| {
            let text = self.text.get(start..*end).unwrap_or("");
            start = *end;
            (metric, LabelSlice::new(text, self.has_quoted_name))
        })
    }
}
