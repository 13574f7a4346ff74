//! The inverted index: label name -> value -> ids of the series that have it, rising.

use std::cmp::Reverse;

use foldhash::fast::RandomState;
use hashbrown::hash_map::EntryRef;
use hashbrown::{HashMap, HashSet};
use promflow_model::{Labels, MatchOp, Matcher};

type Map<V> = HashMap<Box<str>, V, RandomState>;

#[derive(Debug, Default)]
pub(crate) struct Postings {
    names: Map<Map<Ids>>,
    all: Vec<u32>,
}

/// Ids of a label pair. Most values of a label such as `instance_id` have one series, which needs no allocation.
#[derive(Debug)]
enum Ids {
    One(u32),
    Many(Vec<u32>),
}

impl Ids {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    fn push(&mut self, id: u32) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, id]),
            Self::Many(ids) => ids.push(id),
        }
    }

    /// Takes dead ids out; says whether any is left.
    fn retain(&mut self, dead: &HashSet<u32, RandomState>) -> bool {
        match self {
            Self::One(id) => !dead.contains(id),
            Self::Many(ids) => {
                ids.retain(|id| !dead.contains(id));
                if ids.len() * 2 < ids.capacity() {
                    ids.shrink_to_fit();
                }
                !ids.is_empty()
            }
        }
    }
}

/// What the index can say about matchers: candidates, and the matchers that the reader still has to apply to the
/// candidates' label sets because that is cheaper there.
pub(crate) struct Candidates<'m> {
    pub(crate) ids: Vec<u32>,
    pub(crate) residual: Vec<&'m Matcher>,
}

/// The share of an id in one postings list, with the slack of a growing vector.
const ID_BYTES: usize = 6;
/// The share of a value in its name's table.
const VALUE_BYTES: usize = 48;

fn value_bytes(value: &str) -> usize {
    VALUE_BYTES + value.len()
}

impl Postings {
    /// Adds a series, whose id must be the highest so far; returns the bytes that took.
    pub(crate) fn add(&mut self, id: u32, labels: &Labels) -> usize {
        self.all.push(id);
        let mut bytes = ID_BYTES;
        for (name, value) in labels {
            let values = match self.names.entry_ref(name) {
                EntryRef::Occupied(entry) => entry.into_mut(),
                EntryRef::Vacant(entry) => {
                    bytes += value_bytes(name);
                    entry.insert_with_key(name.into(), Map::default())
                }
            };
            match values.entry_ref(value) {
                EntryRef::Occupied(mut entry) => entry.get_mut().push(id),
                EntryRef::Vacant(entry) => {
                    bytes += value_bytes(value);
                    entry.insert_with_key(value.into(), Ids::One(id));
                }
            }
            bytes += ID_BYTES;
        }
        bytes
    }

    /// Removes series; returns the bytes that this set free.
    ///
    /// Cost: walks the postings of every label pair of the dead once.
    pub(crate) fn remove(&mut self, dead: &[(u32, Labels)]) -> usize {
        let ids: HashSet<u32, RandomState> = dead.iter().map(|(id, _)| *id).collect();
        let mut pairs: HashSet<(&str, &str), RandomState> = HashSet::default();
        let mut bytes = 0;
        for (_, labels) in dead {
            bytes += ID_BYTES * (1 + labels.len());
            pairs.extend(labels.iter());
        }
        self.all.retain(|id| !ids.contains(id));
        for (name, value) in pairs {
            let Some(values) = self.names.get_mut(name) else { continue };
            if values.get_mut(value).is_some_and(|postings| !postings.retain(&ids)) {
                values.remove(value);
                bytes += value_bytes(value);
                if values.is_empty() {
                    self.names.remove(name);
                    bytes += value_bytes(name);
                }
            }
        }
        bytes
    }

