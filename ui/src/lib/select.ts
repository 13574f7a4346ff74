/**
 * The selection language: `+X`, `2+x+1`, `kind:alert,severity:critical`, `state:broken`.
 *
 * Space joins, comma intersects, `-` excludes. `+` before a name takes in what is upstream, `+` behind it what is
 * downstream, a number says how many hops. `*` stands for any text, quotes keep spaces and commas.
 */

import { type Edge, type Graph, type Node, isBroken, isRule, laneOf } from "./graph";
import { follow } from "./lineage";

export class SelectError extends Error {}

interface Factor {
  text: string;
  isQuoted: boolean;
  isExcluded: boolean;
  /** Hops upstream and downstream; 0 is none. */
  up: number;
  down: number;
}

/** Terms that are joined; the factors of each intersect. */
type Selection = Factor[][];

/** Returns the ids of the nodes that an expression selects. */
export function select(graph: Graph, text: string): Set<string> {
  const found = new Set<string>();
  const excluded = new Set<string>();
  const selection = parse(text);
  const isOnlyExcluding = selection.every((term) => term.every((factor) => factor.isExcluded));
  if (isOnlyExcluding) graph.nodes.forEach((node) => found.add(node.id));
  for (const term of selection) {
    const [inside, outside] = evaluateTerm(graph, term);
    if (inside) inside.forEach((id) => found.add(id));
    else outside.forEach((id) => excluded.add(id));
  }
  excluded.forEach((id) => found.delete(id));
  return found;
}

/** Returns what a term selects, or, for one that only excludes, what it takes away. */
function evaluateTerm(graph: Graph, term: Factor[]): [Set<string> | undefined, Set<string>] {
  let inside: Set<string> | undefined;
  const outside = new Set<string>();
  for (const factor of term) {
    const found = evaluateFactor(graph, factor);
    if (factor.isExcluded) found.forEach((id) => outside.add(id));
    else inside = inside ? new Set([...inside].filter((id) => found.has(id))) : found;
  }
  if (inside) outside.forEach((id) => inside.delete(id));
  return [inside, outside];
}

function evaluateFactor(graph: Graph, factor: Factor): Set<string> {
  const found = new Set(base(graph, factor).map((node) => node.id));
  if (factor.up === 0 && factor.down === 0) return found;
  const all = new Set(found);
  if (factor.up > 0) follow(graph, found, true, factor.up).nodes.forEach((id) => all.add(id));
  if (factor.down > 0) follow(graph, found, false, factor.down).nodes.forEach((id) => all.add(id));
  return all;
}

