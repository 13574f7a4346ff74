//! Label names of one list, to refuse a second one.

use std::collections::HashSet;

/// Up to this many names, comparing with each is cheaper than hashing.
const LIST_MAX: usize = 32;

/// The names of a list so far; kept and cleared, it allocates for none but the longest lists.
///
/// Cost: constant for each name, so that a line of a million labels costs no more than a million labels.
#[derive(Default)]
pub(crate) struct DistinctNames<'a> {
    list: Vec<&'a str>,
    set: HashSet<&'a str>,
}

impl<'a> DistinctNames<'a> {
    pub(crate) fn clear(&mut self) {
        self.list.clear();
        if !self.set.is_empty() {
            self.set = HashSet::new();
        }
    }

    /// Adds a name; says whether it is new.
    pub(crate) fn insert(&mut self, name: &'a str) -> bool {
        if self.set.is_empty() {
            if self.list.contains(&name) {
                return false;
            }
            if self.list.len() < LIST_MAX {
                self.list.push(name);
                return true;
            }
            self.set.extend(self.list.iter().copied());
        }
        self.set.insert(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_name_is_found_in_short_and_long_lists() {
        let texts: Vec<String> = (0..100).map(|i| format!("l{i}")).collect();
        let mut names = DistinctNames::default();
        for round in 0..2 {
            names.clear();
            for text in &texts {
                assert!(names.insert(text), "{text} in round {round}");
                assert!(!names.insert(text));
                assert!(!names.insert("l0"));
            }
        }
    }
}
