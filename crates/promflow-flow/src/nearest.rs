//! The real name that a wrong one is nearest to.

/// Returns the number of letters to insert, delete, replace or swap to come from one name to the other.
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = [vec![0; b.len() + 1], (0..=b.len()).collect::<Vec<_>>(), vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows[2][0] = i;
        for j in 1..=b.len() {
            let replace = rows[1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[1][j] + 1).min(rows[2][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[0][j - 2] + 1);
            }
            rows[2][j] = best;
        }
        rows.rotate_left(1);
    }
    rows[1][b.len()]
}

/// Returns the candidate nearest to a name, if it is near enough to be what was meant; the first of equals.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.len() / 3).clamp(1, 8);
    let near = candidates.into_iter().filter_map(|candidate| {
        if candidate == name || candidate.len().abs_diff(name.len()) > bound {
            return None;
        }
        Some((distance(name, candidate), candidate)).filter(|(distance, _)| *distance <= bound)
    });
    near.min().map(|(_, candidate)| candidate)
}

/// Says in words how far apart two names are.
pub(crate) fn in_words(distance: usize) -> String {
    match distance {
        1 => "one letter away".to_owned(),
        2 => "two letters away".to_owned(),
        3 => "three letters away".to_owned(),
        n => format!("{n} letters away"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters_and_swaps() {
        let cases =
            [("", "", 0), ("a", "", 1), ("abc", "acb", 1), ("request", "requests", 1), ("ab", "xy", 2)];
        for (a, b, expected) in cases {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn the_nearest_name_is_near_and_the_first_of_equals() {
        let names = ["http_requests_total", "http_request_duration_seconds", "up"];
        assert_eq!(nearest("http_request_total", names), Some("http_requests_total"));
        assert_eq!(nearest("unrelated_metric", names), None);
        assert_eq!(nearest("aac", ["aab", "aad"]), Some("aab"));
        assert_eq!(nearest("up", names), None);
    }
}
