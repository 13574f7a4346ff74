/** The state of the page: the newest graph, the graph that is laid out, and what the user looks at. */

import { DEPTH_MAX, START, type Address, edgeEnds, read, write } from "./lib/address";
import { ApiError, type Diff, ask, fetchFlow } from "./lib/api";
import { differing, marked } from "./lib/diff";
import { type FlowData, Graph, type Node, isBroken, isSwitch } from "./lib/graph";
import { layoutOf } from "./lib/layout";
import { type Lineage, path } from "./lib/lineage";
import { SelectError, select } from "./lib/select";
import { type ViewNode, notable, viewOf } from "./lib/view";

/** How often the graph is fetched, in milliseconds, and how much longer than an answer took. */
const REFRESH_MS = 3000;
const REFRESH_FACTOR = 10;

class Page {
  /** The newest graph: texts, colours and numbers are read from it. */
  graph = $state.raw<Graph>();
  /** The graph that is laid out: it is kept as long as the structure is the same, so that nothing moves. */
  structure = $state.raw<Graph>();
  address = $state<Address>({ ...START });
  /** The drawn node or edge that is pointed at. */
  hovered = $state("");
  /** What the server says is wrong, when it answers. */
  problem = $state("");
  /** Since when the server does not answer, in milliseconds since the epoch. */
  lostMs = $state(0);
  /** When the newest graph came. */
  freshMs = $state(0);
  /** Counts the answers: what shows live values asks again when it changes. */
  tick = $state(0);
  /** What changed since the revision that the address names. */
  diff = $state.raw<Diff>();
  /** Why it is not known what changed. */
  diffProblem = $state("");
  /** Asks the chart to fit into its room. */
  fits = $state(0);

  readonly focus: { starts?: Set<string>; only?: Set<string>; error: string } = $derived.by(() => this.findFocus());

  readonly view = $derived.by(() => {
    if (!this.structure) return undefined;
    const kept = new Set([...this.selectedIds, ...(this.address.depth !== 0 ? (this.focus.starts ?? []) : [])]);
    return viewOf(this.structure, {
      only: this.focus.only,
      sinks: this.address.sinks,
      opened: new Set(this.address.opened),
      kept: kept.size > 40 ? new Set() : kept,
    });
  });

  readonly layout = $derived(this.view && this.structure ? layoutOf(this.view, this.structure) : undefined);

  /** The path of what is pointed at, or else selected. */
  readonly lit: Lineage | undefined = $derived.by(() => {
    if (!this.structure) return undefined;
    const hovered = this.hovered === "" ? undefined : this.lineageOf(this.hovered);
    return hovered ?? (this.address.selected === "" ? undefined : this.lineageOf(this.address.selected));
  });

  readonly selectedNode: Node | undefined = $derived(this.graph?.node(this.address.selected));

  /** Nodes that came to be wrong since the layout, and are hidden in folds. */
  readonly hiddenNews: Node[] = $derived.by(() => this.findNews());

  private data: FlowData | undefined;

  private readonly selectedIds: string[] = $derived.by(() =>
    this.structure?.node(this.address.selected) ? [this.address.selected] : [],
  );

  start(): () => void {
    this.address = read(location.search);
    const back = () => (this.address = read(location.search));
    addEventListener("popstate", back);
    let timer = 0;
    let isStopped = false;
    const round = async () => {
      const started = performance.now();
      if (!document.hidden) await this.refresh();
      const took = performance.now() - started;
      if (!isStopped) timer = window.setTimeout(() => void round(), Math.max(REFRESH_MS, took * REFRESH_FACTOR));
    };
    const shown = () => {
      if (document.hidden) return;
      clearTimeout(timer);
      void round();
    };
    document.addEventListener("visibilitychange", shown);
    void round();
    return () => {
      isStopped = true;
      clearTimeout(timer);
      removeEventListener("popstate", back);
      document.removeEventListener("visibilitychange", shown);
    };
  }

  async refresh(): Promise<void> {
    try {
      this.data = await fetchFlow();
      // Other nodes and edges come from other files: what changed is another answer then.
      if (this.take() && this.address.since !== "") void this.compare();
      this.problem = "";
      this.lostMs = 0;
      this.freshMs = Date.now();
      this.tick += 1;
    } catch (e) {
      if (e instanceof ApiError) {
        this.problem = e.message;
        this.lostMs = 0;
      } else if (this.lostMs === 0) {
        this.lostMs = Date.now();
      }
    }
  }

  /** Asks what changed since the revision that the address names; marks go when it names none. */
  async compare(): Promise<void> {
    const { since } = this.address;
    let diff: Diff | undefined;
    let problem = "";
    if (since !== "") {
      try {
        diff = await ask<Diff>("flow/diff", { since });
      } catch (e) {
        problem = e instanceof ApiError && e.isAbsent ? "this server cannot compare revisions" : e instanceof Error ? e.message : String(e);
      }
    }
    if (since !== this.address.since) return;
    const isOther = diff?.text !== this.diff?.text || diff?.from !== this.diff?.from;
    this.diff = diff;
    this.diffProblem = problem;
    if (!isOther) return;
    this.take();
    this.fits += 1;
  }

  /** Shows the newest answer, and says whether it has other nodes or edges than the one before. */
  private take(): boolean {
    if (!this.data) return false;
    const graph = new Graph(this.diff ? marked(this.data, this.diff) : this.data);
    this.graph = graph;
    if (graph.signature === this.structure?.signature) return false;
    const isFirst = this.structure === undefined;
    this.structure = graph;
    return !isFirst;
  }