    /// Returns every label name, in no order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(AsRef::as_ref)
    }

    /// Returns every value of a label with its number of series, in no order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, usize)> {
        let values = self.names.get(name).into_iter().flatten();
        values.map(|(value, ids)| (value.as_ref(), ids.as_slice().len()))
    }

    /// Evaluates matchers.
    ///
    /// Source: Prometheus tsdb/querier.go PostingsForMatchers, whose results these are.
    pub(crate) fn candidates<'m>(&self, matchers: &'m [Matcher]) -> Candidates<'m> {
        let mut residual = Vec::new();
        let mut lists: Vec<&[u32]> = Vec::new();
        let mut unions: Vec<&Matcher> = Vec::new();
        let mut subtractions: Vec<&Matcher> = Vec::new();
        for matcher in matchers {
            if matcher.matches_empty() {
                subtractions.push(matcher);
            } else if matcher.op == MatchOp::Equal {
                lists.push(self.ids(&matcher.name, &matcher.value));
            } else {
                unions.push(matcher);
            }
        }
        let mut ids = if lists.is_empty() { None } else { Some(intersect(lists)) };
        // A pattern that is a list of words is cheap wherever it stands; open patterns come last.
        unions.sort_by_key(|m| Reverse(m.regex().is_some_and(|r| r.set_matches().is_some())));
        for matcher in unions {
            let words = wanted_words(matcher);
            if words.is_none() && self.is_costly(&matcher.name, ids.as_deref()) {
                residual.push(matcher);
                continue;
            }
            let union = self.union_of(&matcher.name, words, |v| matcher.matches(v));
            ids = Some(match ids {
                Some(ids) => intersect(vec![&ids, &union]),
                None => union,
            });
        }
        let mut ids = ids.unwrap_or_else(|| self.all.clone());
        for matcher in subtractions {
            let words = unwanted_words(matcher);
            if words.is_none() && self.is_costly(&matcher.name, Some(&ids)) {
                residual.push(matcher);
                continue;
            }
            let unwanted = self.union_of(&matcher.name, words, |v| !matcher.matches(v));
            subtract(&mut ids, &unwanted);
        }
        Candidates { ids, residual }
    }

    /// Says whether trying every value of the label costs more than trying every candidate.
    fn is_costly(&self, name: &str, candidates: Option<&[u32]>) -> bool {
        let values = self.names.get(name).map_or(0, Map::len);
        candidates.is_some_and(|ids| values > ids.len())
    }

    fn ids(&self, name: &str, value: &str) -> &[u32] {
        self.names.get(name).and_then(|values| values.get(value)).map_or(&[], Ids::as_slice)
    }

    /// Joins the postings of some values: the words, where they are known, else all values that satisfy a condition.
    fn union_of(&self, name: &str, words: Option<Vec<&str>>, condition: impl Fn(&str) -> bool) -> Vec<u32> {
        let mut union = Vec::new();
        match words {
            Some(words) => words.iter().for_each(|w| union.extend_from_slice(self.ids(name, w))),
            None => {
                for (value, ids) in self.names.get(name).into_iter().flatten() {
                    if condition(value) {
                        union.extend_from_slice(ids.as_slice());
                    }
                }
            }
        }
        union.sort_unstable();
        union.dedup();
        union
    }
}

/// Returns the values that satisfy a matcher, when they can be listed.
fn wanted_words(matcher: &Matcher) -> Option<Vec<&str>> {
    match matcher.op {
        MatchOp::Regex => listed(matcher),
        _ => None,
    }
}

/// Returns the values that do not satisfy a matcher, when they can be listed.
fn unwanted_words(matcher: &Matcher) -> Option<Vec<&str>> {
    match matcher.op {
        MatchOp::NotEqual if !matcher.value.is_empty() => Some(vec![&matcher.value]),
        MatchOp::NotRegex => listed(matcher),
        _ => None,
    }
}

fn listed(matcher: &Matcher) -> Option<Vec<&str>> {
    Some(matcher.regex()?.set_matches()?.iter().map(String::as_str).collect())
}

