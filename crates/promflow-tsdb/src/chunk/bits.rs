//! Reads bits, most significant first.

pub(super) struct BitReader<'a> {
    rest: &'a [u8],
    /// The next bits, from the top.
    window: u64,
    /// How many bits of the window are meant; those below are zero.
    count: u32,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, window: 0, count: 0 }
    }

    /// Fills the window to 56 bits or more, while there are any.
    fn fill(&mut self) {
        if let Some((word, _)) = self.rest.split_first_chunk::<8>() {
            let bytes = (63 - self.count) / 8;
            let word = u64::from_be_bytes(*word);
            // What is beyond whole bytes is read again by the next fill.
            let kept = if bytes == 0 { 0 } else { word & (u64::MAX << (64 - 8 * bytes)) };
            self.window |= kept >> self.count;
            self.count += 8 * bytes;
            self.rest = &self.rest[bytes as usize..];
            return;
        }
        while self.count <= 56
            && let Some((byte, rest)) = self.rest.split_first()
        {
            self.window |= u64::from(*byte) << (56 - self.count);
            self.count += 8;
            self.rest = rest;
        }
    }

    /// Reads up to 64 bits.
    #[inline]
    pub(super) fn bits(&mut self, count: u32) -> Option<u64> {
        if count > 56 {
            let high = self.bits(count - 32)?;
            return Some(high << 32 | self.bits(32)?);
        }
        if self.count < count {
            self.fill();
            if self.count < count {
                return None;
            }
        }
        if count == 0 {
            return Some(0);
        }
        let value = self.window >> (64 - count);
        self.window <<= count;
        self.count -= count;
        Some(value)
    }

    /// Reads ones up to and including the next zero, `max` ones at most; returns how many ones there were.
    #[inline]
    pub(super) fn leading_ones(&mut self, max: u32) -> Option<u32> {
        if self.count < max {
            self.fill();
        }
        let ones = self.window.leading_ones().min(max);
        let read = if ones == max { max } else { ones + 1 };
        if self.count < read {
            return None;
        }
        self.window <<= read;
        self.count -= read;
        Some(ones)
    }

    pub(super) fn uvarint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.bits(8)?;
            value |= (byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn varint(&mut self) -> Option<i64> {
        let value = self.uvarint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}