function base(graph: Graph, factor: Factor): Node[] {
  const { text } = factor;
  const exact = graph.nodes.filter((node) => node.name === text);
  if (exact.length > 0) return exact;
  const colon = text.indexOf(":");
  const key = colon > 0 ? text.slice(0, colon) : "";
  const value = text.slice(colon + 1);
  const predicate = key === "" || factor.isQuoted ? undefined : predicateOf(graph, key, value);
  if (predicate) {
    const found = graph.nodes.filter(predicate);
    if (found.length > 0 || key in PREDICATES) return found;
  }
  const one = graph.node(text);
  if (one) return [one];
  const matches = glob(text);
  const named = graph.nodes.filter((node) => matches(node.name));
  if (named.length > 0 || text.includes("*")) return named;
  const near = nearest(text, graph.nodes.map((node) => node.name));
  throw new SelectError(`nothing is called \`${text}\`${near === undefined ? "" : `; did you mean \`${near}\`?`}`);
}

/** Returns the name that is fewest letters away, when it is near at all. */
export function nearest(text: string, names: Iterable<string>): string | undefined {
  let found: [number, string] | undefined;
  const limit = Math.max(2, Math.floor(text.length / 3));
  for (const name of new Set(names)) {
    if (Math.abs(name.length - text.length) > limit) continue;
    const away = distance(text.toLowerCase(), name.toLowerCase());
    if (away <= limit && (!found || away < found[0])) found = [away, name];
  }
  return found?.[1];
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}

type Predicate = (node: Node) => boolean;

const PREDICATES: Record<string, (matches: (text: string) => boolean, graph: Graph) => Predicate> = {
  id: (matches) => (node) => matches(node.id),
  name: (matches) => (node) => matches(node.name),
  kind: (matches) => (node) => matches(node.kind),
  lane: (matches) => (node) => matches(laneOf(node)),
  group: (matches) => (node) => node.group !== undefined && matches(node.group),
  file: (matches) => (node) => node.file !== undefined && (matches(node.file) || matches(node.file.split("/").pop() ?? "")),
  package: (matches) => (node) => node.package !== undefined && matches(node.package),
  library: (matches) => (node) => node.library !== undefined && matches(node.library),
  type: (matches) => (node) => node.type !== undefined && matches(node.type),
  label: (matches) => (node) => (node.labelNames ?? Object.keys(node.labels ?? {})).some(matches),
  receiver: (matches) => (node) => matches(node.kind === "receiver" ? node.name : (node.receiver ?? "")),
  job: (matches) => (node) => matches(node.kind === "job" ? node.name : (node.job ?? node.labels?.job ?? "")),
  metric: (matches) => (node) => node.kind === "definition" && matches(node.name),
  state: (matches, graph) => {
    const ends = new Set<string>();
    for (const edge of graph.edges) {
      if (matches(edge.state) || (isBroken(edge.state) && matches("broken"))) {
        ends.add(edge.from);
        ends.add(edge.to);
      }
    }
    return (node) => ends.has(node.id) || (node.state !== undefined && matches(node.state)) || matches(health(node));
  },
  is: (matches, graph) => (node) => IS.some(([word, holds]) => matches(word) && holds(node, graph)),
};

/** What a node can be said to be. */
const IS: [string, (node: Node, graph: Graph) => boolean][] = [
  ["unread", (node) => node.unread === true],
  ["missing", (node) => node.existence === "nowhere"],
  ["nohelp", (node) => node.existence === "code" && !node.help],
  ["firing", (node) => node.state === "firing"],
  ["failing", (node) => node.healthy === false || (node.failed ?? 0) > 0],
  ["broken", (node, graph) => edgesOf(graph, node).some((edge) => isBroken(edge.state))],
  ["unroutable", (node, graph) => node.kind === "alert" && !(graph.out.get(node.id) ?? []).some((at) => isTold(graph, at))],
  ["mute", (node) => node.cannotFire === true],
];

/** Says whether an edge leads to a route or a receiver: somebody is told. */
function isTold(graph: Graph, at: number): boolean {
  const kind = graph.node(graph.edges[at].to)?.kind;
  return kind === "route" || kind === "receiver";
}

function edgesOf(graph: Graph, node: Node): Edge[] {
  return [...(graph.into.get(node.id) ?? []), ...(graph.out.get(node.id) ?? [])].map((at) => graph.edges[at]);
}

function health(node: Node): string {
  if (node.kind === "target") return node.up === undefined ? "" : node.up ? "up" : "down";
  if (node.kind === "job" && node.targetsUp !== undefined && node.targets) {
    return node.targetsUp === node.targets ? "up" : "down";
  }
  return (isRule(node) && node.healthy === false) || (node.failed ?? 0) > 0 ? "failing" : "";
}

function predicateOf(graph: Graph, key: string, value: string): Predicate | undefined {
  const matches = glob(value);
  const known = Object.hasOwn(PREDICATES, key) ? PREDICATES[key] : undefined;
  if (known) return known(matches, graph);
  const hasLabel = graph.nodes.some((node) => node.labels?.[key] !== undefined);
  return hasLabel ? (node) => node.labels?.[key] !== undefined && matches(node.labels[key]) : undefined;
}

/** Returns a test for a text in which `*` stands for anything and `|` parts alternatives. */
function glob(pattern: string): (text: string) => boolean {
  const escaped = pattern.replace(/[.+?^${}()[\]\\]/g, "\\$&").replaceAll("*", ".*");
  const expression = new RegExp(`^(?:${escaped})$`, "su");
  return (text) => expression.test(text);
}

/** Parses an expression. */
export function parse(text: string): Selection {
  const selection: Selection = [];
  for (const term of split(text, /\s/)) {
    const factors = split(term, /,/).map((part) => parseFactor(part));
    if (factors.length > 0) selection.push(factors);
  }
  if (selection.length === 0) throw new SelectError("nothing is selected");
  return selection;
}

/** Splits at a separator outside quotes. */
function split(text: string, separator: RegExp): string[] {
  const parts: string[] = [];
  let part = "";
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    if (c === "\\" && isQuoted) {
      part += c + (text[at + 1] ?? "");
      at += 1;
    } else if (c === '"') {
      isQuoted = !isQuoted;
      part += c;
    } else if (!isQuoted && separator.test(c)) {
      if (part !== "") parts.push(part);
      part = "";
    } else {
      part += c;
    }
  }
  if (isQuoted) throw new SelectError("a quote is not closed");
  if (part !== "") parts.push(part);
  return parts;
}

function parseFactor(text: string): Factor {
  const found = /^(-?)(?:(\d*)(\+))?(.*?)(?:(\+)(\d*))?$/s.exec(text);
  const [, minus, upCount, up, name, down, downCount] = found ?? [];
  if (!name) throw new SelectError(`"${text}" has no name`);
  const hops = (sign: string | undefined, count: string | undefined) => (sign ? (count ? Number(count) : Infinity) : 0);
  const isQuoted = name.startsWith('"') && name.endsWith('"') && name.length > 1;
  return {
    text: name.replace(/\\(.)|"/gs, (_, escaped: string | undefined) => escaped ?? ""),
    isQuoted,
    isExcluded: minus === "-",
    up: hops(up, upCount),
    down: hops(down, downCount),
  };
}

/** Writes the factor that selects one node. */
export function factorOf(graph: Graph, node: Node): string {
  const isUnique = graph.nodes.filter((other) => other.name === node.name).length === 1;
  const text = isUnique ? node.name : node.id;
  return /^[\w:./*-]*[\w:/]$/.test(text) && !text.startsWith("-") ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}
