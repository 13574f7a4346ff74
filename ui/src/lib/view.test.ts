import { describe, expect, test } from "vitest";

import { Graph, worst } from "./graph";
import { layoutOf } from "./layout";
import { inversions } from "./layout/order";
import type { Rect } from "./layout/place";
import { fit, width } from "./layout/text";
import { edge, large, node, small, smallGraph } from "./testing";
import { subtitle, tone } from "./words";
import { NODES_MAX, type View, type ViewOptions, viewOf } from "./view";

const PLAIN: ViewOptions = { sinks: false, opened: new Set(), kept: new Set() };

function ids(view: View): string[] {
  return view.nodes.map((node) => node.id);
}

describe("folding", () => {
  test("a small system is drawn whole, targets in their jobs, without runbooks", () => {
    const view = viewOf(smallGraph(), PLAIN);
    expect(view.isFolded).toBe(false);
    expect(ids(view)).not.toContain("target:backend/a:1");
    expect(ids(view)).not.toContain("runbook:HttpHigh.md");
    expect(view.nodes.find((node) => node.id === "job:backend")?.targets).toEqual(["target:backend/a:1"]);
    expect(ids(viewOf(smallGraph(), { ...PLAIN, sinks: true }))).toContain("runbook:HttpHigh.md");
  });

  test("a large system opens on what is wrong and what fires", () => {
    const graph = new Graph(large());
    const view = viewOf(graph, PLAIN);
    expect(view.nodes.length).toBeLessThanOrEqual(NODES_MAX);
    for (const id of ["alert:Bad0", "alert:A0x0", "definition:s5_m7_totl", "job:s0"]) expect(ids(view)).toContain(id);
    const members = view.nodes.flatMap((node) => [...node.members, ...node.targets]);
    expect(members.length).toBe(graph.nodes.length);
    expect(new Set(members).size).toBe(members.length);
  });

  test("opening a fold leaves the other folds alone", () => {
    const graph = new Graph(large());
    const before = viewOf(graph, PLAIN);
    const fold = before.nodes.find((node) => node.isFold && node.members.length > 5);
    const after = viewOf(graph, { ...PLAIN, opened: new Set([fold?.id ?? ""]) });
    const kept = before.nodes.filter((node) => node.id !== fold?.id).map((node) => node.id);
    expect(ids(after)).toEqual(expect.arrayContaining(kept));
    expect(after.nodes.length).toBe(before.nodes.length - 1 + (fold?.members.length ?? 0));
  });

  test("what is selected stands apart from its fold", () => {
    const graph = new Graph(large());
    expect(ids(viewOf(graph, PLAIN))).not.toContain("alert:A1x3");
    expect(ids(viewOf(graph, { ...PLAIN, kept: new Set(["alert:A1x3"]) }))).toContain("alert:A1x3");
  });

  test("a target that is selected alone is drawn as its job", () => {
    const view = viewOf(smallGraph(), { ...PLAIN, only: new Set(["target:backend/a:1", "alert:QueueLong"]) });
    expect(ids(view)).toEqual(["job:backend", "alert:QueueLong"]);
    expect(view.edges.length).toBe(1);
  });

  test("live data changes no place", () => {
    const quiet = smallGraph();
    const loud = smallGraph((data) => {
      for (const node of data.nodes) if (node.kind === "alert") Object.assign(node, { state: "firing", active: 12 });
      for (const edge of data.edges) edge.samplesPerSecond = 1e6;
    });
    expect(loud.signature).toBe(quiet.signature);
    const places = (graph: Graph) => layoutOf(viewOf(graph, PLAIN), graph).nodes;
    expect(places(loud)).toEqual(places(quiet));
  });

  test("a dead man's switch that fires is well", () => {
    const graph = smallGraph((data) => {
      for (const node of data.nodes) if (node.kind === "alert") Object.assign(node, { state: "firing", severity: "none", healthy: true });
    });
    expect(graph.nodes.filter((node) => node.kind === "alert").map(tone)).toEqual(["good", "good", "good"]);
  });

  test("a job whose targets were not tried yet is not shown as down", () => {
    const jobTone = (up: boolean | undefined) => {
      const graph = smallGraph((data) => {
        for (const node of data.nodes) {
          if (node.kind === "target") node.up = up;
          if (node.kind === "job") Object.assign(node, up === undefined ? { untried: true, targetsUp: undefined } : { targetsUp: up ? 1 : 0 });
        }
      });
      const job = graph.node("job:backend");
      return job ? [tone(job), subtitle(job)] : [];
    };
    expect(jobTone(undefined)).toEqual(["plain", "not scraped yet"]);
    expect(jobTone(false)).toEqual(["bad", "0/1 up"]);
    expect(jobTone(true)).toEqual(["good", "1/1 up"]);
  });

  test("a dashboard says how many panels it has", () => {
    const graph = smallGraph((data) => {
      data.nodes.push(node({ kind: "dashboard", name: "Overview", panels: 2 }));
      data.edges.push(edge("job:backend", "dashboard:Overview", { metrics: ["queue_size"], panel: "Queue" }));
    });
    expect(viewOf(graph, { ...PLAIN, sinks: true }).nodes.find((drawn) => drawn.kind === "dashboard")?.subtitle).toBe("2 panels");
  });

  test("of joined edges the worst state counts", () => {
    expect(worst(["alive", "mismatch", "defined"])).toBe("mismatch");
    expect(worst(["defined", "alive"])).toBe("alive");
    expect(worst(["alive", "unknown"])).toBe("unknown");
    expect(worst([])).toBe("defined");
  });
});

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** Checks what every picture has to keep to. */
function check(graph: Graph, view: View): ReturnType<typeof layoutOf> {
  const layout = layoutOf(view, graph);
  layout.nodes.forEach((a, i) => {
    layout.nodes.slice(i + 1).forEach((b, j) => {
      expect(overlap(a, b), `${view.nodes[i].id} on ${view.nodes[i + 1 + j].id}`).toBe(false);
    });
  });
  view.edges.forEach((edge, at) => {
    const points = layout.edges[at];
    for (let step = 1; step < points.length; step += 1) {
      const [a, b] = [points[step - 1], points[step]];
      const way = { x: Math.min(a.x, b.x), y: Math.min(a.y, b.y), width: Math.abs(b.x - a.x), height: Math.abs(b.y - a.y) };
      layout.nodes.forEach((rect, node) => {
        if (node === edge.from || node === edge.to) return;
        expect(overlap(way, rect), `an edge runs through ${view.nodes[node].id}`).toBe(false);
      });
    }
  });
  return layout;
}

