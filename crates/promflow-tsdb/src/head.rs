//! The head: every series and the newest samples.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use promflow_model::{Labels, Metadata};
use promflow_storage::AppendError;

use crate::cardinality::Cardinality;
use crate::metadata::MetadataStore;
use crate::postings::Postings;
use crate::rooms::Rooms;
use crate::series::SeriesRecord;
use crate::stripe::{Stripes, read, write};

const LOOKUP_SHARDS: usize = 64;

/// How large the head may grow, and in what pieces it keeps samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadOptions {
    /// How long samples are kept, in milliseconds.
    pub retention_ms: i64,
    /// The bytes that series, chunks and index may take. Over it, the oldest chunks of all series go first; when
    /// that frees nothing any more, new series are refused, and the samples of existing series are still taken.
    pub max_bytes: usize,
    /// Chunks never cross a multiple of this, in milliseconds; a sample that is older than the newest by more than
    /// half of it is out of bounds.
    pub chunk_range_ms: i64,
    /// How many metric families may have metadata.
    pub max_metadata: usize,
}

impl Default for HeadOptions {
    /// Fifteen days, 1 GiB, two hours, 100,000 families.
    fn default() -> Self {
        Self {
            retention_ms: 15 * 24 * 3_600_000,
            max_bytes: 1 << 30,
            chunk_range_ms: 2 * 3_600_000,
            max_metadata: 100_000,
        }
    }
}

/// The head cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadError {
    message: String,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for HeadError {}

/// The head's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeadStats {
    /// The series that are alive.
    pub series: usize,
    /// The series created so far.
    pub series_created: u64,
    /// The series removed so far.
    pub series_removed: u64,
    /// The new series refused for want of bytes so far.
    pub series_refused: u64,
    /// The chunks, open ones included.
    pub chunks: usize,
    /// The chunks begun so far.
    pub chunks_created: u64,
    /// The chunks removed so far.
    pub chunks_removed: u64,
    /// The samples written so far.
    pub samples_appended: u64,
    /// The samples refused so far because their series had a later one.
    pub out_of_order: u64,
    /// The samples refused so far because they were older than the head takes.
    pub out_of_bounds: u64,
    /// The bytes of series, chunks and index, in bytes.
    pub bytes: usize,
    /// What `bytes` may reach, in bytes.
    pub max_bytes: usize,
    /// How often old chunks went because of the byte budget so far.
    pub evictions: u64,
    /// The metric families with metadata.
    pub metadata_families: usize,
    /// The first sample's time, in milliseconds since the epoch; `None` when there is no sample.
    pub min_t_ms: Option<i64>,
    /// The last sample's time, in milliseconds since the epoch; `None` when there is no sample.
    pub max_t_ms: Option<i64>,
}

/// The newest samples of all series, in memory.
///
/// Lock order: lookup shard, postings, stripes. A commit or a select enters its room before it takes any.
#[derive(Debug)]
pub struct Head {
    pub(crate) options: HeadOptions,
    pub(crate) rooms: Rooms,
    pub(crate) stripes: Stripes,
    pub(crate) postings: RwLock<Postings>,
    pub(crate) metadata: MetadataStore,
    pub(crate) counters: Counters,
    pub(crate) min_t_ms: AtomicI64,
    pub(crate) max_t_ms: AtomicI64,
    /// Samples before this time were dropped, and are refused.
    pub(crate) min_valid_t_ms: AtomicI64,
    /// Held while chunks are dropped.
    pub(crate) maintenance: Mutex<()>,
    lookup: Vec<RwLock<HashTable<LookupEntry>>>,
    hasher: RandomState,
    next_id: AtomicU64,
}

