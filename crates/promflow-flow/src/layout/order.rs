//! The order within columns: few crossings, groups together.

use super::columns::Grid;

/// How often all columns are sorted by their neighbours.
const SWEEPS: usize = 24;
/// How often neighbours are swapped.
const SWAP_ROUNDS: usize = 6;
/// How many items a column may have for its neighbours to be swapped one by one.
const SWAP_ITEMS_MAX: usize = 400;

/// How much work all beginnings may be together, counted in segments; two are always tried.
const WORK_MAX: usize = 6_000;
/// How many beginnings are tried at most.
const BEGINNINGS_MAX: usize = 24;

/// Orders the columns and returns how many crossings are left: the best of what several beginnings lead to.
pub(crate) fn order(grid: &mut Grid) -> usize {
    let given = grid.columns.clone();
    let segments: usize = grid.right.iter().map(Vec::len).sum();
    let beginnings = (WORK_MAX / segments.max(1)).clamp(2, BEGINNINGS_MAX);
    let mut best = (usize::MAX, Vec::new());
    for beginning in 0..beginnings {
        grid.columns.clone_from(&given);
        match beginning {
            0 => {}
            1 => grid.columns.iter_mut().for_each(|column| column.reverse()),
            _ => shuffle(&mut grid.columns, beginning as u64),
        }
        let found = settle_columns(grid);
        if found < best.0 {
            best = (found, std::mem::take(&mut grid.columns));
        }
        if found == 0 {
            break;
        }
    }
    grid.columns = best.1;
    best.0
}

/// Puts columns into an order without meaning, which is the same each time.
///
/// Source: Marsaglia, Xorshift RNGs (2003); Fisher and Yates.
fn shuffle(columns: &mut [Vec<usize>], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for column in columns {
        for at in (1..column.len()).rev() {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            column.swap(at, (state % (at as u64 + 1)) as usize);
        }
    }
}

/// Sorts and swaps until nothing gets better, and returns how many crossings are left.
fn settle_columns(grid: &mut Grid) -> usize {
    let mut best = (usize::MAX, Vec::new());
    for sweep in 0..SWEEPS {
        let to_right = sweep % 2 == 0;
        let count = grid.columns.len();
        for step in 1..count {
            let column = if to_right { step } else { count - 1 - step };
            sort(grid, column, to_right);
        }
        let sorted = grid.columns.clone();
        let found = swap_columns(grid);
        if found < best.0 {
            best = (found, std::mem::replace(&mut grid.columns, sorted));
        } else {
            grid.columns = sorted;
        }
    }
    if best.1.is_empty() {
        return crossings(grid);
    }
    grid.columns = best.1;
    best.0
}

/// Swaps neighbours in all columns until nothing gets better, and returns how many crossings are left.
fn swap_columns(grid: &mut Grid) -> usize {
    let mut found = crossings(grid);
    for _ in 0..SWAP_ROUNDS {
        for column in 0..grid.columns.len() {
            swap(grid, column);
        }
        let now = crossings(grid);
        if now >= found {
            return now;
        }
        found = now;
    }
    found
}

/// Returns the place of each item in its column.
fn places(grid: &Grid) -> Vec<usize> {
    let mut places = vec![0; grid.items.len()];
    for column in &grid.columns {
        for (place, &item) in column.iter().enumerate() {
            places[item] = place;
        }
    }
    places
}

/// Sorts a column by the mean place of each item's neighbours, whole groups by the mean of their items.
fn sort(grid: &mut Grid, column: usize, by_left: bool) {
    let places = places(grid);
    let neighbours = if by_left { &grid.left } else { &grid.right };
    let scale = |item: usize| {
        let size = grid.columns[grid.items[item].column].len().max(2) - 1;
        places[item] as f64 / size as f64
    };
    let mean = |item: usize| {
        let around = &neighbours[item];
        if around.is_empty() {
            return scale(item);
        }
        around.iter().map(|other| scale(*other)).sum::<f64>() / around.len() as f64
    };
    let items = &grid.columns[column];
    let mut frame_mean: std::collections::BTreeMap<usize, (f64, f64, usize)> =
        std::collections::BTreeMap::new();
    for &item in items {
        if let Some(frame) = grid.items[item].frame {
            let entry = frame_mean.entry(frame).or_insert((0.0, 0.0, places[item]));
            *entry = (entry.0 + mean(item), entry.1 + 1.0, entry.2.min(places[item]));
        }
    }
    let mut keyed: Vec<_> = items
        .iter()
        .map(|&item| {
            let own = (mean(item), places[item]);
            match grid.items[item].frame.map(|frame| frame_mean[&frame]) {
                Some((sum, count, first)) => (sum / count, first, own.0, own.1, item),
                None => (own.0, own.1, own.0, own.1, item),
            }
        })
        .collect();
    keyed.sort_by(|a, b| {
        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.total_cmp(&b.2)).then(a.3.cmp(&b.3))
    });
    grid.columns[column] = keyed.into_iter().map(|key| key.4).collect();
}

