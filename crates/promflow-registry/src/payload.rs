//! How what a record of a shared arena says is written: numbers as their bytes, texts behind their lengths.

/// Writes a text.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_ne_bytes());
    out.extend(text.as_bytes());
}

/// Writes texts behind their number.
pub fn push_texts(out: &mut Vec<u8>, texts: &[String]) {
    out.extend((texts.len() as u32).to_ne_bytes());
    texts.iter().for_each(|text| push_text(out, text));
}

/// Takes the bytes of a number; nothing when there are not as many.
pub fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*head)
}

/// Takes a text; nothing when it is damaged.
pub fn take_text(input: &mut &[u8]) -> Option<String> {
    let length = u32::from_ne_bytes(take(input)?) as usize;
    let (head, rest) = input.split_at_checked(length)?;
    *input = rest;
    String::from_utf8(head.to_vec()).ok()
}

/// Takes texts; nothing when one is damaged.
pub fn take_texts(input: &mut &[u8]) -> Option<Vec<String>> {
    let count = u32::from_ne_bytes(take(input)?);
    (0..count).map(|_| take_text(input)).collect()
}
