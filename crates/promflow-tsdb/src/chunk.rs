//! XOR chunks: Gorilla's compression of times and values, bit for bit as Prometheus writes it.
//!
//! Source: Gorilla (VLDB 2015) section 4.1; Prometheus tsdb/docs/format/chunks.md, tsdb/chunkenc/xor.go.

mod bits;
#[cfg(test)]
mod tests;

use std::fmt;

use bits::BitReader;
use promflow_storage::SampleBuffer;

/// The number under which Prometheus's files name this encoding.
pub const ENCODING_XOR: u8 = 1;

/// The bytes before the first sample: the number of samples, big-endian.
const HEADER_BYTES: usize = 2;
/// Stands for "no window of meaningful bits yet".
const NO_WINDOW: u8 = 0xff;

/// A chunk that is being written.
///
/// Shape: samples of one series, times strictly rising.
/// Cost: an append writes between 2 and 145 bits in place.
#[derive(Clone, Debug)]
pub struct XorEncoder {
    bytes: Vec<u8>,
    t_ms: i64,
    t_delta: i64,
    value_bits: u64,
    leading: u8,
    trailing: u8,
    /// The bits of the last byte that are not written yet.
    free_bits: u8,
}

impl Default for XorEncoder {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            t_ms: 0,
            t_delta: 0,
            value_bits: 0,
            leading: NO_WINDOW,
            trailing: 0,
            free_bits: 0,
        }
    }
}

impl XorEncoder {
    /// Creates an empty chunk, which allocates nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the samples.
    pub fn len(&self) -> usize {
        self.bytes.first_chunk().map_or(0, |n| u16::from_be_bytes(*n) as usize)
    }

    /// Says whether there is no sample yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the chunk as it stands, a whole chunk after every append.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes set aside for the chunk.
    ///
    /// Units: bytes.
    pub fn capacity_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Returns the time of the last sample; meaningless for an empty chunk.
    ///
    /// Units: milliseconds since the epoch.
    pub fn last_t_ms(&self) -> i64 {
        self.t_ms
    }

    /// Returns the last value, bit for bit; meaningless for an empty chunk.
    pub fn last_value(&self) -> f64 {
        f64::from_bits(self.value_bits)
    }

    /// Adds a sample, whose time must lie after the last one's.
    ///
    /// Panics: the chunk has 65,535 samples.
    pub fn append(&mut self, t_ms: i64, value: f64) {
        let value_bits = value.to_bits();
        match self.len() {
            0 => {
                self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
                self.push_varint(t_ms);
                self.push_bits(value_bits, 64);
            }
            1 => {
                self.t_delta = t_ms.wrapping_sub(self.t_ms);
                self.push_uvarint(self.t_delta as u64);
                self.push_value(value_bits);
            }
            _ => {
                let delta = t_ms.wrapping_sub(self.t_ms);
                self.push_delta_of_delta(delta.wrapping_sub(self.t_delta));
                self.t_delta = delta;
                self.push_value(value_bits);
            }
        }
        self.t_ms = t_ms;
        self.value_bits = value_bits;
        let samples = u16::try_from(self.len() + 1).expect("BUG: chunk with more than 65,535 samples");
        self.bytes[..HEADER_BYTES].copy_from_slice(&samples.to_be_bytes());
    }

    fn push_delta_of_delta(&mut self, dod: i64) {
        let payload = dod as u64;
        match dod {
            0 => self.push_bits(0, 1),
            -8_191..=8_192 => self.push_bits(0b10 << 14 | payload & 0x3fff, 16),
            -65_535..=65_536 => self.push_bits(0b110 << 17 | payload & 0x1_ffff, 20),
            -524_287..=524_288 => self.push_bits(0b1110 << 20 | payload & 0xf_ffff, 24),
            _ => {
                self.push_bits(0b1111, 4);
                self.push_bits(payload, 64);
            }
        }
    }

    fn push_value(&mut self, value_bits: u64) {
        let xor = value_bits ^ self.value_bits;
        if xor == 0 {
            self.push_bits(0, 1);
            return;
        }
        // Five bits hold the leading zeros.
        let leading = (xor.leading_zeros() as u8).min(31);
        let trailing = xor.trailing_zeros() as u8;
        if self.leading != NO_WINDOW && leading >= self.leading && trailing >= self.trailing {
            self.push_bits(0b10, 2);
            self.push_bits(xor >> self.trailing, 64 - u32::from(self.leading + self.trailing));
            return;
        }
        self.leading = leading;
        self.trailing = trailing;
        let significant = 64 - u32::from(leading + trailing);
        // Six bits hold the length; 64 is written as 0.
        self.push_bits(0b11 << 11 | u64::from(leading) << 6 | u64::from(significant) & 0x3f, 13);
        self.push_bits(xor >> trailing, significant);
    }