/// Swaps neighbours in a column, and neighbouring groups, as long as that takes crossings away.
fn swap(grid: &mut Grid, column: usize) {
    if grid.columns[column].len() > SWAP_ITEMS_MAX {
        return;
    }
    let places = places(grid);
    let sorted = |list: &[usize]| {
        let mut sorted: Vec<usize> = list.iter().map(|item| places[*item]).collect();
        sorted.sort_unstable();
        sorted
    };
    let around: std::collections::BTreeMap<usize, [Vec<usize>; 2]> = grid.columns[column]
        .iter()
        .map(|&item| (item, [sorted(&grid.left[item]), sorted(&grid.right[item])]))
        .collect();
    let cost = |above: usize, below: usize| -> usize {
        (0..2).map(|side| inversions(&around[&above][side], &around[&below][side])).sum()
    };
    // Whole groups move as one.
    let mut units: Vec<Vec<usize>> = Vec::new();
    for &item in &grid.columns[column] {
        let frame = grid.items[item].frame;
        match units.last_mut() {
            Some(unit) if frame.is_some() && grid.items[unit[0]].frame == frame => unit.push(item),
            _ => units.push(vec![item]),
        }
    }
    for unit in &mut units {
        settle(unit, |above, below| cost(*above, *below));
    }
    settle(&mut units, |above, below| above.iter().flat_map(|a| below.iter().map(|b| cost(*a, *b))).sum());
    grid.columns[column] = units.into_iter().flatten().collect();
}

/// Swaps neighbours that cost less the other way round, in a bounded number of rounds.
fn settle<T>(list: &mut [T], cost: impl Fn(&T, &T) -> usize) {
    for _ in 0..list.len() {
        let mut is_settled = true;
        for at in 1..list.len() {
            if cost(&list[at], &list[at - 1]) < cost(&list[at - 1], &list[at]) {
                list.swap(at - 1, at);
                is_settled = false;
            }
        }
        if is_settled {
            return;
        }
    }
}

/// Returns how many pairs cross when the first's neighbours (sorted) belong to the upper of two items.
fn inversions(above: &[usize], below: &[usize]) -> usize {
    let mut smaller = 0;
    let mut found = 0;
    for place in above {
        while below.get(smaller).is_some_and(|other| other < place) {
            smaller += 1;
        }
        found += smaller;
    }
    found
}

/// Returns how many pairs of segments cross.
pub(crate) fn crossings(grid: &Grid) -> usize {
    let places = places(grid);
    let mut total = 0;
    for (column, items) in grid.columns.iter().enumerate().skip(1) {
        let before = grid.columns[column - 1].len();
        // A tree of counts over the places of the column before.
        let mut tree = vec![0_usize; before + 1];
        let mut counted = 0;
        for &item in items {
            let mut ends: Vec<usize> = grid.left[item].iter().map(|other| places[*other]).collect();
            ends.sort_unstable();
            for &end in &ends {
                let mut up_to = 0;
                let mut at = end + 1;
                while at > 0 {
                    up_to += tree[at];
                    at &= at - 1;
                }
                total += counted - up_to;
            }
            for end in ends {
                let mut at = end + 1;
                while at <= before {
                    tree[at] += 1;
                    at += at & at.wrapping_neg();
                }
                counted += 1;
            }
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inversions_count_pairs_that_cross() {
        assert_eq!(inversions(&[0, 1], &[2, 3]), 0);
        assert_eq!(inversions(&[2, 3], &[0, 1]), 4);
        assert_eq!(inversions(&[1], &[1]), 0);
        assert_eq!(inversions(&[1, 3], &[0, 2]), 3);
    }
}