/// Intersects sorted lists, the shortest leading.
fn intersect(mut lists: Vec<&[u32]>) -> Vec<u32> {
    lists.sort_by_key(|list| list.len());
    let Some((first, others)) = lists.split_first_mut() else { return Vec::new() };
    first
        .iter()
        .copied()
        .filter(|id| {
            others.iter_mut().all(|other| {
                *other = skip_to(other, *id);
                other.first() == Some(id)
            })
        })
        .collect()
}

/// Takes the ids of a sorted list out of another.
fn subtract(ids: &mut Vec<u32>, mut unwanted: &[u32]) {
    ids.retain(|id| {
        unwanted = skip_to(unwanted, *id);
        unwanted.first() != Some(id)
    });
}

/// Leaves out what is smaller, in steps that double: near in a dense list, far in a sparse one.
fn skip_to(list: &[u32], id: u32) -> &[u32] {
    let mut step = 1;
    while step < list.len() && list[step] < id {
        step *= 2;
    }
    let window = &list[..list.len().min(step + 1)];
    &list[window.partition_point(|x| *x < id)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> (Postings, Vec<Labels>) {
        let mut postings = Postings::default();
        let mut sets = Vec::new();
        for n in 0..40u32 {
            let mut pairs = vec![("n", n.to_string()), ("mod", (n % 4).to_string())];
            if n % 3 == 0 {
                pairs.push(("i", ["a", "b", "c"][n as usize / 3 % 3].to_owned()));
            }
            let labels = Labels::from_pairs(pairs);
            postings.add(n, &labels);
            sets.push(labels);
        }
        (postings, sets)
    }

    #[test]
    fn every_pair_of_matchers_selects_what_a_walk_over_all_series_selects() {
        let (postings, sets) = index();
        let mut matchers = Vec::new();
        for name in ["n", "mod", "i", "missing"] {
            for value in ["", "1", "a", "a|b", ".*", ".+", "a.*", "1|", "a?", "[ab]"] {
                for op in [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex] {
                    matchers.push(Matcher::new(op, name, value).expect("a valid pattern"));
                }
            }
        }
        for first in &matchers {
            for second in &matchers {
                let both = [first.clone(), second.clone()];
                let fits = |m: &Matcher, id: u32| m.matches(sets[id as usize].get(&m.name));
                let Candidates { mut ids, residual } = postings.candidates(&both);
                ids.retain(|id| residual.iter().all(|m| fits(m, *id)));
                let expected: Vec<u32> = (0..40).filter(|id| both.iter().all(|m| fits(m, *id))).collect();
                assert_eq!(ids, expected, "{{{first},{second}}}");
            }
        }
    }

    #[test]
    fn removed_series_leave_nothing_behind() {
        let (mut postings, sets) = index();
        let added: usize = {
            let mut fresh = Postings::default();
            sets.iter().zip(0..).map(|(labels, id)| fresh.add(id, labels)).sum()
        };
        let dead: Vec<(u32, Labels)> = (0..).zip(sets).collect();
        let (odd, even): (Vec<_>, Vec<_>) = dead.into_iter().partition(|(id, _)| id % 2 == 1);
        let freed = postings.remove(&odd);
        assert_eq!(postings.candidates(&[]).ids, (0..40).step_by(2).collect::<Vec<u32>>());
        assert_eq!(postings.candidates(&[Matcher::equal("n", "1")]).ids, [0u32; 0]);
        assert_eq!(freed + postings.remove(&even), added);
        assert_eq!(postings.names().count(), 0);
    }

    #[test]
    fn skipping_finds_the_first_id_that_is_not_smaller() {
        let list: Vec<u32> = (0..100).map(|n| n * 3).collect();
        for id in 0..310 {
            let expected = list.iter().position(|x| *x >= id).unwrap_or(list.len());
            assert_eq!(skip_to(&list, id), &list[expected..]);
        }
    }
}
