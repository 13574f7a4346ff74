//! An arena in a file that processes map and share.
//!
//! ```text
//! line 0     magic, version, capacity, committed, allocated, removals
//! line 1..   records: a family, a series with its cells, or a further piece of a series' cells
//! ```
//! All sizes are in lines of 64 bytes. Counting is an atomic addition in the mapping, by whichever process. Records
//! are only ever appended, by whoever holds the lock of the file, and are seen once `committed` was moved behind them
//! with release ordering: a process that is killed while it writes leaves bytes behind `committed`, which the next
//! writer overwrites, and the kernel gives up its lock. The file is filled with zeros before it is used, so that a
//! full disk is an error of a write and never a fault in the mapping.
//!
//! The rejected model, one file per process, never forgets a process: files, scrape time and memory grow with every
//! restart of a worker.

mod error;
mod record;

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::desc::Desc;
use crate::memory::{Block, LINE_BYTES, Memory};
use crate::series::Series;
use crate::sync::{AtomicU64, OnceLock, Ordering};
pub use error::{ArenaError, ArenaErrorKind};
use record::{Draft, Kind};
pub(crate) use record::{Record, checksum};

/// Says what the file is, and in which byte order it is written.
const MAGIC: u64 = u64::from_ne_bytes(*b"pfcells\x01");
/// The layout of records and cells.
const VERSION: u64 = 1;
const MAGIC_WORD: usize = 0;
const VERSION_WORD: usize = 1;
const CAPACITY_WORD: usize = 2;
const COMMITTED_WORD: usize = 3;
const ALLOCATED_WORD: usize = 4;
/// The word that counts the series that were removed and brought back.
pub(crate) const REMOVALS: usize = 5;

const HEADER_LINES: u64 = 1;
/// By how much the file grows at least.
const GROWTH_LINES: u64 = (64 << 10) / LINE_BYTES as u64;
const SIZE_BYTES_MIN: u64 = 128 << 10;
/// Lines are counted in 32 bits.
const SIZE_BYTES_MAX: u64 = (u32::MAX as u64) * LINE_BYTES as u64;

/// How a file that processes share is opened.
#[derive(Clone, Debug)]
pub struct SharedOptions {
    /// How large the file may become; the process that makes the file decides for all.
    pub size_bytes_max: u64,
    /// Whether to begin with a new file. Processes that have the old one open go on with that, unseen by new ones.
    pub reset: bool,
    /// How long to wait for another process that is adding a series.
    pub lock_timeout_ms: u64,
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self { size_bytes_max: 64 << 20, reset: false, lock_timeout_ms: 2000 }
    }
}

/// Who hears of the records that are found in the file.
pub(crate) trait Sink: Send + Sync {
    /// Takes a record, perhaps more than once.
    fn adopt(&self, record: Record);
}

/// The file.
pub(crate) struct Shared {
    path: PathBuf,
    file: File,
    memory: Arc<Memory>,
    header: Block,
    capacity: u64,
    /// The line up to which records were handed to the sink.
    replayed: AtomicU64,
    sink: OnceLock<Weak<dyn Sink>>,
    lock_timeout: Duration,
}

/// The lock of the file, for as long as it lives.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that was forked meanwhile has a copy of the descriptor, so that closing this one would not do.
        let _ = self.0.unlock();
    }
}

impl Shared {
    /// Opens the file, and makes it when there is none.
    ///
    /// Errors: it cannot be opened, locked, filled or mapped, or it is none of this library's or of another version.
    pub(crate) fn open(path: &Path, options: &SharedOptions) -> Result<Self, ArenaError> {
        let fail = |kind| ArenaError::new(path, kind);
        let size_bytes = options.size_bytes_max.clamp(SIZE_BYTES_MIN, SIZE_BYTES_MAX);
        let lock_timeout = Duration::from_millis(options.lock_timeout_ms);
        if options.reset
            && let Err(e) = std::fs::remove_file(path)
            && e.kind() != io::ErrorKind::NotFound
        {
            return Err(fail(ArenaErrorKind::from_io(&e)));
        }
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = open.map_err(|e| fail(ArenaErrorKind::from_io(&e)))?;
        let lock = lock(&file, path, lock_timeout)?;
        let length = file.metadata().map_err(|e| fail(ArenaErrorKind::from_io(&e)))?.len();
        let first = read_header(&file, length).map_err(|e| fail(ArenaErrorKind::from_io(&e)))?;
        if first[MAGIC_WORD] == 0 {
            create(&file, size_bytes / LINE_BYTES as u64).map_err(|e| fail(ArenaErrorKind::from_io(&e)))?;
        }
        let length = file.metadata().map_err(|e| fail(ArenaErrorKind::from_io(&e)))?.len();
        let first = read_header(&file, length).map_err(|e| fail(ArenaErrorKind::from_io(&e)))?;
        check_header(&first, length).map_err(fail)?;
        drop(lock);
        let capacity = first[CAPACITY_WORD];
        let memory = Memory::map(&file, capacity as usize).map_err(|e| fail(ArenaErrorKind::from_io(&e)))?;
        let memory = Arc::new(memory);
        let header =
            Block::new(&memory, 0, HEADER_LINES as usize).expect("BUG: no room for a checked header");
        Ok(Self {
            path: path.to_owned(),
            file,
            memory,
            header,
            capacity,
            replayed: AtomicU64::new(HEADER_LINES),
            sink: OnceLock::new(),
            lock_timeout,
        })
    }

