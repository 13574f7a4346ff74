//! The order of texts with numbers in them, as people expect it: `a2` before `a10`.

use std::cmp::Ordering;

/// Compares texts chunk by chunk, digits as numbers.
///
/// Source: the natsort package that Prometheus uses.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (chunk_a, after_a) = next_chunk(rest_a);
        let (chunk_b, after_b) = next_chunk(rest_b);
        if chunk_a.is_empty() || chunk_b.is_empty() {
            return rest_a.is_empty().cmp(&rest_b.is_empty()).reverse();
        }
        if chunk_a != chunk_b {
            let numbers = (chunk_a.parse::<u64>(), chunk_b.parse::<u64>());
            return match numbers {
                (Ok(x), Ok(y)) if x != y => x.cmp(&y),
                // Equal numbers written with more zeros come first.
                (Ok(_), Ok(_)) => chunk_b.len().cmp(&chunk_a.len()),
                _ => chunk_a.cmp(chunk_b),
            };
        }
        (rest_a, rest_b) = (after_a, after_b);
    }
}

/// Splits off the leading digits, or what stands before the next digit.
fn next_chunk(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_texts_are_compared_as_numbers() {
        let mut names = vec!["4m600", "4m5", "5m60", "a10", "a2", "4m", "a"];
        names.sort_by(|a, b| compare(a, b));
        assert_eq!(names, ["4m", "4m5", "4m600", "5m60", "a", "a2", "a10"]);
    }
}
