import { expect, test } from "vitest";

import type { Diff } from "./api";
import { changedTexts, differing, joint, marked, size } from "./diff";
import { type Edge, type FlowData, Graph, type Node } from "./graph";

function alert(name: string): Node {
  return { id: `alert:${name}`, kind: "alert", name, lane: "alerting" };
}

function read(from: string, to: string, state: Edge["state"] = "defined"): Edge {
  return { from, to, via: "x", metrics: ["x"], state };
}

const METRIC: Node = { id: "definition:x", kind: "definition", name: "x", lane: "code", existence: "code" };
const DATA: FlowData = {
  nodes: [METRIC, alert("Kept"), alert("New"), alert("Other")],
  edges: [read("definition:x", "alert:Kept"), read("definition:x", "alert:New"), read("definition:x", "alert:Other", "mismatch")],
};

function diff(): Diff {
  return {
    from: "v1",
    to: "now",
    nodes: {
      added: [alert("New")],
      removed: [alert("Gone")],
      changed: [{ id: "alert:Kept", kind: "alert", name: "Kept", changes: [{ what: "expr", from: "x > 1", to: "x > 2" }] }],
    },
    edges: {
      added: [read("definition:x", "alert:New")],
      removed: [read("definition:x", "alert:Gone", "never_seen"), read("definition:nowhere", "alert:Kept")],
      broken: [read("definition:x", "alert:Other", "mismatch")],
      mended: [],
    },
    text: "",
  };
}

test("what differs is marked, and what went is drawn where it was", () => {
  const graph = new Graph(marked(DATA, diff()));
  const of = (id: string) => graph.node(id)?.difference;
  expect([of("alert:New"), of("alert:Gone"), of("alert:Kept"), of("definition:x")]).toEqual(["added", "removed", "changed", undefined]);
  expect(graph.edges.map((edge) => edge.difference)).toEqual([undefined, "added", "changed", "removed"]);
  expect(size(diff())).toBe(7);
});

test("what went is broken no more", () => {
  const data: FlowData = { nodes: DATA.nodes, edges: [] };
  const only = diff();
  only.edges = { added: [], broken: [], mended: [], removed: [read("definition:x", "alert:Gone", "never_seen")] };
  const graph = new Graph(marked(data, only));
  expect(graph.broken()).toEqual([]);
});

test("the ends of what differs are shown with it", () => {
  const ids = differing(new Graph(marked(DATA, diff())));
  expect([...ids].sort()).toEqual(["alert:Gone", "alert:Kept", "alert:New", "alert:Other", "definition:x"]);
});

test("the marks are part of the structure, so that they show at once", () => {
  expect(new Graph(marked(DATA, diff())).signature).not.toBe(new Graph(DATA).signature);
});

test("long texts are cut to where they differ", () => {
  expect(changedTexts("x > 1", null)).toEqual(["x > 1", "nothing"]);
  const long = (name: string) => `sum by (job, instance) (rate(http_requests_total[5m])) > 0.05 and ${name} > 0.1 or vector(0) > 1`;
  const [was, is] = changedTexts(long("requests"), long("request"));
  expect(was).toBe("…0.05 and requests > 0.1 or vector…");
  expect(is).toBe("…0.05 and request > 0.1 or vector…");
});

test("several differences are a change", () => {
  expect(joint(["added", "added"])).toBe("added");
  expect(joint(["added", undefined])).toBe("changed");
  expect(joint([])).toBeUndefined();
});
