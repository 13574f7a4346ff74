//! A table of accounts in cells: names of bounded length, and a few words for each.
//!
//! The hashes stand beside each other, so that a lookup reads little; a hash of zero is a free slot. A reader takes a name
//! when its hash stands there before and after, and is the name's own, so that it never sees half of one and half of
//! another. Slots are given to accounts by one writer at a time.

use crate::memory::{Block, LINE_WORDS};
use crate::shared::checksum;
use crate::summary::now_ms;
use crate::sync::{AtomicU64, Ordering};

const SLOT_LINES: usize = 3;
const SLOT_WORDS: usize = SLOT_LINES * LINE_WORDS;
const WORD_BYTES: usize = size_of::<u64>();

/// The time at which the slot was locked, or zero.
const LOCK: usize = 0;
const LENGTH: usize = 1;
/// The account's value, or for a counter all that was ever counted in the slot.
pub(super) const VALUE: usize = 2;
/// Of a counter: what was counted in the slot before the account that has it now.
pub(super) const BASE: usize = 3;
/// Of a counter: what the account had counted before it got the slot, at most.
pub(super) const RANK: usize = 4;
const NAME: usize = 5;
/// Longer names are cut, and end in their hash.
const NAME_BYTES_MAX: usize = (SLOT_WORDS - NAME) * WORD_BYTES;

/// A lock that a killed process left behind is taken over after that.
const LOCK_TIMEOUT_MS: u64 = 1000;
const LOCK_ATTEMPTS: usize = 100;
const READ_ATTEMPTS: usize = 8;

/// The name of an account, and its hash.
#[derive(Clone, Copy)]
pub(super) struct Account<'a> {
    name: &'a str,
    pub(super) hash: u64,
}

impl<'a> Account<'a> {
    pub(super) fn new(name: &'a str) -> Self {
        Self { name, hash: hash(name.as_bytes()) }
    }

    pub(super) fn name(self) -> &'a str {
        self.name
    }

    /// Returns the bytes that stand in a slot, and how many they are.
    fn bytes(self) -> ([u8; NAME_BYTES_MAX], usize) {
        let mut bytes = [0; NAME_BYTES_MAX];
        if let Some(start) = bytes.get_mut(..self.name.len()) {
            start.copy_from_slice(self.name.as_bytes());
            return (bytes, self.name.len());
        }
        let tail = format!("#{:016x}", self.hash);
        let cut = self.name.floor_char_boundary(NAME_BYTES_MAX - tail.len());
        bytes[..cut].copy_from_slice(&self.name.as_bytes()[..cut]);
        bytes[cut..cut + tail.len()].copy_from_slice(tail.as_bytes());
        (bytes, cut + tail.len())
    }
}

fn hash(name: &[u8]) -> u64 {
    checksum(&[], name).max(1)
}

/// The slots of a group.
pub(super) struct Slots<'a> {
    block: &'a Block,
    count: usize,
}

impl<'a> Slots<'a> {
    pub(super) fn lines(count: usize) -> usize {
        count.div_ceil(LINE_WORDS) + count * SLOT_LINES
    }

    pub(super) fn new(block: &'a Block, count: usize) -> Self {
        Self { block, count }
    }

