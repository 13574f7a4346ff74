//! The arenas that this process shares with others, by their files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use promflow_registry::{ArenaError, CellArena, CellSink, Cells, SharedOptions};

use crate::desc::Desc;
use crate::family::{Family, Home, lock};

/// How large a file may become. It only takes what is used.
const SIZE_BYTES_MAX: u64 = 256 << 20;

static OPEN: Mutex<Option<HashMap<PathBuf, Arc<Arena>>>> = Mutex::new(None);

/// A failure that nobody was told of yet, and whether anybody ever was.
static WARNING: Mutex<Option<String>> = Mutex::new(None);
static WARNED: AtomicBool = AtomicBool::new(false);

/// A file that processes share, and what is in it.
pub(crate) struct Arena {
    cells: Arc<CellArena>,
    index: Arc<Index>,
}

#[derive(Default)]
struct Index {
    arena: OnceLock<Weak<CellArena>>,
    families: Mutex<Families>,
}

#[derive(Default)]
struct Families {
    by_number: HashMap<u32, Arc<Family>>,
    by_identity: HashMap<Vec<u8>, u32>,
    numbers: Vec<u32>,
}

struct Sink(Weak<Index>);

impl CellSink for Sink {
    fn family(&self, number: u32, description: &[u8]) {
        let Some(index) = self.0.upgrade() else { return };
        let (Some(desc), Some(arena)) =
            (Desc::decode(description), index.arena.get().and_then(Weak::upgrade))
        else {
            return;
        };
        let mut families = lock(&index.families);
        if !families.by_number.contains_key(&number) {
            families.by_identity.insert(desc.identity(), number);
            families.by_number.insert(number, Arc::new(Family::new(desc, Home::Shared { arena, number })));
            families.numbers.push(number);
        }
    }

    fn cells(&self, family: u32, key: &[u8], cells: Cells) {
        let Some(index) = self.0.upgrade() else { return };
        let family = lock(&index.families).by_number.get(&family).cloned();
        if let Some(family) = family {
            family.adopt(key, cells);
        }
    }
}

impl Arena {
    /// Opens the file at a path, once for the process.
    ///
    /// Errors: it cannot be opened, made or mapped, or is none of this library's.
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>, ArenaError> {
        if let Some(known) = lock(&OPEN).as_ref().and_then(|open| open.get(path)) {
            return Ok(known.clone());
        }
        let index: Arc<Index> = Arc::default();
        let options = SharedOptions { size_bytes_max: SIZE_BYTES_MAX, ..SharedOptions::default() };
        let cells = CellArena::open(path, &options, Arc::new(Sink(Arc::downgrade(&index))))?;
        let cells = Arc::new(cells);
        let _ = index.arena.set(Arc::downgrade(&cells));
        let arena = Arc::new(Self { cells, index });
        arena.cells.replay()?;
        let mut open = lock(&OPEN);
        let open = open.get_or_insert_default();
        Ok(open.entry(path.to_owned()).or_insert(arena).clone())
    }

    /// Tells whether a file is open.
    pub(crate) fn is_open(path: &Path) -> bool {
        lock(&OPEN).as_ref().is_some_and(|open| open.contains_key(path))
    }

    /// Forgets all files; metrics that have cells there go on.
    pub(crate) fn close_all() {
        *lock(&OPEN) = None;
    }

    /// Finds a family, and makes it when it is missing.
    ///
    /// Errors: the file is full, damaged, or cannot be written.
    pub(crate) fn family(&self, desc: &Desc) -> Result<Arc<Family>, ArenaError> {
        let (identity, description) = (desc.identity(), desc.encode());
        let find = || {
            let families = lock(&self.index.families);
            families.by_identity.get(&identity).and_then(|number| families.by_number.get(number)).cloned()
        };
        self.cells.replay()?;
        if let Some(family) = find() {
            return Ok(family);
        }
        self.cells.add_family(&description, || find().is_some())?;
        Ok(find().expect("BUG: a family is missing whose record was written"))
    }

    /// Lists all families, in the order of their making.
    pub(crate) fn families(&self) -> Vec<Arc<Family>> {
        if let Err(error) = self.cells.replay() {
            warn(&error);
        }
        let families = lock(&self.index.families);
        families.numbers.iter().filter_map(|number| families.by_number.get(number)).cloned().collect()
    }
}

/// Notes a failure, of which the application is told once.
pub(crate) fn warn(error: &ArenaError) {
    if !WARNED.swap(true, Ordering::Relaxed) {
        *lock(&WARNING) = Some(format!("{error}; this process counts for itself from now on"));
    }
}

/// Takes the failure of which nobody was told yet.
pub(crate) fn take_warning() -> Option<String> {
    // Nearly always there is none, which is asked without the lock.
    if WARNED.load(Ordering::Relaxed) { lock(&WARNING).take() } else { None }
}
