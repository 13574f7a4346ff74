/** What the page asks the server. Addresses are relative, so that a path prefix does not matter. */

import type { Edge, FlowData, Kind, Node } from "./graph";

/** The server answered, and says that something is wrong. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** What the API calls the error; empty where somebody else answered. */
    readonly kind = "",
  ) {
    super(message);
  }

  /** Whether the server is one that does not have the route. */
  get isAbsent(): boolean {
    return (this.status === 404 && this.kind === "") || this.status === 501 || this.status === 405;
  }
}

/** How long an answer may take. */
const TIMEOUT_MS = 15_000;

/** Fetches data out of the API's envelope, and the server's clock where it tells it. */
export async function fetchData<T>(path: string, params: Record<string, string> = {}): Promise<{ data: T; nowMs: number }> {
  const query = new URLSearchParams(params).toString();
  const response = await fetch(query ? `${path}?${query}` : path, {
    cache: "no-store",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  let body: { status?: string; data?: T; error?: string; errorType?: string } = {};
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    // A proxy in between answers with a page; its status says enough.
  }
  if (!response.ok || body.status !== "success") {
    const message = body.error ?? `the server answers ${response.status} ${response.statusText}`;
    throw new ApiError(response.status, message, body.errorType);
  }
  const clock = Date.parse(response.headers.get("date") ?? "");
  return { data: body.data as T, nowMs: Number.isNaN(clock) ? Date.now() : clock };
}

const FLOW = "api/promflow/v1/flow";

export async function fetchFlow(): Promise<FlowData> {
  return (await fetchData<FlowData>(FLOW)).data;
}

/** Where a drawn chart can be had as a file. */
export function exportUrl(format: string, select: string): string {
  return `${FLOW}?${new URLSearchParams(select ? { format, select } : { format }).toString()}`;
}

export interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

/** Runs an instant query; a scalar becomes one sample without labels. */
export async function query(expr: string, limit: number): Promise<Sample[]> {
  interface Answer {
    resultType: string;
    result: Sample[] | [number, string];
  }
  const { data } = await fetchData<Answer>("api/v1/query", { query: expr, limit: String(limit) });
  if (data.resultType === "vector") return data.result as Sample[];
  return [{ metric: {}, value: data.result as [number, string] }];
}

export interface RuleAlert {
  labels: Record<string, string>;
  annotations?: Record<string, string>;
  state: string;
  activeAt: string;
  value: string;
}

export interface Rule {
  name: string;
  query: string;
  type: "alerting" | "recording";
  health: string;
  labels: Record<string, string>;
  lastError?: string;
  lastEvaluation?: string;
  evaluationTime?: number;
  duration?: number;
  alerts?: RuleAlert[];
}

/** Returns the alerts that are pending or firing, with the server's clock. */
export async function fetchAlerts(): Promise<{ alerts: RuleAlert[]; nowMs: number }> {
  const { data, nowMs } = await fetchData<{ alerts: RuleAlert[] }>("api/v1/alerts");
  return { alerts: data.alerts, nowMs };
}

export interface RuleGroup {
  name: string;
  interval: number;
  rules: Rule[];
}

/** Returns a rule as it is now, with the server's clock. */
export async function fetchRule(node: Node): Promise<{ rule?: Rule; intervalSeconds: number; nowMs: number }> {
  const params = { type: node.kind === "alert" ? "alert" : "record", "rule_name[]": node.name };
  const { data, nowMs } = await fetchData<{ groups: RuleGroup[] }>("api/v1/rules", params);
  const named = data.groups.flatMap((group) => group.rules.map((rule) => ({ group, rule })));
  const same = named.filter(({ group, rule }) => group.name === node.group && rule.name === node.name);
  // Rules of one name in one group differ by what they read or by their labels.
  const found =
    same.find(({ rule }) => rule.query === node.expr && sameLabels(rule.labels, node.labels ?? {})) ??
    same.find(({ rule }) => sameLabels(rule.labels, node.labels ?? {})) ??
    same[0];
  return { rule: found?.rule, intervalSeconds: found?.group.interval ?? 0, nowMs };
}

function sameLabels(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

export interface Target {
  labels: Record<string, string>;
  scrapeUrl: string;
  health: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
}

export async function fetchTargets(job: string): Promise<{ targets: Target[]; dropped: number; nowMs: number }> {
  interface Answer {
    activeTargets: Target[];
    droppedTargetCounts?: Record<string, number> | null;
  }
  const { data, nowMs } = await fetchData<Answer>("api/v1/targets", { scrapePool: job });
  return { targets: data.activeTargets, dropped: data.droppedTargetCounts?.[job] ?? 0, nowMs };
}

/** A place in a file that an answer names. */
export interface Place {
  id?: string;
  name: string;
  kind?: Kind;
  file?: string;
  line?: number;
}

export interface Hit extends Place {
  severity?: string;
  via: string[];
  direct?: boolean;
  receivers?: string[];
}

export interface Feeds {
  definitions: (Place & { type?: string; package?: string })[];
  broken: Edge[];
}

/** What differs between two revisions, or between one and the files as they are. */
export interface Diff {
  from: string;
  to: string;
  nodes: {
    added: Node[];
    removed: Node[];
    changed: (Place & { id: string; kind: Kind; changes: { what: string; from: unknown; to: unknown }[] })[];
  };
  edges: { added: Edge[]; removed: Edge[]; broken: Edge[]; mended: Edge[] };
  /** The same for a review comment, in Markdown. */
  text: string;
}

export interface Revisions {
  commits: { revision: string; subject: string; committedMs: number }[];
  names: string[];
}

export interface Breaks {
  kinds: string[];
  recordings: Hit[];
  alerts: Hit[];
  dashboards: Hit[];
  receivers: { id?: string; name: string; channels: string[]; alerts: string[] }[];
}

export interface Missing {
  missing: {
    name: string;
    state: string;
    reason?: string;
    nearest?: string;
    nearestFile?: string;
    nearestLine?: number;
    readers: (Place & { via: string })[];
  }[];
}

export interface Prune {
  unread: (Place & { type?: string; series?: number; jobs?: string[] })[];
  drops: { job: string; metrics: string[]; series?: number; yaml: string }[];
  deadAlerts: (Place & { severity?: string; causes: { state: string; via: string; reason?: string; nearest?: string }[] })[];
  noHelp: (Place & { type?: string })[];
}

export interface Cardinality {
  series: number;
  seriesHourAgo?: number;
  metrics: { name: string; series: number; seriesHourAgo?: number; share: number }[];
  jobs: { name: string; series: number; share: number; sampleLimitSuggested?: number }[];
  labels: { metric: string; label: string; values: number; series: number; examples: string[] }[];
  blowups: { metric: string; label: string; reason: string }[];
  limits: { job: string; sampleLimit: number; yaml: string; reason: string }[];
}

export async function ask<T>(route: string, params: Record<string, string> = {}): Promise<T> {
  return (await fetchData<T>(`api/promflow/v1/${route}`, params)).data;
}

let flags: Promise<Record<string, string>> | undefined;

/** Returns the server's flags; they stay as long as it runs, and so does the answer. */
export function fetchFlags(): Promise<Record<string, string>> {
  flags ??= fetchData<Record<string, string>>("api/v1/status/flags").then(({ data }) => data);
  // A server that did not answer is asked again the next time.
  flags.catch(() => (flags = undefined));
  return flags;
}
