//! What a target's last pages said: from the bytes of a series to its label set and its number in the store.
//!
//! The bytes themselves are not kept. Two independent hashes with seeds drawn at the start stand for them, 128 bits
//! in all; the bytes would double the memory of a series.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashSet, HashTable};
use promflow_model::{Labels, Metadata};
use promflow_storage::SeriesRef;
use xxhash_rust::xxh64::xxh64;

/// How long metadata of a family outlive it.
///
/// Units: scrapes.
const METADATA_KEPT: u32 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    first: u64,
    second: u64,
}

/// A series of the page.
#[derive(Debug)]
pub(crate) struct CacheEntry {
    key: Key,
    pub(crate) labels: Labels,
    pub(crate) series: SeriesRef,
    /// The scrape that saw the series last.
    seen: u32,
    /// The scrape that appended the series last under the scrape's own time: it gets a stale marker when it ends.
    tracked: u32,
    /// Whether it was tracked in the scrape before `tracked` too.
    was_tracked: bool,
    /// Whether relabelling drops the series.
    pub(crate) dropped: bool,
}

/// Where a series of the page is in the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) index: usize,
    /// Whether this page had the series before.
    pub(crate) again: bool,
}

#[derive(Debug)]
pub(crate) struct ScrapeCache {
    /// In the order of the page, as far as it keeps its order.
    entries: Vec<CacheEntry>,
    table: HashTable<u32>,
    /// Where the next series of the page probably is.
    next: usize,
    scrape: u32,
    /// How many entries there were after the last good scrape.
    good_len: usize,
    families: HashMap<u64, Family, foldhash::fast::RandomState>,
    hasher: RandomState,
    seed: u64,
}

#[derive(Debug)]
struct Family {
    content: u64,
    seen: u32,
}

impl ScrapeCache {
    pub(crate) fn new() -> Self {
        let hasher = RandomState::default();
        Self {
            entries: Vec::new(),
            table: HashTable::new(),
            next: 0,
            // Zero stands for "never".
            scrape: 1,
            good_len: 0,
            families: HashMap::default(),
            seed: hasher.hash_one("seed"),
            hasher,
        }
    }

    pub(crate) fn key(&self, raw: &[u8]) -> Key {
        Key { first: self.hasher.hash_one(raw), second: xxh64(raw, self.seed) }
    }

    /// Finds a series and notes that the page has it.
    pub(crate) fn find(&mut self, key: Key) -> Option<Hit> {
        let index = match self.entries.get(self.next) {
            Some(entry) if entry.key == key => self.next,
            _ => {
                let entries = &self.entries;
                *self.table.find(key.first, |i| entries[*i as usize].key == key)? as usize
            }
        };
        self.next = index + 1;
        let entry = &mut self.entries[index];
        let again = entry.seen == self.scrape;
        entry.seen = self.scrape;
        Some(Hit { index, again })
    }

    pub(crate) fn entry(&self, index: usize) -> &CacheEntry {
        &self.entries[index]
    }

    /// Adds a series; `None` for one that relabelling drops.
    pub(crate) fn insert(&mut self, key: Key, series: Option<(SeriesRef, Labels)>) -> usize {
        let index = self.entries.len();
        let dropped = series.is_none();
        let (series, labels) = series.unwrap_or((SeriesRef(0), Labels::empty()));
        self.entries.push(CacheEntry {
            key,
            labels,
            series,
            seen: self.scrape,
            tracked: 0,
            was_tracked: false,
            dropped,
        });
        let entries = &self.entries;
        self.table.insert_unique(key.first, index as u32, |i| entries[*i as usize].key.first);
        index
    }

    /// Notes that a series was appended, under the number that the store gave it.
    pub(crate) fn appended(&mut self, index: usize, series: SeriesRef, track: bool) {
        let scrape = self.scrape;
        let entry = &mut self.entries[index];
        entry.series = series;
        if track && entry.tracked != scrape {
            entry.was_tracked = entry.tracked == scrape - 1;
            entry.tracked = scrape;
        }
    }

    /// Lists the series that the scrape before had and this one has not; of a failed scrape, all of them.
    pub(crate) fn ended(&self, failed: bool) -> Vec<(SeriesRef, Labels)> {
        let last = self.scrape - 1;
        let had = |e: &&CacheEntry| {
            last > 0 && e.tracked == last || failed && e.tracked == self.scrape && e.was_tracked
        };
        let mut ended: Vec<(SeriesRef, Labels)> =
            self.entries.iter().filter(had).map(|e| (e.series, e.labels.clone())).collect();
        if !ended.is_empty() && !failed {
            // A series may be written in another way on this page.
            let current: HashSet<SeriesRef, foldhash::fast::RandomState> =
                self.entries.iter().filter(|e| e.tracked == self.scrape).map(|e| e.series).collect();
            ended.retain(|(series, _)| !current.contains(series));
        }
        ended
    }