    fn push_varint(&mut self, value: i64) {
        self.push_uvarint((value << 1 ^ value >> 63) as u64);
    }

    fn push_uvarint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.push_bits(value & 0x7f | 0x80, 8);
            value >>= 7;
        }
        self.push_bits(value, 8);
    }

    /// Writes the low `count` bits.
    fn push_bits(&mut self, value: u64, mut count: u32) {
        let value = if count == 64 { value } else { value & ((1 << count) - 1) };
        let free = u32::from(self.free_bits);
        if free > 0 {
            let taken = free.min(count);
            count -= taken;
            let last = self.bytes.last_mut().expect("BUG: free bits without a byte");
            *last |= ((value >> count) << (free - taken)) as u8;
            self.free_bits = (free - taken) as u8;
        }
        while count >= 8 {
            count -= 8;
            self.bytes.push((value >> count) as u8);
        }
        if count > 0 {
            self.bytes.push((value << (8 - count)) as u8);
            self.free_bits = (8 - count) as u8;
        }
    }
}

/// The chunk is damaged: it ends too early, or its bits make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CorruptChunk;

impl fmt::Display for CorruptChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("corrupt XOR chunk")
    }
}

impl std::error::Error for CorruptChunk {}

/// Adds the samples of a chunk that lie in a range to a buffer.
///
/// Units: milliseconds since the epoch, both ends inclusive.
/// Errors: the chunk is damaged; the samples before the damage are in the buffer.
pub fn decode(
    bytes: &[u8],
    min_t_ms: i64,
    max_t_ms: i64,
    into: &mut SampleBuffer,
) -> Result<(), CorruptChunk> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(CorruptChunk);
    };
    let mut reader = BitReader::new(rest);
    let mut t_ms: i64 = 0;
    let mut t_delta: i64 = 0;
    let mut window = ValueWindow { value_bits: 0, trailing: 0, significant: 0 };
    for i in 0..u16::from_be_bytes(*header) {
        match i {
            0 => {
                t_ms = reader.varint().ok_or(CorruptChunk)?;
                window.value_bits = reader.bits(64).ok_or(CorruptChunk)?;
            }
            1 => {
                t_delta = reader.uvarint().ok_or(CorruptChunk)? as i64;
                t_ms = t_ms.wrapping_add(t_delta);
                window.read(&mut reader).ok_or(CorruptChunk)?;
            }
            _ => {
                t_delta = t_delta.wrapping_add(read_delta_of_delta(&mut reader).ok_or(CorruptChunk)?);
                t_ms = t_ms.wrapping_add(t_delta);
                window.read(&mut reader).ok_or(CorruptChunk)?;
            }
        }
        if t_ms > max_t_ms {
            return Ok(());
        }
        if t_ms >= min_t_ms {
            into.push(t_ms, f64::from_bits(window.value_bits));
        }
    }
    Ok(())
}

fn read_delta_of_delta(reader: &mut BitReader<'_>) -> Option<i64> {
    let ones = reader.leading_ones(4)?;
    let size = match ones {
        0 => return Some(0),
        1 => 14,
        2 => 17,
        3 => 20,
        _ => return reader.bits(64).map(|bits| bits as i64),
    };
    let bits = reader.bits(size)? as i64;
    // The largest magnitude stands for the positive number, not for the negative one.
    Some(if bits > 1 << (size - 1) { bits - (1 << size) } else { bits })
}

struct ValueWindow {
    value_bits: u64,
    trailing: u32,
    significant: u32,
}

impl ValueWindow {
    fn read(&mut self, reader: &mut BitReader<'_>) -> Option<()> {
        match reader.leading_ones(2)? {
            0 => return Some(()),
            1 => {}
            _ => {
                let leading = reader.bits(5)? as u32;
                let significant = reader.bits(6)? as u32;
                self.significant = if significant == 0 { 64 } else { significant };
                self.trailing = 64u32.checked_sub(leading + self.significant)?;
            }
        }
        if self.significant == 0 {
            return None;
        }
        self.value_bits ^= reader.bits(self.significant)? << self.trailing;
        Some(())
    }
}
