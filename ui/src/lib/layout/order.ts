/** The order within columns: few crossings, groups together. */

import type { Grid } from "./columns";

/** How often all columns are sorted by their neighbours: seldom where there is much to sort, so that no picture takes long. */
const SWEEPS: [segments: number, sweeps: number][] = [
  [900, 24],
  [2500, 8],
  [Infinity, 4],
];
/** How often neighbours are swapped. */
const SWAP_ROUNDS = 6;
/** How many items a column may have for its neighbours to be swapped one by one. */
const SWAP_ITEMS_MAX = 400;

/** Orders the columns and returns how many crossings are left: the best of what two beginnings lead to. */
export function order(grid: Grid): number {
  const given = copied(grid.columns);
  const first = settleColumns(grid);
  const found = grid.columns;
  grid.columns = given.map((column) => column.reverse());
  const second = settleColumns(grid);
  if (second < first) return second;
  grid.columns = found;
  return first;
}

function copied(columns: number[][]): number[][] {
  return columns.map((column) => [...column]);
}

/** Sorts and swaps until nothing gets better. */
function settleColumns(grid: Grid): number {
  const segments = grid.right.reduce((sum, others) => sum + others.length, 0);
  const sweeps = SWEEPS.find(([most]) => segments <= most)?.[1] ?? 1;
  let best = Infinity;
  let bestColumns = grid.columns;
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    const toRight = sweep % 2 === 0;
    const count = grid.columns.length;
    for (let step = 1; step < count; step += 1) sort(grid, toRight ? step : count - 1 - step, toRight);
    const sorted = copied(grid.columns);
    const found = swapColumns(grid);
    if (found < best) {
      best = found;
      bestColumns = grid.columns;
    }
    grid.columns = sorted;
    if (best === 0) break;
  }
  grid.columns = bestColumns;
  return best;
}

function swapColumns(grid: Grid): number {
  let found = crossings(grid);
  for (let round = 0; round < SWAP_ROUNDS; round += 1) {
    for (let column = 0; column < grid.columns.length; column += 1) swap(grid, column);
    const now = crossings(grid);
    if (now >= found) return now;
    found = now;
  }
  return found;
}

function placesOf(grid: Grid): number[] {
  const places: number[] = new Array(grid.items.length).fill(0);
  for (const column of grid.columns) column.forEach((item, place) => (places[item] = place));
  return places;
}

interface Key {
  item: number;
  group: number;
  first: number;
  mean: number;
  place: number;
}

/** Sorts a column by the mean place of each item's neighbours, whole groups by the mean of their items. */
function sort(grid: Grid, column: number, byLeft: boolean): void {
  const places = placesOf(grid);
  const neighbours = byLeft ? grid.left : grid.right;
  const scale = (item: number) =>
    places[item] / (Math.max(grid.columns[grid.items[item].column].length, 2) - 1);
  const mean = (item: number) => {
    const around = neighbours[item];
    if (around.length === 0) return scale(item);
    return around.reduce((sum, other) => sum + scale(other), 0) / around.length;
  };
  const frames = new Map<number, { sum: number; count: number; first: number }>();
  for (const item of grid.columns[column]) {
    const { frame } = grid.items[item];
    if (frame === undefined) continue;
    const entry = frames.get(frame) ?? { sum: 0, count: 0, first: places[item] };
    frames.set(frame, {
      sum: entry.sum + mean(item),
      count: entry.count + 1,
      first: Math.min(entry.first, places[item]),
    });
  }
  const keys: Key[] = grid.columns[column].map((item) => {
    const frame = frames.get(grid.items[item].frame ?? -1);
    const own = { item, mean: mean(item), place: places[item] };
    return frame
      ? { ...own, group: frame.sum / frame.count, first: frame.first }
      : { ...own, group: own.mean, first: own.place };
  });
  keys.sort((a, b) => a.group - b.group || a.first - b.first || a.mean - b.mean || a.place - b.place);
  grid.columns[column] = keys.map((key) => key.item);
}

/** Swaps neighbours in a column, and neighbouring groups, as long as that takes crossings away. */
function swap(grid: Grid, column: number): void {
  const items = grid.columns[column];
  if (items.length > SWAP_ITEMS_MAX) return;
  const places = placesOf(grid);
  const sorted = (list: number[]) => list.map((item) => places[item]).sort((a, b) => a - b);
  const around = new Map(items.map((item) => [item, [sorted(grid.left[item]), sorted(grid.right[item])]]));
  const cost = (above: number, below: number) => {
    const [a, b] = [around.get(above), around.get(below)];
    return a && b ? inversions(a[0], b[0]) + inversions(a[1], b[1]) : 0;
  };
  // Whole groups move as one.
  const units: number[][] = [];
  for (const item of items) {
    const { frame } = grid.items[item];
    const last = units.at(-1);
    if (last && frame !== undefined && grid.items[last[0]].frame === frame) last.push(item);
    else units.push([item]);
  }
  for (const unit of units) settle(unit, cost);
  settle(units, (above, below) => {
    let sum = 0;
    for (const a of above) for (const b of below) sum += cost(a, b);
    return sum;
  });
  grid.columns[column] = units.flat();
}

/** Swaps neighbours that cost less the other way round, in a bounded number of rounds. */
function settle<T>(list: T[], cost: (above: T, below: T) => number): void {
  for (let round = 0; round < list.length; round += 1) {
    let isSettled = true;
    for (let at = 1; at < list.length; at += 1) {
      if (cost(list[at], list[at - 1]) < cost(list[at - 1], list[at])) {
        [list[at - 1], list[at]] = [list[at], list[at - 1]];
        isSettled = false;
      }
    }
    if (isSettled) return;
  }
}

/** Returns how many pairs cross when the first's neighbours (sorted) belong to the upper of two items. */
export function inversions(above: number[], below: number[]): number {
  let smaller = 0;
  let found = 0;
  for (const place of above) {
    while (smaller < below.length && below[smaller] < place) smaller += 1;
    found += smaller;
  }
  return found;
}

/** Returns how many pairs of segments cross. */
export function crossings(grid: Grid): number {
  const places = placesOf(grid);
  let total = 0;
  for (let column = 1; column < grid.columns.length; column += 1) {
    const before = grid.columns[column - 1].length;
    // A tree of counts over the places of the column before.
    const tree = new Int32Array(before + 1);
    let counted = 0;
    for (const item of grid.columns[column]) {
      const ends = grid.left[item].map((other) => places[other]);
      for (const end of ends) {
        let upTo = 0;
        for (let at = end + 1; at > 0; at &= at - 1) upTo += tree[at];
        total += counted - upTo;
      }
      for (const end of ends) {
        for (let at = end + 1; at <= before; at += at & -at) tree[at] += 1;
        counted += 1;
      }
    }
  }
  return total;
}
