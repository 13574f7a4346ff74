//! Quantiles and fractions of classic histograms: series that differ in `le` alone are one histogram.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use promflow_model::float::{format_g, parse};
use promflow_model::{BUCKET_LABEL, Labels};

use super::{Exec, Row, Sink};
use crate::annotations::ForcedMonotonicity;
use crate::column::{ABSENT, all_absent, is_present};
use crate::error::QueryError;
use crate::functions::buckets::{self, Bucket};
use crate::functions::quantile;
use crate::plan::{HistogramQuantile, Node};
use crate::steps::Steps;

/// One classic histogram: the columns of its buckets.
struct Histogram {
    /// Without `le`.
    labels: Labels,
    columns: Vec<(f64, Vec<f64>)>,
}

impl Histogram {
    /// Gathers the buckets that have values at a step; says whether there are any.
    fn at(&self, step: usize, into: &mut Vec<Bucket>) -> bool {
        into.clear();
        for (upper, column) in &self.columns {
            if is_present(column[step]) {
                into.push(Bucket { upper: *upper, count: column[step] });
            }
        }
        !into.is_empty()
    }
}

impl Exec<'_> {
    pub(super) fn histogram_quantile(
        &self,
        call: &HistogramQuantile,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut quantiles = Vec::with_capacity(call.quantiles.len());
        for node in &call.quantiles {
            let column = self.scalar(node, steps)?;
            for q in column.iter().filter(|q| !quantile::is_valid(**q)) {
                self.annotations.borrow_mut().invalid_quantile(*q, node.span);
            }
            quantiles.push(column);
        }
        let mut distinct = self.distinct(true);
        let mut column = vec![ABSENT; steps.count];
        let mut scratch = Vec::new();
        self.histograms(&call.arg, steps, &mut |histogram| {
            for quantiles in &quantiles {
                for (step, t_ms) in steps.iter() {
                    column[step] = ABSENT;
                    if !histogram.at(step, &mut scratch) {
                        continue;
                    }
                    let (value, repair) = buckets::quantile(quantiles[step], &mut scratch);
                    column[step] = value;
                    if let Some(repair) = repair {
                        let name =
                            if self.delayed_name_removal { histogram.labels.metric_name() } else { "" };
                        let forced = ForcedMonotonicity {
                            t_ms,
                            bucket_min: repair.bucket_min,
                            bucket_max: repair.bucket_max,
                            diff_max: repair.diff_max,
                        };
                        self.annotations.borrow_mut().forced_monotonicity(
                            name,
                            call.monotonicity_span,
                            forced,
                        );
                    }
                }
                self.emit_quantile(call, quantiles, histogram, &mut column, &mut distinct, sink)?;
            }
            Ok(())
        })
    }

    /// Hands a quantile's column on; with a label for the quantile, one row for each value that it takes.
    fn emit_quantile(
        &self,
        call: &HistogramQuantile,
        quantiles: &[f64],
        histogram: &Histogram,
        column: &mut [f64],
        distinct: &mut super::distinct::Distinct<'_>,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let (labels, drop_name) = self.renamed(&histogram.labels);
        let Some(label) = &call.label else {
            distinct.check(&labels, column)?;
            return sink(Row { labels, drop_name, values: column });
        };
        let mut done: Vec<u64> = Vec::new();
        for q in quantiles {
            if done.contains(&q.to_bits()) {
                continue;
            }
            done.push(q.to_bits());
            let mut own: Vec<f64> = column
                .iter()
                .zip(quantiles)
                .map(|(value, other)| if other.to_bits() == q.to_bits() { *value } else { ABSENT })
                .collect();
            if all_absent(&own) {
                continue;
            }
            let labels = labels.with(label, &open_metrics_float(*q));
            distinct.check(&labels, &own)?;
            sink(Row { labels, drop_name, values: &mut own })?;
        }
        Ok(())
    }

    pub(super) fn histogram_fraction(
        &self,
        lower: &Node,
        upper: &Node,
        arg: &Node,
        steps: &Steps,
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let lower = self.scalar(lower, steps)?;
        let upper = self.scalar(upper, steps)?;
        let mut distinct = self.distinct(true);
        let mut column = vec![ABSENT; steps.count];
        let mut scratch = Vec::new();
        self.histograms(arg, steps, &mut |histogram| {
            for step in 0..steps.count {
                column[step] = match histogram.at(step, &mut scratch) {
                    true => buckets::fraction(lower[step], upper[step], &mut scratch),
                    false => ABSENT,
                };
            }
            let (labels, drop_name) = self.renamed(&histogram.labels);
            distinct.check(&labels, &column)?;
            sink(Row { labels, drop_name, values: &mut column })
        })
    }

    /// Gathers the classic histograms of a vector.
    fn histograms(
        &self,
        arg: &Node,
        steps: &Steps,
        take: &mut dyn FnMut(&Histogram) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut account = self.budget.account();
        let mut index: HashMap<Labels, usize, RandomState> = HashMap::default();
        let mut all: Vec<Histogram> = Vec::new();
        self.rows(arg, steps, &mut |row| {
            let le = row.labels.get(BUCKET_LABEL);
            let Some(upper) = parse(le) else {
                let name = if self.delayed_name_removal { row.labels.metric_name() } else { "" };
                self.annotations.borrow_mut().bad_bucket_label(name, le, arg.span);
                return Ok(());
            };
            account.take_column(steps.count)?;
            let labels = row.labels.with(BUCKET_LABEL, "");
            let i = *index.entry(labels.clone()).or_insert_with(|| {
                all.push(Histogram { labels, columns: Vec::new() });
                all.len() - 1
            });
            all[i].columns.push((upper, row.values.to_vec()));
            Ok(())
        })?;
        all.iter().try_for_each(take)
    }
}

/// Writes a float as OpenMetrics does: always with a fraction or an exponent.
fn open_metrics_float(value: f64) -> String {
    let text = format_g(value);
    if value.is_finite() && !text.contains(['.', 'e']) { text + ".0" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantile_labels_always_have_a_fraction() {
        assert_eq!(open_metrics_float(1.0), "1.0");
        assert_eq!(open_metrics_float(0.99), "0.99");
        assert_eq!(open_metrics_float(f64::NAN), "NaN");
    }
}
