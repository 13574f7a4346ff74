/** Columns: which node stands in which, and where edges pass through. */

import { LANES, type Lane, type State } from "../graph";
import type { View } from "../view";

/** What stands in a column: a node, or the place where an edge passes. */
export interface Item {
  column: number;
  frame?: number;
  /** The node's place in the view. */
  node?: number;
}

export interface Grid {
  /** Those of nodes first, in the view's order. */
  items: Item[];
  /** The items of each column, top to bottom. */
  columns: number[][];
  lanes: Lane[];
  /** The names of the groups that are framed. */
  frames: string[];
  /** The items that each edge goes through, from left to right. */
  chains: number[][];
  /** Whether an edge runs from right to left. */
  reversed: boolean[];
  /** The neighbours of each item in the next column and in the one before, sorted. */
  right: number[][];
  left: number[][];
}

/** Puts nodes into columns and edges through them. */
export function gridOf(view: View, states: State[]): Grid {
  const [columnOf, lanes] = columnsOf(view);
  const grid: Grid = {
    items: [],
    columns: lanes.map(() => []),
    lanes,
    frames: [],
    chains: [],
    reversed: [],
    right: [],
    left: [],
  };
  const frames = new Map<string, number>();
  view.nodes.forEach((drawn, node) => {
    const column = columnOf[node];
    let frame: number | undefined;
    if (drawn.group !== undefined) {
      const key = `${column} ${drawn.group}`;
      frame = frames.get(key) ?? grid.frames.push(drawn.group) - 1;
      frames.set(key, frame);
    }
    grid.columns[column].push(grid.items.push({ column, frame, node }) - 1);
  });
  chain(view, states, columnOf, grid);
  grid.right = grid.items.map(() => []);
  grid.left = grid.items.map(() => []);
  for (const items of grid.chains) {
    for (let at = 1; at < items.length; at += 1) {
      const [a, b] = [items[at - 1], items[at]];
      if (grid.items[a].column < grid.items[b].column) {
        grid.right[a].push(b);
        grid.left[b].push(a);
      }
    }
  }
  grid.right = grid.right.map(sortedOnce);
  grid.left = grid.left.map(sortedOnce);
  return grid;
}

function sortedOnce(list: number[]): number[] {
  return [...new Set(list)].sort((a, b) => a - b);
}

/** Edges that start at one node and look alike share their way until they part. */
function chain(view: View, states: State[], columnOf: number[], grid: Grid): void {
  const shared = new Map<string, number>();
  view.edges.forEach((edge, at) => {
    const reversed = columnOf[edge.from] > columnOf[edge.to];
    const [start, end] = reversed ? [edge.to, edge.from] : [edge.from, edge.to];
    const items = [start];
    for (let column = columnOf[start] + 1; column < columnOf[end]; column += 1) {
      const key = `${edge.from} ${states[at]} ${column} ${reversed}`;
      let item = shared.get(key);
      if (item === undefined) {
        item = grid.items.push({ column }) - 1;
        grid.columns[column].push(item);
        shared.set(key, item);
      }
      items.push(item);
    }
    items.push(end);
    grid.chains.push(items);
    grid.reversed.push(reversed);
  });
}

/** Returns the column of each node and the lane of each column. */
function columnsOf(view: View): [number[], Lane[]] {
  const depth = view.edges.length === 0 ? blocks(view) : depths(view);
  const key = (node: number) => LANES.indexOf(view.nodes[node].lane) * 1000 + depth[node];
  const used = [...new Set(view.nodes.map((_, node) => key(node)))].sort((a, b) => a - b);
  const column = new Map(used.map((value, at) => [value, at]));
  return [view.nodes.map((_, node) => column.get(key(node)) ?? 0), used.map((value) => LANES[Math.floor(value / 1000)])];
}

const SECOND: ReadonlySet<string> = new Set(["endpoint", "receiver", "runbook", "dashboard"]);

/** Returns how deep each node stands in its lane when nothing joins them: a lane becomes a block, not a tall stack. */
function blocks(view: View): number[] {
  const seen = new Map<Lane, number>();
  const count = new Map<Lane, number>();
  for (const node of view.nodes) count.set(node.lane, (count.get(node.lane) ?? 0) + 1);
  return view.nodes.map(({ lane }) => {
    const place = seen.get(lane) ?? 0;
    seen.set(lane, place + 1);
    return Math.floor(place / Math.max(8, Math.ceil(Math.sqrt(count.get(lane) ?? 1) * 1.8)));
  });
}

/** Returns how deep each node stands in its lane: fixed by kind where the kinds follow each other, else by the longest way. */
function depths(view: View): number[] {
  const depth: number[] = view.nodes.map((node) => (SECOND.has(node.kind) ? 1 : 0));
  const byWay = (node: number) => view.nodes[node].lane === "recording" || view.nodes[node].lane === "alerting";
  const next: number[][] = view.nodes.map(() => []);
  for (const edge of view.edges) {
    if (byWay(edge.from) && view.nodes[edge.from].lane === view.nodes[edge.to].lane) next[edge.from].push(edge.to);
  }
  // Depth first, so that edges that close a circle are known; then the longest way in reverse finishing order.
  const mark = new Uint8Array(view.nodes.length);
  const finished: number[] = [];
  const closing = new Set<string>();
  for (let root = 0; root < view.nodes.length; root += 1) {
    if (mark[root] !== 0) continue;
    const stack: [number, number][] = [[root, 0]];
    mark[root] = 1;
    for (let top = stack.pop(); top; top = stack.pop()) {
      const [node, at] = top;
      const to = next[node][at];
      if (to === undefined) {
        mark[node] = 2;
        finished.push(node);
        continue;
      }
      stack.push([node, at + 1]);
      if (mark[to] === 1) closing.add(`${node} ${to}`);
      if (mark[to] === 0) {
        mark[to] = 1;
        stack.push([to, 0]);
      }
    }
  }
  for (const node of finished.reverse()) {
    for (const to of next[node]) {
      if (!closing.has(`${node} ${to}`)) depth[to] = Math.max(depth[to], depth[node] + 1);
    }
  }
  return depth;
}
