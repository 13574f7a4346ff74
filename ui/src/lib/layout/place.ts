/** Positions in pixels. */

import type { Lane } from "../graph";
import type { View } from "../view";
import type { Grid } from "./columns";
import { fit, width } from "./text";

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface PlacedFrame {
  rect: Rect;
  title: string;
  full: string;
}

export const TITLE_SIZE = 12;
export const SUBTITLE_SIZE = 10;
export const NODE_HEIGHT = 38;
/** The room for a node's icon, left of its texts. */
export const ICON_WIDTH = 28;
/** The room right of a node's texts. */
export const TEXT_MARGIN = 10;
/** The room between two nodes of a column. */
const GAP = 10;
/** The room an edge takes that passes through a column. */
const PASSAGE = 9;
/** The room between a frame and what is in it. */
export const FRAME_PAD = 7;
const FRAME_TITLE = 15;
/** The room around everything, and between lanes' edges and nodes. */
const MARGIN = 16;
/** The room for the lanes' headings. */
const HEADING = 34;
/** The narrowest and the widest node. */
const WIDTH = [96, 248];
/** The narrowest and the widest room between columns. */
const CHANNEL = [52, 132];
/** The highest band that may stay empty over the whole width. */
const BAND = 40;
/** How often positions are pulled towards their neighbours. */
const PULLS = 16;

export interface Positions {
  nodes: Rect[];
  frames: PlacedFrame[];
  lanes: { lane: Lane; rect: Rect }[];
  lefts: number[];
  widths: number[];
  ys: number[];
  width: number;
  height: number;
}

/** Places everything. */
export function place(view: View, grid: Grid): Positions {
  const widths = grid.columns.map((items) => columnWidth(view, grid, items));
  const { lefts, lanes, total } = horizontal(grid, widths);
  const { ys, bottom } = vertical(grid);
  const height = bottom + MARGIN;
  const nodes = view.nodes.map((_, item) => {
    const { column } = grid.items[item];
    return { x: lefts[column], y: ys[item] - NODE_HEIGHT / 2, width: widths[column], height: NODE_HEIGHT };
  });
  return {
    nodes,
    frames: framesOf(grid, nodes),
    lanes: lanes.map(([lane, x, right]) => ({ lane, rect: { x, y: 4, width: right - x, height: height - 8 } })),
    lefts,
    widths,
    ys,
    width: total,
    height,
  };
}

function columnWidth(view: View, grid: Grid, items: number[]): number {
  let widest = 0;
  for (const item of items) {
    const { node } = grid.items[item];
    if (node === undefined) continue;
    const drawn = view.nodes[node];
    widest = Math.max(widest, width(drawn.title, TITLE_SIZE), width(drawn.subtitle, SUBTITLE_SIZE));
  }
  return Math.ceil(Math.min(Math.max(widest + ICON_WIDTH + TEXT_MARGIN, WIDTH[0]), WIDTH[1]));
}

function horizontal(grid: Grid, widths: number[]): { lefts: number[]; lanes: [Lane, number, number][]; total: number } {
  const lefts: number[] = [];
  const lanes: [Lane, number, number][] = [];
  let x = MARGIN;
  widths.forEach((columnWidth, column) => {
    if (column > 0) {
      const segments = grid.columns[column - 1].reduce((sum, item) => sum + grid.right[item].length, 0);
      x += Math.ceil(Math.min(CHANNEL[0] + segments * 0.8, CHANNEL[1]));
    }
    lefts.push(x);
    const right = x + columnWidth + MARGIN;
    const last = lanes.at(-1);
    if (last && last[0] === grid.lanes[column]) last[2] = right;
    else lanes.push([grid.lanes[column], x - MARGIN, right]);
    x += columnWidth;
  });
  return { lefts, lanes, total: x + MARGIN };
}

/** Returns the middle of each item and the lower edge of everything. */
function vertical(grid: Grid): { ys: number[]; bottom: number } {
  // For each column the least distance of each item from the first, as the gaps need it.
  const offsets = grid.columns.map((items) => offsetsOf(grid, items));
  const ys: number[] = new Array(grid.items.length).fill(0);
  grid.columns.forEach((items, column) => items.forEach((item, at) => (ys[item] = offsets[column][at])));
  const count = grid.columns.length;
  for (let pull = 0; pull < PULLS; pull += 1) {
    const toRight = pull % 2 === 0;
    const byLeft = pull + 2 >= PULLS ? undefined : toRight;
    for (let step = 0; step < count; step += 1) {
      const column = toRight ? step : count - 1 - step;
      pullColumn(grid, column, offsets[column], ys, byLeft);
    }
  }
  return compact(grid, ys);
}