  /** Changes the state and writes it into the address; small changes replace the entry of the history. */
  go(change: Partial<Address>, isSmall = false): void {
    this.address = { ...this.address, ...change };
    const url = `${location.pathname}${write(this.address)}`;
    if (url === `${location.pathname}${location.search}`) return;
    if (isSmall) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
  }

  /** Selects a node; one that is not drawn yet is drawn with what is around it. */
  choose(id: string): void {
    const place = this.view?.placeOf.get(id);
    const isDrawn = place !== undefined && this.view?.nodes[place].id === id;
    const isNode = this.graph?.node(id) !== undefined;
    if (isDrawn || !isNode) this.go({ selected: id, ask: "" });
    else if (place === undefined || this.view?.isFolded) this.go({ selected: id, ask: "", query: "", depth: 1 });
    else this.go({ selected: id, ask: "" });
  }

  /** Closes the panel; a chart that was drawn around the selection is drawn whole again. */
  deselect(): void {
    this.go({ selected: "", ask: "", depth: this.address.query === "" ? 0 : this.address.depth });
  }

  /** Draws what an expression selects. */
  show(query: string, ask = ""): void {
    this.hovered = "";
    this.go({ query, ask, depth: 0, opened: [], selected: ask === "" ? this.address.selected : "" });
    this.fits += 1;
  }

  /** Draws everything again. */
  reset(): void {
    this.hovered = "";
    this.go({ query: "", depth: 0, opened: [], selected: "", ask: "", since: "" });
    this.fits += 1;
  }

  /** Lays the newest graph out, with what is wrong now in view. */
  relayout(): void {
    this.structure = this.graph;
  }

  toggleFold(id: string): void {
    const { opened } = this.address;
    const isOpen = opened.includes(id);
    this.go({ opened: isOpen ? opened.filter((fold) => fold !== id) : [...opened, id], selected: "" });
  }

  /** Returns the drawn node of an id, which may be that of a fold. */
  drawn(id: string): ViewNode | undefined {
    const place = this.view?.placeOf.get(id);
    return place === undefined ? this.view?.nodes.find((node) => node.id === id) : this.view?.nodes[place];
  }

  /** Returns the newest nodes that a drawn node stands for. */
  members(node: ViewNode): Node[] {
    return node.members.map((id) => this.graph?.node(id)).filter((member) => member !== undefined);
  }

  private lineageOf(id: string): Lineage | undefined {
    const graph = this.structure;
    if (!graph) return undefined;
    const ends = edgeEnds(id);
    if (!ends) {
      const ids = graph.node(id) ? [id] : (this.drawn(id)?.members ?? []);
      return ids.length === 0 ? undefined : path(graph, ids);
    }
    const places = ends.map((end) => this.view?.nodes.findIndex((node) => node.id === end));
    const edge = this.view?.edges.find((edge) => edge.from === places[0] && edge.to === places[1]);
    if (!edge) return undefined;
    const edges = new Set(edge.edges);
    return { edges, nodes: new Set(edge.edges.flatMap((at) => [graph.edges[at].from, graph.edges[at].to])) };
  }

  private findFocus(): { starts?: Set<string>; only?: Set<string>; error: string } {
    const graph = this.structure;
    const { query, depth, selected, sinks } = this.address;
    if (!graph) return { error: "" };
    let starts: Set<string> | undefined;
    try {
      if (query !== "") starts = select(graph, query);
      else if (this.address.ask === "changed" && this.diff) starts = differing(graph);
      else if (depth !== 0 && graph.node(selected)) starts = new Set([selected]);
    } catch (e) {
      if (e instanceof SelectError) return { error: e.message };
      throw e;
    }
    if (!starts) return { error: "" };
    const isDifference = query === "" && this.address.ask === "changed";
    // Where nothing differs the whole chart stays; else a node that differs is drawn with what is next to it. The ends
    // of an edge are enough: what else leads to a route says nothing about what changed.
    if (isDifference && starts.size === 0) return { error: "" };
    const only = new Set(starts);
    const hops = depth === 0 && isDifference ? 1 : depth;
    const from = depth === 0 && isDifference ? [...starts].filter((id) => graph.node(id)?.difference) : starts;
    if (hops !== 0) path(graph, from, hops < 0 ? Infinity : hops).nodes.forEach((id) => only.add(id));
    if (!sinks && !query.includes("runbook")) {
      const hide = (id: string) => graph.node(id)?.kind === "runbook" && id !== selected;
      [...only].filter(hide).forEach((id) => only.delete(id));
    }
    return { starts, only, error: starts.size === 0 ? "nothing is selected by this" : "" };
  }

  private findNews(): Node[] {
    if (!this.graph || !this.structure || !this.view?.isFolded) return [];
    const before = notable(this.structure);
    return [...notable(this.graph)]
      .filter((id) => !before.has(id))
      .map((id) => this.graph?.node(id))
      .filter((node) => node !== undefined)
      .filter((node) => this.drawn(node.id)?.isFold ?? false);
  }
}

export const page = new Page();

/** Returns how many edges are broken and what is wrong with nodes, for the summary. */
export function summary(graph: Graph): { broken: number; firing: number; pending: number; failing: number; down: number } {
  const count = (holds: (node: Node) => boolean) => graph.nodes.filter(holds).length;
  return {
    broken: graph.edges.filter((edge) => isBroken(edge.state)).length,
    firing: count((node) => node.state === "firing" && !isSwitch(node)),
    pending: count((node) => node.state === "pending"),
    failing: count((node) => node.healthy === false),
    down: count((node) => node.kind === "target" && node.up === false),
  };
}

/** Returns the slider's place for a depth, and back: "all" is its last. */
export function depthPlace(depth: number): number {
  return depth < 0 ? DEPTH_MAX + 1 : depth;
}
