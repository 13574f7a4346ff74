import { describe, expect, test } from "vitest";

import { SelectError, factorOf, nearest, parse, select } from "./select";
import { smallGraph } from "./testing";

const graph = smallGraph();

function selected(text: string): string[] {
  return [...select(graph, text)].map((id) => id.replace(/^.*?:/, "")).sort();
}

describe("selection", () => {
  test.each([
    ["HttpHigh", "HttpHigh"],
    ["kind:receiver", "pager"],
    ["severity:critical", "HttpHigh Misspelt"],
    ["kind:alert,severity:critical", "HttpHigh Misspelt"],
    ["kind:receiver team:web", "HttpHigh pager"],
    ["kind:alert -HttpHigh", "Misspelt QueueLong"],
    ["kind:alert,-severity:critical", "QueueLong"],
    ["state:firing", "HttpHigh"],
    ["state:broken", "Misspelt http_request_total"],
    ["state:never_seen", "Misspelt http_request_total"],
    ["job:backend", "backend backend/a:1"],
    ["is:unread", "unused_total"],
    ["is:missing", "http_request_total"],
    ["is:nohelp", "queue_size"],
    ["is:mute", "Misspelt"],
    ["label:status", "http_requests_total"],
    ["queue_*", "queue_size"],
    ["name:*Long", "QueueLong"],
    ["kind:receiver|route", "/ pager"],
    ['"default route"', "/"],
    ['"default route"+1', "/ pager"],
    ["job:http_requests:rate5m", "job:http_requests:rate5m"],
    ["1+HttpHigh", "HttpHigh job:http_requests:rate5m"],
  ])("%s", (text, expected) => {
    expect(selected(text)).toEqual(expected.split(" "));
  });

  test("upstream follows one metric through a job that carries many", () => {
    const found = selected("+HttpHigh");
    expect(found).toContain("http_requests_total");
    expect(found).not.toContain("queue_size");
    expect(found).not.toContain("pager");
  });

  test("downstream ends at who is told", () => {
    const found = selected("queue_size+");
    expect(found).toContain("pager");
    expect(found).toContain("QueueLong");
    expect(found).not.toContain("HttpHigh");
  });

  test("a target and its job are one hop", () => {
    expect(selected("1+QueueLong")).toEqual(["QueueLong", "backend", "backend/a:1"]);
  });

  test("only excluding begins with everything", () => {
    const found = selected("-kind:alert");
    expect(found).not.toContain("HttpHigh");
    expect(found).toContain("pager");
  });

  test.each([
    ["HttpHihg", "nothing is called `HttpHihg`; did you mean `HttpHigh`?"],
    ["nokey:x", "nothing is called `nokey:x`"],
    ['"open', "a quote is not closed"],
    ["+", '"+" has no name'],
    ["", "nothing is selected"],
  ])("%s is refused in words", (text, message) => {
    expect(() => select(graph, text)).toThrow(new SelectError(message));
  });

  test("every node has a factor that selects it alone", () => {
    for (const node of graph.nodes) {
      expect([...select(graph, factorOf(graph, node))], factorOf(graph, node)).toEqual([node.id]);
    }
  });

  test("names that a pattern could be made of are taken as they are", () => {
    const odd = 'component=~"credits|paid, api"';
    const graph = smallGraph((data) => (data.nodes[11] = { ...data.nodes[11], name: odd }));
    expect([...select(graph, factorOf(graph, graph.nodes[11]))]).toEqual(["route:/"]);
  });

  test("hops are read from both sides", () => {
    expect(parse("2+x+1")[0][0]).toMatchObject({ text: "x", up: 2, down: 1 });
    expect(parse("+x")[0][0]).toMatchObject({ text: "x", up: Infinity, down: 0 });
  });

  test("a name far away is no suggestion", () => {
    expect(nearest("abc", ["http_requests_total"])).toBeUndefined();
  });
});