describe("layout", () => {
  test("nothing overlaps and no edge runs through a node", () => {
    const graph = smallGraph();
    const layout = check(graph, viewOf(graph, { ...PLAIN, sinks: true }));
    expect(layout.crossings).toBeLessThan(8);
    expect(layout.lanes.map((lane) => lane.lane)).toEqual(["code", "exposure", "scraping", "recording", "alerting", "delivery"]);
  });

  test("a large system is laid out readably, folded and opened", () => {
    const graph = new Graph(large());
    const view = viewOf(graph, PLAIN);
    const layout = check(graph, view);
    expect(layout.crossings).toBeLessThan(2 * view.edges.length);
    const opened = new Set(view.nodes.filter((node) => node.isFold).slice(-1).map((node) => node.id));
    check(graph, viewOf(graph, { ...PLAIN, opened }));
  });

  test("the same graph gives the same places", () => {
    const draw = () => {
      const graph = new Graph(structuredClone(large(4)));
      return layoutOf(viewOf(graph, PLAIN), graph);
    };
    expect(draw()).toEqual(draw());
  });

  test("an empty view has no places", () => {
    const graph = new Graph({ nodes: [], edges: [] });
    expect(layoutOf(viewOf(graph, PLAIN), graph).nodes).toEqual([]);
  });

  test("rules that read each other in a circle are laid out", () => {
    const data = small();
    data.edges.push({ ...data.edges[6], from: "recording:job:http_requests:rate5m", to: "recording:back" });
    data.edges.push({ ...data.edges[6], from: "recording:back", to: "recording:job:http_requests:rate5m" });
    data.nodes.push({ ...data.nodes[7], id: "recording:back", name: "back" });
    const graph = new Graph(data);
    expect(layoutOf(viewOf(graph, PLAIN), graph).nodes.length).toBeGreaterThan(10);
  });

  test("many nodes that nothing joins stand in a block", () => {
    const graph = new Graph(large(1));
    const only = new Set(graph.nodes.filter((node) => node.kind === "definition").map((node) => node.id));
    const layout = check(graph, viewOf(graph, { ...PLAIN, only }));
    expect(layout.columns.length).toBeGreaterThan(2);
    expect(layout.height).toBeLessThan(layout.width * 1.5);
  });

  test("crossings of two fans are counted", () => {
    expect(inversions([0, 1], [2, 3])).toBe(0);
    expect(inversions([2, 3], [0, 1])).toBe(4);
    expect(inversions([1, 3], [0, 2])).toBe(3);
  });

  test("a text that is cut fits and keeps both ends", () => {
    const name = "instance_mountpoint:node_filesystem_avail_per_node_filesystem_size:ratio";
    const cut = fit(name, 12, 150);
    expect(width(cut, 12)).toBeLessThanOrEqual(150);
    expect(cut).toMatch(/^instance.*…*.:ratio$/);
    expect(fit("up", 12, 150)).toBe("up");
  });
});
