//! Where the series come from.

use std::collections::BinaryHeap;

use promflow_model::METRIC_NAME;

use crate::postings::Postings;

/// The largest contributors, largest first, equal ones by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cardinality {
    /// Series by metric name.
    pub series_by_metric: Vec<(String, u64)>,
    /// Distinct values by label name.
    pub values_by_label: Vec<(String, u64)>,
    /// Bytes of the distinct values by label name.
    pub bytes_by_label: Vec<(String, u64)>,
    /// Series by label pair, written `name=value`.
    pub series_by_pair: Vec<(String, u64)>,
    /// How many label pairs there are.
    pub label_pairs: u64,
}

/// Keeps the largest so far; the smallest of them is on top.
struct Top<'a, K> {
    heap: BinaryHeap<std::cmp::Reverse<(u64, std::cmp::Reverse<K>)>>,
    limit: usize,
    write: &'a dyn Fn(K) -> String,
}

impl<K: Ord> Top<'_, K> {
    fn offer(&mut self, key: K, count: u64) {
        let entry = (count, std::cmp::Reverse(key));
        if self.heap.len() < self.limit {
            self.heap.push(std::cmp::Reverse(entry));
        } else if let Some(mut smallest) = self.heap.peek_mut()
            && entry > smallest.0
        {
            *smallest = std::cmp::Reverse(entry);
        }
    }

    fn finish(self) -> Vec<(String, u64)> {
        let sorted = self.heap.into_sorted_vec();
        sorted.into_iter().map(|e| ((self.write)(e.0.1.0), e.0.0)).collect()
    }
}

impl Cardinality {
    pub(crate) fn of(postings: &Postings, limit: usize) -> Self {
        let plain = |name: &str| name.to_owned();
        let pair = |(name, value): (&str, &str)| format!("{name}={value}");
        let mut metrics = Top { heap: BinaryHeap::new(), limit, write: &plain };
        let mut values = Top { heap: BinaryHeap::new(), limit, write: &plain };
        let mut bytes = Top { heap: BinaryHeap::new(), limit, write: &plain };
        let mut pairs = Top { heap: BinaryHeap::new(), limit, write: &pair };
        let mut label_pairs = 0;
        for name in postings.names() {
            let (mut count, mut size) = (0, 0);
            for (value, series) in postings.values(name) {
                count += 1;
                size += value.len() as u64;
                pairs.offer((name, value), series as u64);
                if name == METRIC_NAME {
                    metrics.offer(value, series as u64);
                }
            }
            values.offer(name, count);
            bytes.offer(name, size);
            label_pairs += count;
        }
        Self {
            series_by_metric: metrics.finish(),
            values_by_label: values.finish(),
            bytes_by_label: bytes.finish(),
            series_by_pair: pairs.finish(),
            label_pairs,
        }
    }
}
