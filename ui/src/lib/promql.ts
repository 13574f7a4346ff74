/** The little of PromQL that the page has to see: where a threshold stands. */

/** An expression that is compared with something. */
export interface Comparison {
  left: string;
  operator: string;
  right: string;
}

/**
 * Splits `ratio > 0.05` at its comparison, so that the value can be shown while the alert is quiet.
 *
 * Of operands joined by `and`, `or` or `unless` the first counts. Nothing is found where no comparison stands outside of
 * parentheses, braces and quotes.
 */
export function comparison(expr: string): Comparison | undefined {
  let depth = 0;
  let operator = "";
  let [leftEnd, rightStart, end] = [0, 0, expr.length];
  for (let at = 0; at < end; at += 1) {
    const c = expr[at];
    if (c === '"' || c === "'" || c === "`") {
      at = closing(expr, at);
    } else if (c === "#") {
      const line = expr.indexOf("\n", at);
      at = line < 0 ? expr.length : line;
    } else if ("([{".includes(c)) {
      depth += 1;
    } else if (")]}".includes(c)) {
      depth -= 1;
    } else if (depth === 0) {
      if (/^(and|or|unless)\b/i.test(expr.slice(at, at + 7)) && /[\s)\]}]/.test(expr[at - 1] ?? "")) {
        end = at;
      } else if (operator === "") {
        const found = /^(?:==|!=|>=|<=|>|<)(\s*bool\b)?/.exec(expr.slice(at));
        if (found) {
          operator = found[0].slice(0, found[0].length - (found[1]?.length ?? 0));
          [leftEnd, rightStart] = [at, at + found[0].length];
          at = rightStart - 1;
        }
      }
    }
  }
  const left = expr.slice(0, leftEnd).trim();
  return operator === "" || left === "" ? undefined : { left, operator, right: expr.slice(rightStart, end).trim() };
}

function closing(expr: string, start: number): number {
  for (let at = start + 1; at < expr.length; at += 1) {
    if (expr[at] === "\\" && expr[start] !== "`") at += 1;
    else if (expr[at] === expr[start]) return at;
  }
  return expr.length;
}
