//! The extreme of a window that slides over values, in time proportional to the values alone.

use std::collections::VecDeque;

/// Finds the largest or smallest value of one window after the other.
///
/// Source: the monotonic queue: a value that a later one equals or beats can never be the extreme again.
#[derive(Debug)]
pub(crate) struct SlidingExtreme {
    largest: bool,
    /// The indices of values of which each beats all later ones.
    candidates: VecDeque<usize>,
    next: usize,
}

impl SlidingExtreme {
    pub(crate) fn new(largest: bool) -> Self {
        Self { largest, candidates: VecDeque::new(), next: 0 }
    }

    /// Starts over with another series.
    pub(crate) fn reset(&mut self) {
        self.candidates.clear();
        self.next = 0;
    }

    /// Returns the index of the last of the extreme values of `from..to`, which is not empty and whose ends never go
    /// back. NaN counts only where there is nothing else.
    pub(crate) fn slide(&mut self, values: &[f64], from: usize, to: usize) -> usize {
        for i in self.next.max(from)..to {
            let value = values[i];
            if value.is_nan() {
                continue;
            }
            let stays = |back: &usize| match self.largest {
                true => values[*back] > value,
                false => values[*back] < value,
            };
            while self.candidates.back().is_some_and(|back| !stays(back)) {
                self.candidates.pop_back();
            }
            self.candidates.push_back(i);
        }
        self.next = to;
        while self.candidates.front().is_some_and(|front| *front < from) {
            self.candidates.pop_front();
        }
        self.candidates.front().copied().unwrap_or(to - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_has_the_extreme_that_a_search_finds() {
        let values = [3.0, 1.0, f64::NAN, 4.0, 1.0, 5.0, 9.0, 2.0, 9.0, f64::NAN, f64::NAN, 3.0];
        for width in 1..=values.len() {
            let mut largest = SlidingExtreme::new(true);
            let mut smallest = SlidingExtreme::new(false);
            for to in width..=values.len() {
                let window = &values[to - width..to];
                let found = |i: usize| (!values[i].is_nan()).then_some(values[i]);
                let max = window.iter().copied().filter(|v| !v.is_nan()).reduce(f64::max);
                let min = window.iter().copied().filter(|v| !v.is_nan()).reduce(f64::min);
                assert_eq!(found(largest.slide(&values, to - width, to)), max);
                assert_eq!(found(smallest.slide(&values, to - width, to)), min);
            }
        }
    }

    #[test]
    fn of_equal_values_the_last_is_found_and_skipped_values_do_not_count() {
        let values = [9.0, 9.0, 1.0, 2.0];
        let mut largest = SlidingExtreme::new(true);
        assert_eq!(largest.slide(&values, 0, 2), 1);
        assert_eq!(largest.slide(&values, 3, 4), 3);
    }
}
