import { expect, test } from "vitest";

import { comparison } from "./promql";

test.each([
  ["up == 0", "up", "==", "0"],
  ["a:ratio > 0.05\n  and job:rate5m > 0.1", "a:ratio", ">", "0.05"],
  ['sum(rate(x{a=~"b>c"}[5m])) by (job) >= bool 3', 'sum(rate(x{a=~"b>c"}[5m])) by (job)', ">=", "3"],
  ["(a > 1) / b < 2 unless c", "(a > 1) / b", "<", "2"],
  ["operand > 1", "operand", ">", "1"],
  ["a != b # and c > 2", "a", "!=", "b # and c > 2"],
])("%s is split at its threshold", (expr, left, operator, right) => {
  expect(comparison(expr)).toEqual({ left, operator, right });
});

test.each(["absent(up)", "vector(1)", 'x{a!="b"}', "a and b > 1", "(a > 1)"])("%s has none", (expr) => {
  expect(comparison(expr)).toBeUndefined();
});
