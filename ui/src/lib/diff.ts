/** What changed since a revision, as the chart shows it: marks on what is there, and what went beside it. */

import type { Diff } from "./api";
import type { Difference, Edge, FlowData, Graph, Node } from "./graph";

/** The signs by which a difference reads without colour. */
export const SIGNS: Record<Difference, string> = { added: "+", removed: "−", changed: "~" };

function key(edge: Edge): string {
  return [edge.from, edge.to, edge.via, edge.function ?? ""].join("\t");
}

/** Returns a graph with marks; what went is in it again, on paper, where its ends are. */
export function marked(data: FlowData, diff: Diff): FlowData {
  const nodeMarks = new Map<string, Difference>();
  for (const node of diff.nodes.changed) nodeMarks.set(node.id, "changed");
  for (const node of diff.nodes.added) nodeMarks.set(node.id, "added");
  const nodes = data.nodes.map((node): Node => {
    const difference = nodeMarks.get(node.id);
    return difference ? { ...node, difference } : node;
  });
  const ids = new Set(nodes.map((node) => node.id));
  for (const node of diff.nodes.removed) {
    if (ids.has(node.id)) continue;
    ids.add(node.id);
    nodes.push({ ...node, difference: "removed" });
  }

  const edgeMarks = new Map<string, Difference>();
  for (const edge of [...diff.edges.broken, ...diff.edges.mended]) edgeMarks.set(key(edge), "changed");
  for (const edge of diff.edges.added) edgeMarks.set(key(edge), "added");
  const edges = data.edges.map((edge): Edge => {
    const difference = edgeMarks.get(key(edge));
    return difference ? { ...edge, difference } : edge;
  });
  const known = new Set(edges.map(key));
  for (const edge of diff.edges.removed) {
    if (known.has(key(edge)) || !ids.has(edge.from) || !ids.has(edge.to)) continue;
    // What is wrong with an edge that is gone is nobody's concern any more.
    edges.push({ ...edge, state: "defined", reason: undefined, nearest: undefined, difference: "removed" });
  }
  return { ...data, nodes, edges };
}

/** Returns the nodes that differ, and those at the ends of edges that do. */
export function differing(graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const node of graph.nodes) if (node.difference) found.add(node.id);
  for (const edge of graph.edges) {
    if (!edge.difference) continue;
    found.add(edge.from);
    found.add(edge.to);
  }
  return found;
}

/** Returns what differences of several things amount to. */
export function joint(differences: Iterable<Difference | undefined>): Difference | undefined {
  const all = new Set(differences);
  const [only] = all;
  if (all.size <= 1) return only;
  return "changed";
}

/** How much that did not change is shown on either side of what did. */
const CONTEXT = 16;
/** How long a text is before it is cut to what changed, and how long it is at most. */
const WHOLE_MAX = 60;
const CUT_MAX = 160;

/** Returns two values as texts, cut to where they differ. */
export function changedTexts(from: unknown, to: unknown): [string, string] {
  const [was, is] = [written(from), written(to)];
  if (Math.max(was.length, is.length) <= WHOLE_MAX) return [was, is];
  const shorter = Math.min(was.length, is.length);
  let start = 0;
  while (start < shorter && was[start] === is[start]) start += 1;
  let end = 0;
  while (end < shorter - start && was.at(-1 - end) === is.at(-1 - end)) end += 1;
  const cut = (text: string) => {
    const first = start > CONTEXT * 2 ? start - CONTEXT : 0;
    const last = Math.min(text.length, text.length - end + CONTEXT, first + CUT_MAX);
    return `${first > 0 ? "…" : ""}${text.slice(first, last)}${last < text.length ? "…" : ""}`;
  };
  return [cut(was), cut(is)];
}

function written(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Counts the nodes and edges that differ. */
export function size(diff: Diff): number {
  const { nodes, edges } = diff;
  return [nodes.added, nodes.removed, nodes.changed, edges.added, edges.removed, edges.broken, edges.mended]
    .reduce((sum, list) => sum + list.length, 0);
}
