use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The largest set that is told to callers, who look every member up in an index.
pub(crate) const SET_MATCHES_MAX: usize = 256;

/// The largest list of plain words that is kept as a set for matching.
const WORDS_MAX: usize = 10_000;

/// Sets up to this size are searched in order; larger ones are sorted.
const LINEAR_MAX: usize = 16;

/// A way to answer `is_match` without an automaton.
pub(crate) enum Shortcut {
    /// One of finitely many strings.
    Set(Set),
    /// Literals with `.*` or `.+` between and around them.
    Glob(Glob),
    /// None found.
    Engine,
}

pub(crate) struct Set {
    strings: Vec<String>,
    /// Indices into `strings` in byte order; empty for small sets.
    sorted: Vec<u32>,
}

/// A literal at the start, then gaps, each followed by a literal; the last literal ends the text.
pub(crate) struct Glob {
    prefix: String,
    parts: Vec<(Gap, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gap {
    Any,
    NotEmpty,
}

impl Shortcut {
    pub(crate) fn is_match(&self, s: &str) -> Option<bool> {
        match self {
            Shortcut::Set(set) => Some(set.contains(s)),
            Shortcut::Glob(glob) => Some(glob.is_match(s)),
            Shortcut::Engine => None,
        }
    }
}

impl Set {
    fn new(strings: Vec<String>) -> Set {
        let mut sorted = Vec::new();
        if strings.len() > LINEAR_MAX {
            sorted = (0..strings.len() as u32).collect();
            sorted.sort_unstable_by(|&a, &b| strings[a as usize].cmp(&strings[b as usize]));
        }
        Set { strings, sorted }
    }

    pub(crate) fn strings(&self) -> &[String] {
        &self.strings
    }

    fn contains(&self, s: &str) -> bool {
        if self.sorted.is_empty() {
            return self.strings.iter().any(|x| x == s);
        }
        self.sorted.binary_search_by(|&i| self.strings[i as usize].as_str().cmp(s)).is_ok()
    }
}

impl Glob {
    fn is_match(&self, s: &str) -> bool {
        let Some(mut rest) = s.strip_prefix(self.prefix.as_str()) else { return false };
        let Some(((last_gap, suffix), middle)) = self.parts.split_last() else { return rest.is_empty() };
        for (gap, literal) in middle {
            let Some(after) = skip(rest, *gap) else { return false };
            // The leftmost place is the best one: it leaves the most text to what follows.
            let Some(at) = after.find(literal.as_str()) else { return false };
            rest = &after[at + literal.len()..];
        }
        skip(rest, *last_gap).is_some_and(|after| after.ends_with(suffix.as_str()))
    }
}

fn skip(s: &str, gap: Gap) -> Option<&str> {
    match gap {
        Gap::Any => Some(s),
        Gap::NotEmpty => s.chars().next().map(|c| &s[c.len_utf8()..]),
    }
}

/// Finds the shortcut and the literal prefix of an anchored pattern.
pub(crate) fn analyse(hir: &Hir) -> (Shortcut, String) {
    let mut parts = Vec::new();
    flatten(hir, &mut parts);
    // The pattern is anchored already: `^` in front and `$` behind change nothing.
    let starts = parts.iter().take_while(|h| *h.kind() == HirKind::Look(Look::Start)).count();
    parts.drain(..starts);
    while parts.last().is_some_and(|h| *h.kind() == HirKind::Look(Look::End)) {
        parts.pop();
    }
    let prefix = prefix(&parts);
    if let Some(strings) = strings(&parts) {
        return (Shortcut::Set(Set::new(strings)), prefix);
    }
    match glob(&parts) {
        Some(glob) => (Shortcut::Glob(glob), prefix),
        None => (Shortcut::Engine, prefix),
    }
}

/// Lists the parts of a concatenation, groups opened.
fn flatten<'h>(hir: &'h Hir, parts: &mut Vec<&'h Hir>) {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Capture(capture) => flatten(&capture.sub, parts),
        HirKind::Concat(subs) => subs.iter().for_each(|sub| flatten(sub, parts)),
        _ => parts.push(hir),
    }
}