    /// Ends a scrape and forgets what the page has no longer; says whether that was forced by the cache's size.
    pub(crate) fn finish(&mut self, failed: bool) -> bool {
        let len = self.entries.len() + self.families.len();
        // Pages that vary and fail in the end would make the cache grow for ever.
        let forced = failed && len > 2 * self.good_len + 1000;
        if !failed {
            self.good_len = len;
        }
        if failed {
            for entry in &mut self.entries {
                entry.tracked = 0;
            }
        }
        if !failed || forced {
            self.forget_unseen();
        }
        self.scrape += 1;
        self.next = 0;
        forced
    }

    fn forget_unseen(&mut self) {
        let scrape = self.scrape;
        self.families.retain(|_, family| scrape - family.seen <= METADATA_KEPT);
        if self.entries.iter().all(|e| e.seen == scrape) {
            return;
        }
        self.entries.retain(|e| e.seen == scrape);
        if self.entries.len() * 2 < self.entries.capacity() {
            self.entries.shrink_to_fit();
        }
        self.table = HashTable::with_capacity(self.entries.len());
        let entries = &self.entries;
        for (i, entry) in entries.iter().enumerate() {
            self.table.insert_unique(entry.key.first, i as u32, |i| entries[*i as usize].key.first);
        }
    }

    /// Notes the metadata of a family; says whether they are new.
    pub(crate) fn metadata_changed(&mut self, metric: &str, metadata: &Metadata) -> bool {
        let content = self.hasher.hash_one(metadata);
        let seen = self.scrape;
        let family = Family { content, seen };
        let before = self.families.insert(self.hasher.hash_one(metric), family);
        before.is_none_or(|before| before.content != content)
    }

    /// Counts the families with metadata.
    pub(crate) fn families(&self) -> usize {
        self.families.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scrapes a page of one-letter series; returns which ended.
    fn scrape(cache: &mut ScrapeCache, page: &str, failed: bool) -> Vec<u64> {
        for raw in page.as_bytes().chunks(1) {
            let key = cache.key(raw);
            let index = match cache.find(key) {
                Some(hit) => hit.index,
                None => cache
                    .insert(key, Some((SeriesRef(u64::from(raw[0].to_ascii_lowercase())), Labels::empty()))),
            };
            let series = cache.entry(index).series;
            cache.appended(index, series, true);
        }
        let mut ended: Vec<u64> = cache.ended(failed).into_iter().map(|(series, _)| series.0).collect();
        ended.sort_unstable();
        cache.finish(failed);
        ended
    }

    #[test]
    fn series_that_the_page_has_no_longer_end_once() {
        let mut cache = ScrapeCache::new();
        assert!(scrape(&mut cache, "abc", false).is_empty());
        assert_eq!(scrape(&mut cache, "ac", false), [u64::from(b'b')]);
        assert!(scrape(&mut cache, "ac", false).is_empty());
        assert_eq!(cache.entries.len(), 2);
        assert_eq!(scrape(&mut cache, "", false), [u64::from(b'a'), u64::from(b'c')]);
    }

    #[test]
    fn series_that_is_written_in_another_way_does_not_end() {
        let mut cache = ScrapeCache::new();
        scrape(&mut cache, "ab", false);
        assert!(scrape(&mut cache, "AB", false).is_empty());
    }

    #[test]
    fn failed_scrape_ends_what_was_there_and_nothing_that_it_brought() {
        let mut cache = ScrapeCache::new();
        scrape(&mut cache, "ab", false);
        assert_eq!(scrape(&mut cache, "ax", true), [u64::from(b'a'), u64::from(b'b')]);
        assert!(scrape(&mut cache, "", true).is_empty());
        assert!(scrape(&mut cache, "ab", false).is_empty());
    }

    #[test]
    fn pages_that_fail_do_not_grow_the_cache_for_ever() {
        let mut cache = ScrapeCache::new();
        for page in 0..20u32 {
            for n in 0..500u32 {
                let key = cache.key(format!("{page} {n}").as_bytes());
                cache.insert(key, None);
            }
            cache.finish(true);
        }
        assert!(cache.entries.len() <= 1_500, "{}", cache.entries.len());
    }

    #[test]
    fn metadata_are_news_once() {
        let mut cache = ScrapeCache::new();
        let help = |help: &str| Metadata { help: help.to_owned(), ..Metadata::default() };
        assert!(cache.metadata_changed("m", &help("a")));
        assert!(!cache.metadata_changed("m", &help("a")));
        assert!(cache.metadata_changed("m", &help("b")));
    }
}
