//! Go's RE2 regular expression syntax on regex-automata, fully anchored as Prometheus uses it.
//!
//! The problem: matchers, relabelling and `label_replace` take patterns written for Go's `regexp`. The `regex`
//! crate reads a dialect of its own (`\d` is Unicode, `[a&&b]` is a set operation, `a{` is an error), so that the
//! same rule file would select other series.
//!
//! The model: a parser of Go's grammar builds [`regex_syntax::hir::Hir`], which `regex-automata` compiles. Its
//! automata run in linear time, as RE2's do. Most matchers are a list of words or a word with `.*` around it;
//! those are answered by string comparison, and the automaton is not even built before somebody asks for captures.
//!
//! Rejected: rewriting the pattern text for the `regex` crate, because a rewrite has to parse the pattern all the
//! same and then loses the offending part for the error message.

mod class;
mod error;
mod expand;
mod parse;
mod shortcut;

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use regex_automata::meta;
use regex_automata::util::captures::Captures as Slots;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::{Hir, Look};

pub use error::{Error, ErrorKind};
use parse::Parsed;
use shortcut::Shortcut;

/// Memory limit of one compiled automaton.
const NFA_SIZE_BYTES_MAX: usize = 16 << 20;

/// Programs up to this many instructions are certain to fit in [`NFA_SIZE_BYTES_MAX`], so that they may be compiled
/// when first needed.
const LAZY_SIZE_MAX: u64 = 20_000;

/// A compiled regular expression in Go's syntax.
///
/// Cost: a clone copies one pointer.
#[derive(Clone)]
pub struct Regex {
    inner: Arc<Inner>,
}

struct Inner {
    pattern: String,
    anchored: bool,
    names: Vec<Option<String>>,
    hir: Hir,
    shortcut: Shortcut,
    prefix: String,
    matches_empty: bool,
    engine: OnceLock<meta::Regex>,
}

impl Regex {
    /// Compiles a pattern that has to match the whole text, `^(?s:PATTERN)$`, as matchers, relabelling and
    /// `label_replace` use it; `.` matches a newline too.
    ///
    /// Errors: Go's own text, for instance ``error parsing regexp: missing closing ): `(a` ``.
    /// Source: Prometheus `model/labels/regexp.go`.
    pub fn new(pattern: &str) -> Result<Regex, Error> {
        Regex::compile(pattern, true)
    }

    /// Compiles a pattern that may match anywhere in the text, as Go's `regexp.MustCompile` does; `.` matches no
    /// newline unless the pattern says `(?s)`.
    ///
    /// Errors: as [`Regex::new`].
    pub fn unanchored(pattern: &str) -> Result<Regex, Error> {
        Regex::compile(pattern, false)
    }

    fn compile(pattern: &str, anchored: bool) -> Result<Regex, Error> {
        let Parsed { hir, names, size } = parse::parse(pattern, anchored)?;
        let (shortcut, prefix) =
            if anchored { shortcut::analyse(&hir) } else { (Shortcut::Engine, String::new()) };
        let hir =
            if anchored { Hir::concat(vec![Hir::look(Look::Start), hir, Hir::look(Look::End)]) } else { hir };
        let mut inner = Inner {
            pattern: pattern.to_owned(),
            anchored,
            names,
            hir,
            shortcut,
            prefix,
            matches_empty: false,
            engine: OnceLock::new(),
        };
        if matches!(inner.shortcut, Shortcut::Engine) || size > LAZY_SIZE_MAX {
            let engine = build_engine(&inner.hir).ok_or_else(|| Error::new(ErrorKind::TooLarge, pattern))?;
            inner.engine = OnceLock::from(engine);
        }
        inner.matches_empty = inner.is_match("");
        Ok(Regex { inner: Arc::new(inner) })
    }

    /// Returns the pattern as written.
    pub fn as_str(&self) -> &str {
        &self.inner.pattern
    }

    /// Tells whether the text matches.
    ///
    /// Cost: string comparison for words, lists of words and words with `.*` or `.+` around them; else linear in the
    /// text.
    pub fn is_match(&self, s: &str) -> bool {
        self.inner.is_match(s)
    }

    /// Returns every text the pattern matches, in the pattern's order, when there are 256 of them at most.
    pub fn set_matches(&self) -> Option<&[String]> {
        match &self.inner.shortcut {
            Shortcut::Set(set) if set.strings().len() <= shortcut::SET_MATCHES_MAX => Some(set.strings()),
            _ => None,
        }
    }

    /// Returns the text that every match begins with, empty when there is none; always empty for a pattern that is
    /// not anchored.
    pub fn prefix(&self) -> &str {
        &self.inner.prefix
    }

    /// Tells whether the empty text matches, in other words whether a matcher selects series without the label.
    pub fn matches_empty(&self) -> bool {
        self.inner.matches_empty
    }

    /// Returns the leftmost match with its groups.
    pub fn captures<'t>(&self, s: &'t str) -> Option<Captures<'t>> {
        self.captures_at(s, 0)
    }

    fn captures_at<'t>(&self, s: &'t str, start: usize) -> Option<Captures<'t>> {
        let engine = self.inner.engine();
        let mut slots = engine.create_captures();
        engine.search_captures(&Input::new(s).range(start..), &mut slots);
        slots.is_match().then(|| Captures { text: s, slots, regex: self.clone() })
    }
}

impl Inner {
    fn engine(&self) -> &meta::Regex {
        self.engine.get_or_init(|| {
            build_engine(&self.hir).unwrap_or_else(|| panic!("BUG: small program exceeds the size limit"))
        })
    }

    fn is_match(&self, s: &str) -> bool {
        match self.shortcut.is_match(s) {
            Some(answer) => answer,
            None => s.starts_with(&self.prefix) && self.engine().is_match(s),
        }
    }
}

fn build_engine(hir: &Hir) -> Option<meta::Regex> {
    let config = meta::Config::new()
        .match_kind(MatchKind::LeftmostFirst)
        .nfa_size_limit(Some(NFA_SIZE_BYTES_MAX))
        .onepass_size_limit(Some(1 << 20));
    meta::Builder::new().configure(config).build_from_hir(hir).ok()
}

impl PartialEq for Regex {
    fn eq(&self, other: &Regex) -> bool {
        self.inner.anchored == other.inner.anchored && self.inner.pattern == other.inner.pattern
    }
}

impl Eq for Regex {}

impl Hash for Regex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.anchored.hash(state);
        self.inner.pattern.hash(state);
    }
}

impl fmt::Debug for Regex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Regex").field(&self.inner.pattern).finish()
    }
}

/// One match with its groups.
pub struct Captures<'t> {
    text: &'t str,
    slots: Slots,
    regex: Regex,
}

impl<'t> Captures<'t> {
    /// Returns the text of a group, 0 being the whole match; `None` when the group took no part or does not exist.
    pub fn get(&self, group: usize) -> Option<&'t str> {
        self.slots.get_group(group).map(|span| &self.text[span.start..span.end])
    }

    /// Returns the text of the first group of this name that took part.
    pub fn name(&self, name: &str) -> Option<&'t str> {
        let names = self.regex.inner.names.iter().enumerate();
        names.filter(|(_, n)| n.as_deref() == Some(name)).find_map(|(i, _)| self.get(i))
    }

    fn span(&self) -> (usize, usize) {
        self.slots.get_match().map_or((0, 0), |m| (m.start(), m.end()))
    }
}

impl fmt::Debug for Captures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.slots.group_len()).map(|i| self.get(i))).finish()
    }
}