fn literal(hir: &Hir) -> Option<&str> {
    match hir.kind() {
        HirKind::Literal(literal) => std::str::from_utf8(&literal.0).ok(),
        _ => None,
    }
}

fn prefix(parts: &[&Hir]) -> String {
    parts.iter().map_while(|hir| literal(hir)).collect()
}

fn strings(parts: &[&Hir]) -> Option<Vec<String>> {
    let max = match parts {
        [one] if one.properties().is_alternation_literal() => WORDS_MAX,
        _ => SET_MATCHES_MAX,
    };
    let mut found = vec![String::new()];
    for part in parts {
        found = product(&found, &enumerate(part, max)?, max)?;
    }
    let mut seen = std::collections::HashSet::new();
    let keep: Vec<bool> = found.iter().map(|s| seen.insert(s.as_str())).collect();
    let mut keep = keep.into_iter();
    found.retain(|_| keep.next() == Some(true));
    Some(found)
}

fn product(heads: &[String], tails: &[String], max: usize) -> Option<Vec<String>> {
    if heads.len().saturating_mul(tails.len()) > max {
        return None;
    }
    Some(heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect())
}

/// Lists all strings that a part matches, when there are no more than `max`.
fn enumerate(hir: &Hir, max: usize) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![String::new()]),
        HirKind::Literal(_) => Some(vec![literal(hir)?.to_owned()]),
        HirKind::Class(Class::Unicode(class)) => {
            let count: usize = class.iter().map(|r| r.len()).sum();
            if count > max {
                return None;
            }
            Some(class.iter().flat_map(|r| (r.start()..=r.end()).map(String::from)).collect())
        }
        HirKind::Class(Class::Bytes(_)) | HirKind::Look(_) => None,
        HirKind::Capture(capture) => enumerate(&capture.sub, max),
        HirKind::Repetition(repetition) => {
            let times_max = repetition.max?;
            let one = enumerate(&repetition.sub, max)?;
            let mut all = Vec::new();
            let mut current = vec![String::new()];
            for times in 0..=times_max {
                if times >= repetition.min {
                    all.extend(current.iter().cloned());
                }
                if all.len() > max {
                    return None;
                }
                if times < times_max {
                    current = product(&current, &one, max)?;
                }
            }
            Some(all)
        }
        HirKind::Concat(subs) => subs.iter().try_fold(vec![String::new()], |found, sub| {
            let tails = enumerate(sub, max)?;
            product(&found, &tails, max)
        }),
        HirKind::Alternation(subs) => {
            let mut all = Vec::new();
            for sub in subs {
                all.extend(enumerate(sub, max)?);
                if all.len() > max {
                    return None;
                }
            }
            Some(all)
        }
    }
}

fn glob(parts: &[&Hir]) -> Option<Glob> {
    let mut glob = Glob { prefix: String::new(), parts: Vec::new() };
    let mut after_gap = false;
    for part in parts {
        if let Some(text) = literal(part) {
            glob.parts.last_mut().map_or(&mut glob.prefix, |(_, literal)| literal).push_str(text);
            after_gap = false;
            continue;
        }
        // Two gaps in a row would need their lengths added up.
        let gap = gap(part).filter(|_| !after_gap)?;
        glob.parts.push((gap, String::new()));
        after_gap = true;
    }
    Some(glob)
}

fn gap(hir: &Hir) -> Option<Gap> {
    let HirKind::Repetition(repetition) = hir.kind() else { return None };
    let HirKind::Class(Class::Unicode(class)) = repetition.sub.kind() else { return None };
    let any_char = matches!(class.ranges(), [all] if all.start() == '\0' && all.end() == char::MAX);
    match (repetition.min, repetition.max) {
        (0, None) if any_char => Some(Gap::Any),
        (1, None) if any_char => Some(Gap::NotEmpty),
        _ => None,
    }
}