    /// Sets who hears of records; the first one stays.
    pub(crate) fn set_sink(&self, sink: Weak<dyn Sink>) {
        let _ = self.sink.set(sink);
    }

    /// Returns the first line of the file, where [`REMOVALS`] is.
    pub(crate) fn header(&self) -> &Block {
        &self.header
    }

    /// Returns the path of the file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Counts the bytes of the file that are in use.
    pub(crate) fn used_bytes(&self) -> u64 {
        self.header.word(COMMITTED_WORD).load(Ordering::Acquire) * LINE_BYTES as u64
    }

    /// Counts the series that were removed and brought back, by all processes.
    pub(crate) fn removals(&self) -> u64 {
        self.header.word(REMOVALS).load(Ordering::Relaxed)
    }

    /// Tells the other processes that a series was removed or brought back.
    pub(crate) fn note_removal(&self) {
        self.header.word(REMOVALS).fetch_add(1, Ordering::Relaxed);
    }

    /// Hands the records that were appended since the last time to the sink.
    ///
    /// Errors: a record is damaged; nothing behind it is read.
    /// Cost: one load when there are none; it takes no lock of the file.
    pub(crate) fn replay(&self) -> Result<(), ArenaError> {
        let end = self.header.word(COMMITTED_WORD).load(Ordering::Acquire);
        let mut at = self.replayed.load(Ordering::Acquire);
        if at >= end {
            return Ok(());
        }
        let Some(sink) = self.sink.get().and_then(Weak::upgrade) else { return Ok(()) };
        let length = self.file.metadata().map_err(|e| self.error(ArenaErrorKind::from_io(&e)))?.len();
        if end > self.capacity || end * LINE_BYTES as u64 > length {
            return Err(self.error(ArenaErrorKind::Damaged { at_line: end }));
        }
        while at < end {
            let Some((record, next)) = record::read(&self.memory, at, end) else {
                return Err(self.error(ArenaErrorKind::Damaged { at_line: at }));
            };
            sink.adopt(record);
            at = next;
        }
        self.replayed.fetch_max(at, Ordering::AcqRel);
        Ok(())
    }

    /// Appends a family, unless it exists by the time that the lock is held.
    pub(crate) fn create_family(&self, desc: &Desc, exists: impl Fn() -> bool) -> Result<(), ArenaError> {
        let payload = record::encode_desc(desc);
        self.append(
            &Draft { kind: Kind::Family, family: 0, index: 0, payload: &payload, lines: 0 },
            None,
            exists,
        )
    }

    /// Appends a family that is not a registry's, unless it exists by the time that the lock is held.
    pub(crate) fn create_foreign(
        &self,
        description: &[u8],
        exists: impl Fn() -> bool,
    ) -> Result<(), ArenaError> {
        let draft = Draft { kind: Kind::Foreign, family: 0, index: 0, payload: description, lines: 0 };
        self.append(&draft, None, exists)
    }

    /// Appends a series, born at a time that is given as its bits, unless it exists by the time that the lock is held.
    pub(crate) fn create_series(
        &self,
        family: u32,
        packed: &[u8],
        lines: usize,
        born: u64,
        exists: impl Fn() -> bool,
    ) -> Result<(), ArenaError> {
        let draft = Draft { kind: Kind::Series, family, index: 0, payload: packed, lines };
        self.append(&draft, Some(born), exists)
    }

    /// Appends a further piece of a series' cells, unless it exists by the time that the lock is held.
    pub(crate) fn create_extension(
        &self,
        series: &Series,
        index: usize,
        lines: usize,
    ) -> Result<(), ArenaError> {
        let (family, payload) = (series.home.family, &*series.packed);
        let draft = Draft { kind: Kind::Extension, family, index: index as u32, payload, lines };
        self.append(&draft, None, || series.extension(index).is_some())
    }

    /// Runs a function while no other process or thread appends or runs one.
    pub(crate) fn exclusively<T>(&self, run: impl FnOnce() -> T) -> Result<T, ArenaError> {
        let _lock = self.lock()?;
        self.replay()?;
        Ok(run())
    }

    fn append(
        &self,
        draft: &Draft<'_>,
        born: Option<u64>,
        exists: impl Fn() -> bool,
    ) -> Result<(), ArenaError> {
        let lock = self.lock()?;
        self.replay()?;
        if exists() {
            return Ok(());
        }
        let at = self.header.word(COMMITTED_WORD).load(Ordering::Acquire);
        let end = at + draft.total_lines() as u64;
        self.allocate(end)?;
        let written = record::write(&self.memory, at, draft, born);
        written.ok_or_else(|| self.error(ArenaErrorKind::Full { capacity_bytes: self.capacity_bytes() }))?;
        self.header.word(COMMITTED_WORD).store(end, Ordering::Release);
        drop(lock);
        self.replay()
    }