/// The upper half of the label set's hash, and the id.
#[derive(Clone, Copy, Debug)]
struct LookupEntry {
    hash: u32,
    id: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) bytes: AtomicUsize,
    pub(crate) series_created: AtomicU64,
    pub(crate) series_removed: AtomicU64,
    pub(crate) series_refused: AtomicU64,
    pub(crate) chunks_created: AtomicU64,
    pub(crate) chunks_removed: AtomicU64,
    pub(crate) samples: AtomicU64,
    pub(crate) out_of_order: AtomicU64,
    pub(crate) out_of_bounds: AtomicU64,
    pub(crate) evictions: AtomicU64,
    /// How many samples had been written at the last eviction, plus one; 0 when the next one is due at once.
    pub(crate) samples_at_eviction: AtomicU64,
}

impl Head {
    /// Opens an empty head.
    ///
    /// Errors: an option makes no sense; the text names it.
    pub fn open(options: HeadOptions) -> Result<Self, HeadError> {
        for (name, value) in [("retention", options.retention_ms), ("chunk range", options.chunk_range_ms)] {
            if value <= 0 {
                return Err(HeadError { message: format!("{name} must be above zero, got {value} ms") });
            }
        }
        if options.max_bytes == 0 {
            return Err(HeadError { message: "byte budget must be above zero".to_owned() });
        }
        Ok(Self {
            metadata: MetadataStore::new(options.max_metadata),
            options,
            rooms: Rooms::default(),
            stripes: Stripes::default(),
            postings: RwLock::default(),
            counters: Counters::default(),
            min_t_ms: AtomicI64::new(i64::MAX),
            max_t_ms: AtomicI64::new(i64::MIN),
            min_valid_t_ms: AtomicI64::new(i64::MIN),
            maintenance: Mutex::default(),
            lookup: (0..LOOKUP_SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::default(),
            next_id: AtomicU64::new(1),
        })
    }

    /// Returns the head's figures as they are now.
    pub fn stats(&self) -> HeadStats {
        let c = &self.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (min_t_ms, max_t_ms) =
            (self.min_t_ms.load(Ordering::Relaxed), self.max_t_ms.load(Ordering::Relaxed));
        HeadStats {
            series: get(&c.series_created).saturating_sub(get(&c.series_removed)) as usize,
            series_created: get(&c.series_created),
            series_removed: get(&c.series_removed),
            series_refused: get(&c.series_refused),
            chunks: get(&c.chunks_created).saturating_sub(get(&c.chunks_removed)) as usize,
            chunks_created: get(&c.chunks_created),
            chunks_removed: get(&c.chunks_removed),
            samples_appended: get(&c.samples),
            out_of_order: get(&c.out_of_order),
            out_of_bounds: get(&c.out_of_bounds),
            bytes: c.bytes.load(Ordering::Relaxed),
            max_bytes: self.options.max_bytes,
            evictions: get(&c.evictions),
            metadata_families: self.metadata.len(),
            min_t_ms: (min_t_ms <= max_t_ms).then_some(min_t_ms),
            max_t_ms: (min_t_ms <= max_t_ms).then_some(max_t_ms),
        }
    }

    /// Returns what targets last said about a metric family.
    pub fn metadata(&self, metric: &str) -> Option<Metadata> {
        self.metadata.get(metric)
    }

    /// Returns what targets last said about every metric family, sorted by name.
    pub fn all_metadata(&self) -> Vec<(String, Metadata)> {
        self.metadata.all()
    }

    /// Counts series by metric name and label pair, and values by label; the `limit` largest of each.
    ///
    /// Cost: walks the index once.
    pub fn cardinality(&self, limit: usize) -> Cardinality {
        Cardinality::of(&read(&self.postings), limit)
    }

    /// Returns the oldest time that a sample may have.
    pub(crate) fn min_appendable_t_ms(&self) -> i64 {
        let newest = self.max_t_ms.load(Ordering::Relaxed);
        let behind = newest.saturating_sub(self.options.chunk_range_ms / 2);
        self.min_valid_t_ms.load(Ordering::Relaxed).max(behind)
    }

    /// Finds or creates the series of a label set; the flag says whether it was created.
    pub(crate) fn get_or_create(&self, labels: &Labels) -> Result<(u32, bool), AppendError> {
        let hash = self.hasher.hash_one(labels);
        let shard = &self.lookup[hash as usize % LOOKUP_SHARDS];
        if let Some(id) = self.find(&read(shard), hash, labels) {
            return Ok((id, false));
        }
        if labels.is_empty() {
            return Err(AppendError::InvalidLabels("empty labelset".to_owned()));
        }
        self.make_room_for(labels)?;
        let mut table = write(shard);
        if let Some(id) = self.find(&table, hash, labels) {
            return Ok((id, false));
        }
        let id = self.create(labels)?;
        let entry = LookupEntry { hash: (hash >> 32) as u32, id };
        table.insert_unique(hash, entry, |e| self.rehash(e));
        Ok((id, true))
    }

    fn find(&self, table: &HashTable<LookupEntry>, hash: u64, labels: &Labels) -> Option<u32> {
        let upper = (hash >> 32) as u32;
        let same = |e: &LookupEntry| {
            let stripe = if e.hash == upper { self.stripes.get(e.id) } else { None };
            stripe.is_some_and(|s| read(&s).get(e.id).is_some_and(|r| r.labels == *labels))
        };
        table.find(hash, same).map(|e| e.id)
    }

    /// Computes an entry's hash again when its table grows.
    fn rehash(&self, entry: &LookupEntry) -> u64 {
        let stripe = self.stripes.get(entry.id);
        let labels = stripe.and_then(|s| read(&s).get(entry.id).map(|r| r.labels.clone()));
        labels.map_or(u64::from(entry.hash) << 32, |labels| self.hasher.hash_one(&labels))
    }

    fn create(&self, labels: &Labels) -> Result<u32, AppendError> {
        // The postings are held from drawing the id to adding it, so that ids arrive in order.
        let mut postings = write(&self.postings);
        let id = u32::try_from(self.next_id.fetch_add(1, Ordering::Relaxed))
            .map_err(|_| AppendError::LimitReached("series ids are used up".to_owned()))?;
        self.stripes.push(SeriesRecord::new(id - 1, labels.clone()));
        let bytes = postings.add(id - 1, labels);
        drop(postings);
        self.counters.bytes.fetch_add(bytes + SeriesRecord::base_bytes(labels), Ordering::Relaxed);
        self.counters.series_created.fetch_add(1, Ordering::Relaxed);
        Ok(id - 1)
    }

    /// Removes series that are still dead at the cut; returns how many went.
    pub(crate) fn remove_dead(&self, suspects: &[(u32, Labels)], cut_t_ms: i64) -> usize {
        let mut dead = Vec::new();
        let (mut bytes, mut chunks) = (0, 0);
        for (id, labels) in suspects {
            let hash = self.hasher.hash_one(labels);
            // Whoever looks the label set up now waits, and then creates the series anew.
            let mut table = write(&self.lookup[hash as usize % LOOKUP_SHARDS]);
            let Some(stripe) = self.stripes.get(*id) else { continue };
            let mut stripe = write(&stripe);
            if !stripe.get(*id).is_some_and(|r| r.is_dead(cut_t_ms)) {
                continue;
            }
            if let Ok(entry) = table.find_entry(hash, |e| e.id == *id) {
                entry.remove();
            }
            if let Some(record) = stripe.remove(*id) {
                bytes += SeriesRecord::base_bytes(labels) + record.chunk_bytes();
                chunks += record.chunk_count() as u64;
                dead.push((*id, labels.clone()));
            }
        }
        bytes += write(&self.postings).remove(&dead);
        self.counters.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.counters.chunks_removed.fetch_add(chunks, Ordering::Relaxed);
        self.counters.series_removed.fetch_add(dead.len() as u64, Ordering::Relaxed);
        dead.len()
    }
}
