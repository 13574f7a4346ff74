//! How wide a text is, and how to cut it.

/// Advance widths of the characters from space to tilde, in thousandths of the font size.
///
/// Source: DejaVu Sans 2.37, the widest of the usual sans-serif faces: what fits in it fits in any of them.
const WIDTHS: [u16; 95] = [
    318, 401, 460, 838, 637, 951, 780, 275, 391, 391, 501, 838, 318, 361, 318, 337, 637, 637, 637, 637, 637,
    637, 637, 637, 637, 637, 337, 337, 838, 838, 838, 531, 1001, 685, 687, 699, 771, 632, 576, 775, 752, 295,
    295, 656, 558, 863, 749, 788, 604, 788, 695, 635, 611, 732, 685, 989, 686, 611, 686, 391, 337, 391, 838,
    501, 501, 613, 635, 550, 635, 616, 353, 635, 634, 278, 278, 580, 278, 975, 634, 612, 635, 635, 412, 521,
    393, 634, 592, 818, 592, 592, 525, 637, 337, 637, 838,
];

/// The width of everything else: a full square.
const OTHER: u16 = 1000;

/// Returns the width of a text in a font size, both in pixels.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    let units: u32 = text
        .chars()
        .map(|c| {
            let place = (c as usize).checked_sub(32);
            u32::from(place.and_then(|place| WIDTHS.get(place)).copied().unwrap_or(OTHER))
        })
        .sum();
    f64::from(units) * size / 1000.0
}

/// Cuts a text to a width: its middle becomes an ellipsis, so that both ends stay readable.
pub(crate) fn fit(text: &str, size: f64, width_max: f64) -> String {
    if width(text, size) <= width_max {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let cut = |kept: usize| {
        let head = kept.div_ceil(2);
        let (head, tail) = (&chars[..head], &chars[chars.len() - (kept - head)..]);
        format!("{}…{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
    };
    let (mut low, mut high) = (0, chars.len().saturating_sub(1));
    while low < high {
        let middle = (low + high).div_ceil(2);
        if width(&cut(middle), size) <= width_max { low = middle } else { high = middle - 1 }
    }
    cut(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_cut_fits_and_keeps_both_ends() {
        let name = "instance_mountpoint:node_filesystem_avail_per_node_filesystem_size:ratio";
        let cut = fit(name, 12.0, 150.0);
        assert!(width(&cut, 12.0) <= 150.0, "{cut}");
        assert!(cut.starts_with("instance") && cut.ends_with(":ratio"), "{cut}");
        assert_eq!(fit("up", 12.0, 150.0), "up");
        assert_eq!(fit("wide", 12.0, 1.0), "…");
        assert_eq!(fit("", 12.0, 1.0), "");
    }
}
