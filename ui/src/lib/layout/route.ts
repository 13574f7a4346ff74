/** The ways of the edges. */

import type { Grid } from "./columns";
import { FRAME_PAD, NODE_HEIGHT, type Point, type Positions } from "./place";

/** The room between two edges at one side of a node, at most. */
const PORT_GAP = 4;
/** How much of a node's height edges may start from. */
const PORT_SHARE = 0.62;
/** How far a bend may swing out that goes back to its own column. */
const SWING = 26;

/** Routes every edge through its places: straight within a column, bent between columns. */
export function route(grid: Grid, positions: Positions): Point[][] {
  const { lefts, widths, ys } = positions;
  const out = ports(grid, positions, true);
  const into = ports(grid, positions, false);
  return grid.chains.map((chain, at) => {
    const points: Point[] = [];
    for (let step = 1; step < chain.length; step += 1) {
      const [a, b] = [chain[step - 1], chain[step]];
      const [from, to] = [grid.items[a].column, grid.items[b].column];
      const right = lefts[from] + widths[from];
      if (from === to) {
        // A circle within a column: out to the right and back.
        points.push({ x: right, y: ys[a] }, { x: right, y: ys[b] });
        continue;
      }
      const start = out.get(`${a} ${b}`) ?? ys[a];
      const end = into.get(`${b} ${a}`) ?? ys[b];
      // Frames reach out of their column; edges bend behind them.
      points.push({ x: right, y: start }, { x: right + FRAME_PAD, y: start });
      points.push({ x: lefts[to] - FRAME_PAD, y: end }, { x: lefts[to], y: end });
    }
    return grid.reversed[at] ? points.reverse() : points;
  });
}

/** Returns where each segment starts at a node's right side, or ends at its left: in the order of the other ends. */
function ports(grid: Grid, positions: Positions, atRight: boolean): Map<string, number> {
  const { ys } = positions;
  const found = new Map<string, number>();
  positions.nodes.forEach((_, item) => {
    const others = [...(atRight ? grid.right : grid.left)[item]].sort((a, b) => ys[a] - ys[b] || a - b);
    const steps = Math.max(0, others.length - 1);
    const gap = steps > 0 ? Math.min(PORT_GAP, (NODE_HEIGHT * PORT_SHARE) / steps) : 0;
    others.forEach((other, at) => found.set(`${item} ${other}`, ys[item] + (at - steps / 2) * gap));
  });
  return found;
}

/** Writes the way as an SVG path. */
export function svgPath(points: Point[]): string {
  if (points.length === 0) return "";
  let text = `M${n(points[0].x)} ${n(points[0].y)}`;
  for (let at = 1; at < points.length; at += 1) {
    const [a, b] = [points[at - 1], points[at]];
    if (a.x === b.x && a.y === b.y) continue;
    if (Math.abs(a.y - b.y) < 0.01) {
      text += `H${n(b.x)}`;
    } else if (Math.abs(a.x - b.x) < 0.01) {
      text += `C${n(a.x + SWING)} ${n(a.y)} ${n(a.x + SWING)} ${n(b.y)} ${n(b.x)} ${n(b.y)}`;
    } else {
      const middle = n((a.x + b.x) / 2);
      text += `C${middle} ${n(a.y)} ${middle} ${n(b.y)} ${n(b.x)} ${n(b.y)}`;
    }
  }
  return text;
}

function n(value: number): number {
  return Math.round(value * 10) / 10;
}
