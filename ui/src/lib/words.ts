/** The texts on nodes and edges. */

import { type Edge, type Kind, type Node, isRule, isSwitch } from "./graph";

/** How a node looks beside its kind, from plain to bad. */
export const TONES = ["plain", "good", "foreign", "wildcard", "warning", "bad"] as const;
export type Tone = (typeof TONES)[number];

export function tone(node: Node): Tone {
  switch (node.kind) {
    case "definition":
      if (node.existence === "nowhere") return "bad";
      if (node.existence === "unjudged") return "foreign";
      if (node.existence === "wildcard") return "wildcard";
      return node.series === undefined ? "plain" : "good";
    case "exporter":
      return "foreign";
    case "endpoint":
      return node.package === undefined ? "foreign" : "plain";
    case "job":
      if (node.targetsUp === undefined) return "plain";
      if (node.targetsUp === 0 && (node.targets ?? 0) > 0) return "bad";
      return node.targetsUp < (node.targets ?? 0) ? "warning" : "good";
    case "target":
      return node.up === undefined ? "plain" : node.up ? "good" : "bad";
    case "recording":
    case "alert":
      if (node.healthy === false || (node.state === "firing" && !isSwitch(node))) return "bad";
      if (node.state === "pending") return "warning";
      return node.healthy ? "good" : "plain";
    case "receiver":
      if ((node.failed ?? 0) > 0) return "warning";
      return (node.sent ?? 0) > 0 ? "good" : "plain";
    default:
      return "plain";
  }
}

export function worstTone(tones: Iterable<Tone>): Tone {
  let at = 0;
  for (const one of tones) at = Math.max(at, TONES.indexOf(one));
  return TONES[at];
}

/** Returns the word for a tone, for who cannot see it. */
export function toneWord(tone: Tone): string {
  const words = { plain: "", good: "well", foreign: "code not here", wildcard: "can mean many", warning: "warning", bad: "bad" };
  return words[tone];
}

export const ICONS: Record<Kind, string> = {
  definition: "M",
  library: "L",
  exporter: "X",
  endpoint: "/",
  target: "J",
  job: "J",
  recording: "=",
  alert: "!",
  route: ">",
  receiver: "@",
  dashboard: "i",
  runbook: "i",
};

const TYPE_ICONS: Record<string, string> = {
  counter: "C",
  gauge: "G",
  histogram: "H",
  gaugehistogram: "H",
  summary: "S",
  info: "I",
  stateset: "E",
};

export function icon(node: Node): string {
  if (node.kind !== "definition") return ICONS[node.kind];
  if (node.existence === "nowhere" || node.existence === "unjudged") return "?";
  if (node.existence === "wildcard") return "*";
  return TYPE_ICONS[node.type ?? ""] ?? "M";
}

/** Returns the second line on a node's face. */
export function subtitle(node: Node): string {
  switch (node.kind) {
    case "definition":
      return definitionLine(node);
    case "library":
      return `library in ${node.path || "."}`;
    case "exporter":
      return "exporter";
    case "endpoint":
      if (!node.path) return "not scraped";
      return node.package === undefined ? `${node.path}, code not here` : node.path;
    case "target":
      return "target";
    case "job":
      if (!node.targets) return "no targets";
      if (node.untried) return "not scraped yet";
      if (node.targetsUp !== undefined) return `${node.targetsUp}/${node.targets} up`;
      return node.targets === 1 ? "1 target" : `${node.targets} targets`;
    case "recording":
      if (node.healthy === false) return "failing";
      return node.intervalMs === undefined ? "recording" : `every ${duration(node.intervalMs)}`;
    case "alert":
      return alertLine(node);
    case "route":
      return `by ${node.groupBy?.join(", ") || "nothing"}`;
    case "receiver":
      if ((node.failed ?? 0) > 0) return `${node.sent ?? 0} sent, ${node.failed} failed`;
      return (node.sent ?? 0) > 0 ? `${node.sent} sent` : node.channels?.join(", ") || "no channel";
    case "dashboard":
      return node.panels === undefined ? "dashboard" : `${node.panels} ${node.panels === 1 ? "panel" : "panels"}`;
    default:
      return node.kind;
  }
}

