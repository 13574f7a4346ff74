/**
 * What is drawn of a graph: targets folded into their jobs, parallel edges joined, large systems folded by package and
 * group around what is wrong. A view holds places and names only; texts and colours are read from the newest graph, so
 * that nothing moves while they change.
 */

import { type Graph, type Kind, LANES, type Lane, type Node, isBroken, laneOf } from "./graph";
import { differing } from "./diff";
import { TONES, foldFace, longestSubtitle, tone } from "./words";

/** How many nodes and edges are drawn before fine ones are folded together. */
export const NODES_MAX = 80;
export const EDGES_MAX = 480;
const LEVEL_MAX = 8;

export interface ViewNode {
  id: string;
  lane: Lane;
  kind: Kind;
  /** The box it is drawn in. */
  group?: string;
  /** The ids of the nodes it stands for, targets aside. */
  members: string[];
  /** The targets of a job that is drawn here. */
  targets: string[];
  isFold: boolean;
  /** The texts that its width is measured by. */
  title: string;
  subtitle: string;
}

export interface ViewEdge {
  from: number;
  to: number;
  /** The places in the graph of the edges it stands for. */
  edges: number[];
}

export interface View {
  nodes: ViewNode[];
  edges: ViewEdge[];
  /** The drawn node of each node of the graph. */
  placeOf: Map<string, number>;
  /** How many nodes were to be drawn, targets aside. */
  total: number;
  /** Whether anything is folded at all. */
  isFolded: boolean;
}

export interface ViewOptions {
  /** The nodes to draw; all of them when absent. */
  only?: ReadonlySet<string>;
  /** Whether dashboards and runbooks are drawn. */
  sinks: boolean;
  /** The folds that were opened. */
  opened: ReadonlySet<string>;
  /** Nodes that are never folded. */
  kept: ReadonlySet<string>;
}

/** Returns the nodes at which something is wrong or fires. */
export function notable(graph: Graph): Set<string> {
  const found = new Set<string>();
  for (const edge of graph.edges) {
    if (isBroken(edge.state)) {
      // Of metrics that nobody scrapes the endpoint is what is wrong: it says so once for all of them.
      if (graph.node(edge.to)?.kind !== "endpoint") found.add(edge.from);
      found.add(edge.to);
    }
  }
  for (const node of graph.nodes) if (isBad(node)) found.add(node.id);
  return found;
}

function isBad(node: Node): boolean {
  return TONES.indexOf(tone(node)) >= TONES.indexOf("warning");
}

/** Chooses what is drawn of a graph. */
export function viewOf(graph: Graph, options: ViewOptions): View {
  const wrong = notable(graph);
  differing(graph).forEach((id) => wrong.add(id));
  const none: ReadonlySet<string> = new Set();
  // What is opened or kept apart does not count, so that opening one fold does not close others.
  const plain = { ...options, opened: none, kept: none };
  const isPlain = options.opened.size === 0 && options.kept.size === 0;
  for (let level = 0; level <= LEVEL_MAX; level += 1) {
    const view = viewAt(graph, plain, wrong, level);
    if (level === LEVEL_MAX || (view.nodes.length <= NODES_MAX && view.edges.length <= EDGES_MAX)) {
      return isPlain ? view : viewAt(graph, options, wrong, level);
    }
  }
  throw new Error("BUG: the last level is always taken");
}

function viewAt(
  graph: Graph,
  options: ViewOptions,
  wrong: ReadonlySet<string>,
  level: number,
): View {
  const folds = new Map<string, { members: Node[]; targets: string[] }>();
  const foldOf = new Map<string, string>();
  for (const node of graph.nodes) {
    if (options.only ? !options.only.has(node.id) : !options.sinks && isSink(node)) continue;
    const job = graph.jobOf.get(node.id);
    const drawn = (job === undefined ? undefined : graph.node(job)) ?? node;
    let id = foldId(drawn, level, wrong, options.kept) ?? drawn.id;
    if (options.opened.has(id)) id = drawn.id;
    foldOf.set(node.id, id);
    // A job that was not selected itself is drawn for its targets, and is where its edges lead.
    foldOf.set(drawn.id, id);
    const fold = folds.get(id) ?? { members: [], targets: [] };
    folds.set(id, fold);
    if (drawn === node) fold.members.push(node);
    else fold.targets.push(node.id);
  }
  const nodes = [...folds].map(([id, fold]) => viewNode(graph, id, fold.members, fold.targets));
  nodes.sort(compare);
  const places = new Map(nodes.map((node, place) => [node.id, place]));
  const placeOf = new Map<string, number>();
  foldOf.forEach((fold, id) => placeOf.set(id, places.get(fold) ?? 0));
  const total = nodes.reduce((sum, node) => sum + node.members.length, 0);
  return { nodes, edges: joined(graph, placeOf), placeOf, total, isFolded: nodes.some((node) => node.isFold) };
}

