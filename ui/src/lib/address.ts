/** The state of the page as its address holds it. */

export interface Address {
  /** The selected node, fold or edge. */
  selected: string;
  /** The expression that says what is drawn. */
  query: string;
  /** Hops around the selection or the expression; 0 is none, -1 all. */
  depth: number;
  /** The folds that were opened. */
  opened: string[];
  /** Whether dashboards and runbooks are drawn. */
  sinks: boolean;
  /** What the panel answers, when no node is selected. */
  ask: string;
  /** The revision that the chart is compared with. */
  since: string;
  /** The lane that a narrow screen shows. */
  lane: string;
}

export const START: Address = { selected: "", query: "", depth: 0, opened: [], sinks: false, ask: "", since: "", lane: "" };

/** The deepest that the slider goes before it says "all". */
export const DEPTH_MAX = 5;

/** Reads the state from an address's query; what is wrong in it is left out. */
export function read(search: string): Address {
  const params = new URLSearchParams(search);
  const depth = Number(params.get("depth") ?? 0);
  return {
    selected: params.get("sel") ?? "",
    query: params.get("q") ?? "",
    depth: Number.isInteger(depth) && depth >= -1 && depth <= DEPTH_MAX ? depth : 0,
    opened: params.getAll("open"),
    sinks: params.get("sinks") === "1",
    ask: params.get("ask") ?? "",
    since: params.get("since") ?? "",
    lane: params.get("lane") ?? "",
  };
}

/** Writes the state; what is as at the start is left out, so that addresses stay short. */
export function write(state: Address): string {
  const params = new URLSearchParams();
  if (state.query) params.set("q", state.query);
  if (state.selected) params.set("sel", state.selected);
  if (state.depth !== 0) params.set("depth", String(state.depth));
  for (const fold of [...state.opened].sort()) params.append("open", fold);
  if (state.sinks) params.set("sinks", "1");
  if (state.ask) params.set("ask", state.ask);
  if (state.since) params.set("since", state.since);
  if (state.lane) params.set("lane", state.lane);
  const text = params.toString();
  return text === "" ? "" : `?${text}`;
}

const EDGE = "edge ";
const ARROW = " → ";

/** Names an edge between two drawn nodes. */
export function edgeId(from: string, to: string): string {
  return `${EDGE}${from}${ARROW}${to}`;
}

/** Returns the ends of an edge, if the text names one. */
export function edgeEnds(id: string): [string, string] | undefined {
  if (!id.startsWith(EDGE)) return undefined;
  const at = id.indexOf(ARROW);
  return at < 0 ? undefined : [id.slice(EDGE.length, at), id.slice(at + ARROW.length)];
}