function definitionLine(node: Node): string {
  if (node.existence === "wildcard") return "can mean many";
  if (node.existence === "nowhere") return "known from nowhere";
  if (node.existence === "unjudged") return "nothing to judge by";
  return node.file && node.line ? `${shortFile(node.file)}:${node.line}` : "";
}

function alertLine(node: Node): string {
  const severity = node.severity || "no severity";
  if (node.healthy === false) return `${severity} · failing`;
  if (node.state === "inactive") return `${severity} · quiet`;
  if (node.state) return `${severity} · ${node.state}${node.active === undefined ? "" : ` ${node.active}`}`;
  return node.forMs ? `${severity} · for ${duration(node.forMs)}` : severity;
}

/** Returns the longest second line a node may come to have, so that columns do not widen with live data. */
export function longestSubtitle(node: Node): string {
  if (node.kind === "alert") return `${node.severity || "no severity"} · pending 99`;
  if (node.kind === "job") return "not scraped yet";
  if (node.kind === "receiver") return "999 sent, 9 failed";
  return subtitle(node);
}

export function shortFile(file: string): string {
  return file.split("/").slice(-2).join("/");
}

/** Returns the two lines on the face of a fold. */
export function foldFace(id: string, members: Node[]): [string, string] {
  const [head, ...rest] = id.replace(/^fold:/, "").split("/");
  const kind = head.replace(/[!?]$/, "");
  const where = rest.join("/").replace(/[!?]$/, "");
  const count = members.length;
  const what =
    kind === "unread" ? `${count} metrics, read by nobody`
    : `${count} ${count === 1 ? kind.replace(/ies$/, "y").replace(/s$/, "") : kind}`;
  const firing = members.filter((node) => node.state === "firing" && !isSwitch(node)).length;
  const text = firing > 0 ? `${what}, ${firing} firing` : what;
  if (where === "") return [text, "folded"];
  const isFile = /\.ya?ml$/.test(where);
  return [isFile ? (where.split("/").pop() ?? where).replace(/\.ya?ml$/, "") : where, text];
}

export function kindWord(node: Node): string {
  return node.kind === "definition" ? (node.type && node.type !== "unknown" ? node.type : "metric") : node.kind;
}

/** Returns what flows over an edge, in a few words. */
export function edgeWhat(edge: Edge): string {
  const names = edge.metrics.length > 0 ? edge.metrics : (edge.alerts ?? []);
  if (edge.via !== "") return edge.function ? `${edge.function}: ${edge.via}` : edge.via;
  if (names.length === 0) return edge.state;
  if (names.length <= 3) return names.join(", ");
  return `${names.length} ${edge.metrics.length > 0 ? "metrics" : "alerts"}`;
}

export const STATE_WORDS: Record<string, string> = {
  alive: "values seen",
  defined: "on paper",
  unknown: "nothing to judge by",
  undecidable: "may mean many",
  stale: "gone or too rare",
  dropped: "removed on the way",
  mismatch: "no such label, value or bucket",
  never_seen: "known from nowhere",
};

/** Writes a duration as Prometheus does. */
export function duration(ms: number): string {
  if (ms === 0) return "0s";
  const units: [string, number][] = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000], ["ms", 1]];
  let text = "";
  let rest = ms;
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

/** Writes a number with about three digits. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)}G`;
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e4) return `${trim(value / 1e3)}k`;
  return size !== 0 && size < 1e-3 ? value.toExponential(2) : trim(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

export function seconds(value: number): string {
  return value < 1 ? `${trim(value * 1000)} ms` : `${trim(value)} s`;
}

export function ago(ms: number, nowMs: number): string {
  const passed = Math.max(0, nowMs - ms);
  if (passed < 1000) return "just now";
  if (passed < 90_000) return `${Math.round(passed / 1000)} s ago`;
  if (passed < 5_400_000) return `${Math.round(passed / 60_000)} min ago`;
  return passed < 172_800_000 ? `${Math.round(passed / 3_600_000)} h ago` : `${Math.round(passed / 86_400_000)} days ago`;
}

/** Says in one line what a node is, for its tooltip and for screen readers. */
export function spoken(node: Node): string {
  const live = isRule(node) || node.kind === "job" || node.kind === "receiver" ? subtitle(node) : "";
  return [kindWord(node), node.name, live].filter((part) => part !== "").join(", ");
}
