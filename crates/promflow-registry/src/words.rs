//! Short texts as words.

/// The shortest text that [`cover`] cuts into pairs of bytes, and the longest.
pub(crate) const SHORT: std::ops::RangeInclusive<usize> = PAIR..=4 * PAIR - 1;
/// The shortest text that [`cover`] cuts into words of eight bytes, and the longest.
pub(crate) const MIDDLE: std::ops::RangeInclusive<usize> = WORD..=4 * WORD;
pub(crate) const PAIR: usize = 2;
pub(crate) const WORD: usize = 8;

/// Cuts a text of `N` to `4 * N` bytes into four pieces that cover it, and overlap where it is shorter.
///
/// No branch depends on the length: what comes next is what no predictor knows of label values, and one wrong guess takes
/// longer than all that is to be done.
#[inline]
pub(crate) fn cover<const N: usize>(bytes: &[u8]) -> [[u8; N]; 4] {
    let last = bytes.len() - N;
    [0, last.min(N), last.saturating_sub(N), last].map(|at| {
        let mut piece = [0; N];
        piece.copy_from_slice(&bytes[at..at + N]);
        piece
    })
}

/// Compares two texts of one length.
#[inline]
pub(crate) fn is_equal(a: &[u8], b: &[u8]) -> bool {
    if MIDDLE.contains(&a.len()) {
        let difference = |i: usize, (a, b): (&[[u8; WORD]; 4], &[[u8; WORD]; 4])| {
            u64::from_ne_bytes(a[i]) ^ u64::from_ne_bytes(b[i])
        };
        let both = (&cover(a), &cover(b));
        difference(0, both) | difference(1, both) | difference(2, both) | difference(3, both) == 0
    } else if SHORT.contains(&a.len()) {
        pairs(a) == pairs(b)
    } else {
        a == b
    }
}

/// Joins the pieces of a text of two to seven bytes.
#[inline]
pub(crate) fn pairs(bytes: &[u8]) -> u64 {
    let [a, b, c, d] = cover::<PAIR>(bytes).map(|pair| u64::from(u16::from_le_bytes(pair)));
    a | b << 16 | c << 32 | d << 48
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_byte() {
        let text: Vec<u8> = (0..32).collect();
        for length in MIDDLE {
            let pieces = cover::<WORD>(&text[..length]);
            assert!(text[..length].iter().all(|byte| pieces.iter().flatten().any(|b| b == byte)), "{length}");
        }
        for length in SHORT {
            let pieces = cover::<PAIR>(&text[..length]);
            assert!(text[..length].iter().all(|byte| pieces.iter().flatten().any(|b| b == byte)), "{length}");
        }
    }
}
