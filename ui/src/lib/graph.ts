/** The graph as `/api/promflow/v1/flow` gives it, and what is asked about it most. */

export const LANES = ["code", "exposure", "scraping", "recording", "alerting", "delivery"] as const;
export type Lane = (typeof LANES)[number];

/** The states of an edge, from fine to worst. */
export const STATES = [
  "alive",
  "defined",
  "unknown",
  "undecidable",
  "stale",
  "dropped",
  "mismatch",
  "never_seen",
] as const;
export type State = (typeof STATES)[number];

export type Kind =
  | "definition"
  | "library"
  | "exporter"
  | "endpoint"
  | "target"
  | "job"
  | "recording"
  | "alert"
  | "route"
  | "receiver"
  | "dashboard"
  | "runbook";

/** How something differs from what it was at the revision that is compared with. */
export type Difference = "added" | "removed" | "changed";

export interface Node {
  id: string;
  kind: Kind;
  name: string;
  lane: Lane;
  file?: string;
  line?: number;
  group?: string;
  type?: string;
  help?: string;
  labelNames?: string[];
  buckets?: number[];
  unit?: string;
  library?: string;
  package?: string;
  existence?: "code" | "nowhere" | "unjudged" | "wildcard";
  /** Whether no rule or dashboard reads a metric of the code. */
  unread?: boolean;
  series?: number;
  samplesPerSecond?: number;
  path?: string;
  metBy?: string;
  job?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  targets?: number;
  targetsUp?: number;
  /** Whether the server has scraped none of a job's targets yet. */
  untried?: boolean;
  targetFiles?: string[];
  up?: boolean;
  lastScrapeMs?: number;
  lastScrapeDurationSeconds?: number;
  scrapeIntervalMs?: number;
  expr?: string;
  intervalMs?: number;
  forMs?: number;
  keepFiringForMs?: number;
  severity?: string;
  /** Whether an alert's expression can return nothing. */
  cannotFire?: boolean;
  state?: "inactive" | "pending" | "firing";
  active?: number;
  lastFiredMs?: number;
  healthy?: boolean;
  lastError?: string;
  evaluationSeconds?: number;
  matchers?: string[];
  receiver?: string;
  groupBy?: string[];
  groupWaitMs?: number;
  repeatIntervalMs?: number;
  muteTimeIntervals?: string[];
  continues?: boolean;
  channels?: string[];
  lastSentMs?: number;
  sent?: number;
  failed?: number;
  url?: string;
  panels?: number;
  difference?: Difference;
}

export interface Edge {
  from: string;
  to: string;
  via: string;
  function?: string;
  metrics: string[];
  alerts?: string[];
  state: State;
  reason?: string;
  nearest?: string;
  samplesPerSecond?: number;
  /** The panel of a dashboard that reads. */
  panel?: string;
  difference?: Difference;
}

export interface FlowData {
  nodes: Node[];
  edges: Edge[];
  problems?: string[];
}

export function isBroken(state: State): boolean {
  return state === "never_seen" || state === "mismatch" || state === "dropped";
}

export function isFine(state: State): boolean {
  return state === "alive" || state === "defined";
}

/** Returns the worst of several states; alive when all are fine and one is. */
export function worst(states: Iterable<State>): State {
  let found: State = "alive";
  let isAlive = false;
  let isEmpty = true;
  for (const state of states) {
    isAlive ||= state === "alive";
    if (isEmpty || STATES.indexOf(state) > STATES.indexOf(found)) found = state;
    isEmpty = false;
  }
  if (isEmpty) return "defined";
  return isFine(found) && isAlive ? "alive" : found;
}

/** A graph with its indexes. */
export class Graph {
  readonly byId = new Map<string, Node>();
  readonly out = new Map<string, number[]>();
  readonly into = new Map<string, number[]>();
  /** The job node of each target. */
  readonly jobOf = new Map<string, string>();
  /** Names the structure: as long as it is the same, nothing has to move. */
  readonly signature: string;

  constructor(readonly data: FlowData) {
    for (const node of data.nodes) this.byId.set(node.id, node);
    const jobs = new Map<string, string>();
    for (const node of data.nodes) if (node.kind === "job") jobs.set(node.name, node.id);
    for (const node of data.nodes) {
      const job = node.kind === "target" ? jobs.get(node.group ?? "") : undefined;
      if (job !== undefined) this.jobOf.set(node.id, job);
    }
    data.edges.forEach((edge, index) => {
      push(this.out, edge.from, index);
      push(this.into, edge.to, index);
    });
    const edges = data.edges.map((edge) => `${edge.from}\t${edge.to}\t${edge.via}\t${edge.function ?? ""}\t${edge.difference ?? ""}`);
    this.signature = `${data.nodes.map((node) => `${node.id}\t${node.difference ?? ""}`).join("\n")}\n\n${edges.join("\n")}`;
  }

  get nodes(): Node[] {
    return this.data.nodes;
  }

  get edges(): Edge[] {
    return this.data.edges;
  }

  get problems(): string[] {
    return this.data.problems ?? [];
  }

  node(id: string): Node | undefined {
    return this.byId.get(id);
  }

  broken(): Edge[] {
    return this.edges.filter((edge) => isBroken(edge.state));
  }
}

export function isRule(node: Node): boolean {
  return node.kind === "recording" || node.kind === "alert";
}

/** Says whether an alert fires all the time, as a dead man's switch does; by convention its severity is `none`. */
export function isSwitch(node: Node): boolean {
  return node.kind === "alert" && node.severity === "none";
}

/** Returns the lane a node is drawn in: a wildcard stands before its reader, not in the code. */
export function laneOf(node: Node): Lane {
  return node.existence === "wildcard" ? "recording" : node.lane;
}

function push<K>(map: Map<K, number[]>, key: K, value: number): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
