/** What is upstream and downstream of a node. */

import { type Graph, isRule } from "./graph";

export interface Lineage {
  nodes: Set<string>;
  /** Places of edges in the graph. */
  edges: Set<number>;
}

/**
 * Follows everything that nodes get something from (`up`) or give something to.
 *
 * A way follows one metric: where many pass through a node (a job, an endpoint), only those count that the start is
 * reached by. A rule turns what it reads into something new. `hops` bounds the way; a target and its job are one.
 */
export function follow(graph: Graph, starts: Iterable<string>, up: boolean, hops = Infinity): Lineage {
  const lineage: Lineage = { nodes: new Set(), edges: new Set() };
  const seen = new Map<string, Set<string | null>>();
  let open: [string, string | null][] = [];
  for (const id of starts) {
    if (!graph.node(id)) continue;
    lineage.nodes.add(id);
    open.push([id, null]);
  }
  for (let distance = 0; open.length > 0 && distance <= hops; distance += 1) {
    const next: [string, string | null][] = [];
    for (let at = 0; at < open.length; at += 1) {
      const [id, token] = open[at];
      const tokens = seen.get(id) ?? new Set();
      if (tokens.has(token) || tokens.has(null)) continue;
      tokens.add(token);
      seen.set(id, tokens);
      for (const index of (up ? graph.into : graph.out).get(id) ?? []) {
        step(graph, index, id, token, up, distance < hops, lineage, open, next);
      }
    }
    open = next;
  }
  return lineage;
}

function step(
  graph: Graph,
  index: number,
  id: string,
  token: string | null,
  up: boolean,
  mayGoOn: boolean,
  lineage: Lineage,
  open: [string, string | null][],
  next: [string, string | null][],
): void {
  const edge = graph.edges[index];
  const other = up ? edge.from : edge.to;
  const isOne = graph.jobOf.get(id) === other || graph.jobOf.get(other) === id;
  if (!mayGoOn && !isOne) return;
  const isBare = edge.metrics.length === 0 && (edge.alerts?.length ?? 0) === 0;
  const carries = (name: string) => edge.metrics.includes(name) || (edge.alerts?.includes(name) ?? false);
  if (token !== null && !carries(token)) return;
  lineage.edges.add(index);
  lineage.nodes.add(other);
  const list = isOne ? open : next;
  const node = graph.node(other);
  if (isBare || (node && isRule(node))) {
    list.push([other, null]);
  } else if (token !== null) {
    list.push([other, token]);
  } else {
    for (const name of edge.metrics) list.push([other, name]);
    for (const name of edge.alerts ?? []) list.push([other, name]);
  }
}

/** Returns the whole path of nodes, up and down. */
export function path(graph: Graph, ids: Iterable<string>, hops = Infinity): Lineage {
  const starts = [...ids];
  const up = follow(graph, starts, true, hops);
  const down = follow(graph, starts, false, hops);
  down.nodes.forEach((id) => up.nodes.add(id));
  down.edges.forEach((index) => up.edges.add(index));
  return up;
}