function isSink(node: Node): boolean {
  return node.kind === "dashboard" || node.kind === "runbook";
}

function viewNode(graph: Graph, id: string, members: Node[], targets: string[]): ViewNode {
  const known = graph.node(id);
  // A job that was not selected itself stands here for its targets.
  const all = members.length > 0 || !known ? members : [known];
  const first = known ?? all[0];
  const isFold = known === undefined;
  const [title, subtitle] = isFold ? foldFace(id, all) : [first.name, longestSubtitle(first)];
  return {
    id,
    lane: laneOf(first),
    kind: first.kind,
    group: isFold || first.kind === "job" ? undefined : first.group,
    members: all.map((node) => node.id),
    targets,
    isFold,
    title,
    subtitle: isFold && first.kind === "alert" ? `${subtitle}, 99 firing` : subtitle,
  };
}

function compare(a: ViewNode, b: ViewNode): number {
  return (
    LANES.indexOf(a.lane) - LANES.indexOf(b.lane) ||
    order(a.kind, b.kind) ||
    order(a.group ?? "", b.group ?? "") ||
    order(a.id, b.id)
  );
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function joined(graph: Graph, placeOf: Map<string, number>): ViewEdge[] {
  const found = new Map<string, ViewEdge>();
  graph.edges.forEach((edge, index) => {
    const from = placeOf.get(edge.from);
    const to = placeOf.get(edge.to);
    if (from === undefined || to === undefined || from === to) return;
    const key = `${from} ${to}`;
    const known = found.get(key);
    if (known) known.edges.push(index);
    else found.set(key, { from, to, edges: [index] });
  });
  return [...found.values()].sort((a, b) => a.from - b.from || a.to - b.to);
}

/** Returns the fold that a node belongs to at a step, first what nobody reads, last what is wrong. */
function foldId(
  node: Node,
  level: number,
  wrong: ReadonlySet<string>,
  kept: ReadonlySet<string>,
): string | undefined {
  if (kept.has(node.id) || (wrong.has(node.id) && level < 7)) return undefined;
  const mark = tone(node) === "bad" ? "!" : tone(node) === "warning" ? "?" : "";
  switch (node.kind) {
    case "definition":
      return foldOfDefinition(node, level);
    case "recording":
      if (level < 2) return undefined;
      if (level <= 4) return `fold:recordings/${node.group ?? ""}`;
      return level === 5 ? `fold:recordings/${node.file ?? ""}` : "fold:recordings";
    case "alert":
      if (level < 4) return undefined;
      if (level === 4) return `fold:alerts/${node.group ?? ""}`;
      return level <= 7 ? `fold:alerts/${node.file ?? ""}${mark}` : `fold:alerts${mark}`;
    case "library":
      return level >= 6 ? "fold:libraries" : undefined;
    case "exporter":
      return level >= 6 ? "fold:exporters" : undefined;
    case "endpoint":
      return level >= 6 ? "fold:endpoints" : undefined;
    case "job":
      return level >= 6 ? `fold:jobs${mark}` : undefined;
    case "runbook":
      return level >= 1 ? "fold:runbooks" : undefined;
    case "dashboard":
      return level >= 3 ? "fold:dashboards" : undefined;
    case "route":
      return level >= 8 ? "fold:routes" : undefined;
    default:
      return undefined;
  }
}

function foldOfDefinition(node: Node, level: number): string | undefined {
  switch (node.existence) {
    case "nowhere":
    case "unjudged":
      if (level < 3) return undefined;
      return level >= 6 ? "fold:names" : `fold:names/${node.name.split(/[_:]/)[0]}`;
    case "wildcard":
      return level >= 3 ? "fold:wildcards" : undefined;
    default:
      if (level >= 6) return "fold:metrics";
      if (level >= 3) return `fold:metrics/${node.package ?? ""}`;
      return level >= 1 && node.unread ? `fold:unread/${node.package ?? ""}` : undefined;
  }
}
