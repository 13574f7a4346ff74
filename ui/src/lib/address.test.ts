import { describe, expect, test } from "vitest";

import { type Address, START, edgeEnds, edgeId, read, write } from "./address";

describe("address", () => {
  test("a fresh page has a bare address", () => {
    expect(write(START)).toBe("");
    expect(read("")).toEqual(START);
  });

  test("every state comes back from its address", () => {
    const state: Address = {
      selected: "alert:A & B?",
      query: "+A 2+x+1 kind:alert,-severity:critical",
      depth: -1,
      opened: ["fold:alerts/a.yml!", "fold:metrics/app"],
      sinks: true,
      ask: "unread",
      since: "HEAD~3",
      lane: "alerting",
    };
    expect(read(write(state))).toEqual(state);
  });

  test("folds are written in one order, so that one state has one address", () => {
    const at = (opened: string[]) => write({ ...START, opened });
    expect(at(["b", "a"])).toBe(at(["a", "b"]));
  });

  test.each(["?depth=x", "?depth=99", "?depth=-2", "?depth=1.5"])("%s is left out", (search) => {
    expect(read(search).depth).toBe(0);
  });

  test("an edge is named by its ends", () => {
    expect(edgeEnds(edgeId("job:a", "alert:b"))).toEqual(["job:a", "alert:b"]);
    expect(edgeEnds("job:a")).toBeUndefined();
  });
});
