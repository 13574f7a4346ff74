//! Keeps texts away from the parser whose tree would be too deep to walk.

/// How deep brackets may stand in each other.
const DEPTH_MAX: usize = 400;

/// How many operators and dots may follow each other without a comma or an end of statement between them.
const CHAIN_MAX: usize = 5_000;

/// How far a line may be indented: each block needs a space more than the one around it.
const INDENT_MAX: usize = 400;

/// Checks a text without reading it as Python: what stands in strings counts too.
///
/// Errors: the offset at which it gets too deep.
pub(super) fn check(text: &str) -> Result<(), usize> {
    let (mut depth, mut chain, mut indent, mut at_start) = (0_usize, 0_usize, 0_usize, true);
    let mut word = false;
    for (offset, byte) in text.bytes().enumerate() {
        if at_start && matches!(byte, b' ' | b'\t') {
            indent += 1;
        } else {
            at_start = byte == b'\n';
            if at_start {
                indent = 0;
            }
        }
        match byte {
            b'(' | b'[' | b'{' => {
                depth += 1;
                chain += 1;
            }
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => chain = 0,
            b'\n' if depth == 0 => chain = 0,
            b'.' | b'-' | b'~' | b'+' | b'*' | b'/' | b'%' | b'&' | b'|' | b'^' | b'@' | b'<' | b'>'
            | b'=' | b':' => {
                chain += 1;
            }
            _ => {}
        }
        // A word after a word is an operator in words, or starts one: `not not x`, `a if b else c`.
        let is_word = byte.is_ascii_alphanumeric() || byte == b'_';
        if is_word && !word && depth > 0 {
            chain += 1;
        }
        word = is_word;
        if depth > DEPTH_MAX || chain > CHAIN_MAX || indent > INDENT_MAX {
            return Err(offset);
        }
    }
    Ok(())
}