    /// Fills the file with zeros up to a line.
    fn allocate(&self, end: u64) -> Result<(), ArenaError> {
        if end > self.capacity {
            return Err(self.error(ArenaErrorKind::Full { capacity_bytes: self.capacity_bytes() }));
        }
        let allocated = self.header.word(ALLOCATED_WORD).load(Ordering::Acquire);
        if end <= allocated {
            return Ok(());
        }
        let grown = end.max(allocated + GROWTH_LINES).min(self.capacity);
        fill(&self.file, allocated, grown).map_err(|e| self.error(ArenaErrorKind::from_io(&e)))?;
        self.header.word(ALLOCATED_WORD).store(grown, Ordering::Release);
        Ok(())
    }

    fn lock(&self) -> Result<Lock, ArenaError> {
        lock(&self.file, &self.path, self.lock_timeout)
    }

    fn capacity_bytes(&self) -> u64 {
        self.capacity * LINE_BYTES as u64
    }

    fn error(&self, kind: ArenaErrorKind) -> ArenaError {
        ArenaError::new(&self.path, kind)
    }
}

/// Locks the file through a descriptor of its own: those that were inherited by a fork share one lock.
fn lock(file: &File, path: &Path, timeout: Duration) -> Result<Lock, ArenaError> {
    let fail = |e: &io::Error| ArenaError::new(path, ArenaErrorKind::from_io(e));
    let again = reopen(file, path).map_err(|e| fail(&e))?;
    let deadline = Instant::now() + timeout;
    let mut pause = Duration::from_micros(20);
    loop {
        match again.try_lock() {
            Ok(()) => return Ok(Lock(again)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(pause),
            Err(TryLockError::WouldBlock) => {
                let timeout_ms = timeout.as_millis() as u64;
                return Err(ArenaError::new(path, ArenaErrorKind::LockTimeout { timeout_ms }));
            }
            Err(TryLockError::Error(e)) => return Err(fail(&e)),
        }
        pause = (2 * pause).min(Duration::from_millis(1));
    }
}

/// Opens the file that is open already, even if its path has become another's.
fn reopen(file: &File, path: &Path) -> io::Result<File> {
    let options = OpenOptions::new().read(true).write(true).clone();
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        if let Ok(again) = options.open(format!("/proc/self/fd/{}", file.as_raw_fd())) {
            return Ok(again);
        }
    }
    let _ = file;
    options.open(path)
}

fn create(file: &File, capacity: u64) -> io::Result<()> {
    let allocated = (HEADER_LINES + GROWTH_LINES).min(capacity);
    fill(file, HEADER_LINES, allocated)?;
    let mut first = [0; 8];
    first[MAGIC_WORD] = MAGIC;
    first[VERSION_WORD] = VERSION;
    first[CAPACITY_WORD] = capacity;
    first[COMMITTED_WORD] = HEADER_LINES;
    first[ALLOCATED_WORD] = allocated;
    // One write of one line, which comes last: a file is either none yet or complete.
    write_at(file, &first.map(u64::to_ne_bytes).concat(), 0)
}

fn read_header(file: &File, length: u64) -> io::Result<[u64; 8]> {
    let mut first = [0; 8];
    if length < LINE_BYTES as u64 {
        return Ok(first);
    }
    let mut bytes = [0; LINE_BYTES];
    read_at(file, &mut bytes)?;
    for (word, bytes) in first.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().expect("BUG: a chunk of eight bytes"));
    }
    Ok(first)
}

fn check_header(first: &[u64; 8], length: u64) -> Result<(), ArenaErrorKind> {
    if first[MAGIC_WORD] != MAGIC {
        return Err(ArenaErrorKind::NotAnArena);
    }
    if first[VERSION_WORD] != VERSION {
        return Err(ArenaErrorKind::Version { found: first[VERSION_WORD], expected: VERSION });
    }
    let (capacity, committed, allocated) =
        (first[CAPACITY_WORD], first[COMMITTED_WORD], first[ALLOCATED_WORD]);
    let sound = capacity <= SIZE_BYTES_MAX / LINE_BYTES as u64
        && (HEADER_LINES..=allocated).contains(&committed)
        && allocated <= capacity
        && allocated * LINE_BYTES as u64 <= length;
    if sound { Ok(()) } else { Err(ArenaErrorKind::Damaged { at_line: 0 }) }
}

/// Writes zeros over lines.
fn fill(file: &File, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let (mut at, end) = (from * LINE_BYTES as u64, to * LINE_BYTES as u64);
    while at < end {
        let piece = (end - at).min(ZEROS.len() as u64);
        write_at(file, &ZEROS[..piece as usize], at)?;
        at += piece;
    }
    Ok(())
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

#[cfg(not(unix))]
fn read_at(mut file: &File, bytes: &mut [u8]) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(0))?;
    file.read_exact(bytes)
}