/** Moves everything to the top, and closes what is empty over the whole width. */
function compact(grid: Grid, ys: number[]): { ys: number[]; bottom: number } {
  const spans = grid.items.map((item, at) => {
    const half = halfHeight(grid, at);
    const framed = item.frame !== undefined;
    return { at, top: ys[at] - half - (framed ? FRAME_TITLE + FRAME_PAD : 0), bottom: ys[at] + half + (framed ? FRAME_PAD : 0) };
  });
  spans.sort((a, b) => a.top - b.top);
  const moved = [...ys];
  let shift = HEADING + MARGIN - spans[0].top;
  let bottom = spans[0].bottom;
  for (const span of spans) {
    if (span.top > bottom + BAND) shift -= span.top - bottom - BAND;
    bottom = Math.max(bottom, span.bottom);
    moved[span.at] = Math.round((ys[span.at] + shift) * 2) / 2;
  }
  return { ys: moved, bottom: bottom + shift };
}

function halfHeight(grid: Grid, item: number): number {
  return grid.items[item].node === undefined ? PASSAGE / 2 : NODE_HEIGHT / 2;
}

function offsetsOf(grid: Grid, items: number[]): number[] {
  let y = 0;
  return items.map((item, at) => {
    if (at > 0) {
      const above = items[at - 1];
      const [frame, frameAbove] = [grid.items[item].frame, grid.items[above].frame];
      const arePassages = grid.items[item].node === undefined && grid.items[above].node === undefined;
      y += halfHeight(grid, above) + halfHeight(grid, item) + (arePassages ? 0 : GAP);
      if (frame !== frameAbove) {
        y += frameAbove === undefined ? 0 : FRAME_PAD;
        y += frame === undefined ? 0 : FRAME_PAD + FRAME_TITLE;
      }
    }
    return y;
  });
}

/**
 * Moves the items of a column as near to their neighbours as order and gaps allow: isotonic regression by pooling
 * adjacent violators (Barlow et al., Statistical Inference under Order Restrictions, 1972).
 */
function pullColumn(grid: Grid, column: number, offsets: number[], ys: number[], byLeft?: boolean): void {
  const items = grid.columns[column];
  const pools: { shift: number; weight: number; count: number }[] = [];
  items.forEach((item, at) => {
    const [y, weight] = wish(grid, item, ys, byLeft);
    let pool = { shift: y - offsets[at], weight, count: 1 };
    for (let above = pools.at(-1); above && above.shift >= pool.shift; above = pools.at(-1)) {
      pools.pop();
      const sum = above.weight + pool.weight;
      pool = {
        shift: (above.shift * above.weight + pool.shift * pool.weight) / sum,
        weight: sum,
        count: above.count + pool.count,
      };
    }
    pools.push(pool);
  });
  let at = 0;
  for (const pool of pools) {
    for (let left = pool.count; left > 0; left -= 1) {
      ys[items[at]] = offsets[at] + pool.shift;
      at += 1;
    }
  }
}

/** Returns where an item would like to be, and how much. */
function wish(grid: Grid, item: number, ys: number[], byLeft?: boolean): [number, number] {
  const isPassage = grid.items[item].node === undefined;
  let sum = 0;
  let weight = 0;
  const add = (other: number) => {
    // Long edges run straight before short ones do.
    const pull = isPassage && grid.items[other].node === undefined ? 8 : 1;
    sum += pull * ys[other];
    weight += pull;
  };
  if (byLeft !== false) grid.left[item].forEach(add);
  if (byLeft !== true) grid.right[item].forEach(add);
  return weight === 0 ? [ys[item], 0.01] : [sum / weight, isPassage ? 2 : 1];
}

function framesOf(grid: Grid, nodes: Rect[]): PlacedFrame[] {
  const rects = new Map<number, Rect>();
  nodes.forEach((rect, item) => {
    const { frame } = grid.items[item];
    if (frame === undefined) return;
    const all = rects.get(frame);
    if (!all) {
      rects.set(frame, { ...rect });
      return;
    }
    const bottom = Math.max(all.y + all.height, rect.y + rect.height);
    all.y = Math.min(all.y, rect.y);
    all.height = bottom - all.y;
  });
  return [...rects].map(([frame, inner]) => {
    const rect = {
      x: inner.x - FRAME_PAD,
      y: inner.y - FRAME_PAD - FRAME_TITLE,
      width: inner.width + 2 * FRAME_PAD,
      height: inner.height + 2 * FRAME_PAD + FRAME_TITLE,
    };
    const full = grid.frames[frame];
    return { rect, title: fit(full, SUBTITLE_SIZE, rect.width - 2 * FRAME_PAD), full };
  });
}
