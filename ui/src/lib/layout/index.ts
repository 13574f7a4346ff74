/**
 * Where everything stands: lanes left to right, ordered so that few edges cross, and edges that run around nodes.
 *
 * The same layered layout as that of `promflow flow` (Sugiyama: columns, barycenters and swaps, isotonic regression),
 * so that the page and the exported picture look alike. dagre was weighed and left: it knows no lanes, no
 * frames around groups and no shared ways, and its ranks would have to be forced edge by edge.
 */

import { type Graph, worst } from "../graph";
import type { View } from "../view";
import { gridOf } from "./columns";
import { order } from "./order";
import { type PlacedFrame, type Point, type Positions, type Rect, place } from "./place";
import { route } from "./route";

export interface Layout {
  nodes: Rect[];
  edges: Point[][];
  frames: PlacedFrame[];
  lanes: Positions["lanes"];
  /** The nodes of each column, top to bottom: the way of the arrow keys. */
  columns: number[][];
  columnOf: number[];
  width: number;
  height: number;
  crossings: number;
}

/** Lays a view out; the same view gives the same places. */
export function layoutOf(view: View, graph: Graph): Layout {
  if (view.nodes.length === 0) {
    return { nodes: [], edges: [], frames: [], lanes: [], columns: [], columnOf: [], width: 320, height: 120, crossings: 0 };
  }
  const states = view.edges.map((edge) => worst(edge.edges.map((at) => graph.edges[at].state)));
  const grid = gridOf(view, states);
  const crossings = order(grid);
  const positions = place(view, grid);
  const isNode = (item: number) => grid.items[item].node !== undefined;
  return {
    nodes: positions.nodes,
    edges: route(grid, positions),
    frames: positions.frames,
    lanes: positions.lanes,
    columns: grid.columns.map((items) => items.filter(isNode)),
    columnOf: view.nodes.map((_, node) => grid.items[node].column),
    width: positions.width,
    height: positions.height,
    crossings,
  };
}