    pub(super) fn word(&self, slot: usize, word: usize) -> &'a AtomicU64 {
        self.block.word(self.count.next_multiple_of(LINE_WORDS) + slot * SLOT_WORDS + word)
    }

    pub(super) fn float(&self, slot: usize, word: usize) -> f64 {
        f64::from_bits(self.word(slot, word).load(Ordering::Acquire))
    }

    fn hash(&self, slot: usize) -> &'a AtomicU64 {
        self.block.word(slot)
    }

    pub(super) fn is_free(&self, slot: usize) -> bool {
        self.hash(slot).load(Ordering::Acquire) == 0
    }

    /// Returns the hash of the account that has a slot, or zero.
    pub(super) fn owner(&self, slot: usize) -> u64 {
        self.hash(slot).load(Ordering::Acquire)
    }

    /// Walks over all slots, from the one that the hash says.
    fn walk(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let (count, start) = (self.count, (hash >> 32) as usize % self.count);
        (start..count).chain(0..start)
    }

    /// Finds the slot of an account.
    ///
    /// Cost: usually a few words are read; all hashes for an account that has none.
    pub(super) fn find(&self, account: Account<'_>) -> Option<usize> {
        self.walk(account.hash).find(|slot| {
            self.hash(*slot).load(Ordering::Acquire) == account.hash && self.has_name(*slot, account)
        })
    }

    fn has_name(&self, slot: usize, account: Account<'_>) -> bool {
        let (bytes, length) = account.bytes();
        let words = bytes.chunks_exact(WORD_BYTES).take(length.div_ceil(WORD_BYTES));
        self.word(slot, LENGTH).load(Ordering::Relaxed) == length as u64
            && words.enumerate().all(|(i, word)| {
                self.word(slot, NAME + i).load(Ordering::Relaxed).to_ne_bytes().as_slice() == word
            })
    }

    pub(super) fn find_free(&self, hash: u64) -> Option<usize> {
        self.walk(hash).find(|slot| self.is_free(*slot))
    }

    /// Returns an account and two words of it; nothing for a free slot.
    pub(super) fn read(&self, slot: usize, words: [usize; 2]) -> Option<(String, [f64; 2])> {
        (0..READ_ATTEMPTS).find_map(|_| {
            let before = self.owner(slot);
            let length = (self.word(slot, LENGTH).load(Ordering::Relaxed) as usize).min(NAME_BYTES_MAX);
            let name = (0..length.div_ceil(WORD_BYTES))
                .flat_map(|i| self.word(slot, NAME + i).load(Ordering::Relaxed).to_ne_bytes());
            let name: Vec<u8> = name.take(length).collect();
            let values = words.map(|word| self.float(slot, word));
            let whole = before != 0 && before == self.owner(slot) && is_name_of(&name, before);
            whole.then(|| Some((String::from_utf8(name).ok()?, values))).flatten()
        })
    }

    /// Gives a slot to an account, whose words `set` writes; only one thread may do that at a time.
    pub(super) fn give(&self, slot: usize, account: Account<'_>, set: impl FnOnce()) {
        self.locked(slot, || {
            self.hash(slot).store(0, Ordering::Release);
            let (bytes, length) = account.bytes();
            self.word(slot, LENGTH).store(length as u64, Ordering::Relaxed);
            for (i, word) in bytes.chunks_exact(WORD_BYTES).take(length.div_ceil(WORD_BYTES)).enumerate() {
                let mut value = [0; WORD_BYTES];
                value.copy_from_slice(word);
                self.word(slot, NAME + i).store(u64::from_ne_bytes(value), Ordering::Release);
            }
            set();
            self.hash(slot).store(account.hash, Ordering::Release);
        });
    }

    /// Sets a slot's value, if it is still the account's.
    pub(super) fn set(&self, slot: usize, account: Account<'_>, value: f64) -> bool {
        self.locked(slot, || {
            let is_own = self.owner(slot) == account.hash;
            if is_own {
                self.word(slot, VALUE).store(value.to_bits(), Ordering::Release);
            }
            is_own
        })
    }

    pub(super) fn free(&self, slot: usize) {
        self.locked(slot, || self.hash(slot).store(0, Ordering::Release));
    }

    /// Runs a few instructions that nobody else may run at the same time. Who holds the lock for as long as a killed
    /// process does is not waited for.
    fn locked<T>(&self, slot: usize, run: impl FnOnce() -> T) -> T {
        let lock = self.word(slot, LOCK);
        let now = now_ms().max(1);
        for _ in 0..LOCK_ATTEMPTS {
            let seen = lock.load(Ordering::Relaxed);
            let held = seen != 0 && now.saturating_sub(seen) < LOCK_TIMEOUT_MS;
            if !held && lock.compare_exchange(seen, now, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                break;
            }
            std::thread::yield_now();
        }
        let done = run();
        lock.store(0, Ordering::Release);
        done
    }
}

/// Tells whether a hash is that of a name, or of the longer one that it was cut from.
fn is_name_of(name: &[u8], owner: u64) -> bool {
    hash(name) == owner || name.ends_with(format!("#{owner:016x}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_told_apart() {
        let long = "ä".repeat(200);
        let (a, b) = ([long.as_str(), "a"].concat(), [long.as_str(), "b"].concat());
        let text = |name| {
            let (bytes, length) = Account::new(name).bytes();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        assert_ne!(text(&a), text(&b));
        assert!(text(&a).len() <= NAME_BYTES_MAX && text(&a).starts_with("äää"));
        assert_eq!(text("ann"), "ann");
        assert!(is_name_of(text(&a).as_bytes(), Account::new(&a).hash));
        assert!(!is_name_of(b"ann", Account::new("bob").hash));
    }
}
