/** Graphs for tests: a small one with all that can be wrong, and large ones. */

import { type Edge, type FlowData, Graph, type Node } from "./graph";

type Loose<T, K extends keyof T> = Partial<T> & Pick<T, K>;

const LANE_OF: Record<Node["kind"], Node["lane"]> = {
  definition: "code",
  library: "exposure",
  exporter: "exposure",
  endpoint: "exposure",
  target: "scraping",
  job: "scraping",
  recording: "recording",
  alert: "alerting",
  route: "delivery",
  receiver: "delivery",
  dashboard: "delivery",
  runbook: "delivery",
};

export function node(given: Loose<Node, "kind" | "name">): Node {
  return { id: `${given.kind}:${given.name}`, lane: LANE_OF[given.kind], ...given };
}

export function edge(from: string, to: string, given: Partial<Edge> = {}): Edge {
  return { from, to, via: "", metrics: [], state: "defined", ...given };
}

/** Two metrics, read by a rule, two alerts and a misspelt one. */
export function small(): FlowData {
  const http = { metrics: ["http_requests_total"] };
  const queue = { metrics: ["queue_size"] };
  const both = { metrics: ["http_requests_total", "queue_size"] };
  return {
    nodes: [
      node({ kind: "definition", name: "http_requests_total", existence: "code", package: "app", help: "Requests.", labelNames: ["status"] }),
      node({ kind: "definition", name: "queue_size", existence: "code", package: "app" }),
      node({ kind: "definition", name: "unused_total", existence: "code", package: "app", help: "Nothing.", unread: true }),
      node({ kind: "definition", name: "http_request_total", existence: "nowhere" }),
      node({ kind: "endpoint", name: "app", package: "app" }),
      node({ kind: "job", name: "backend", targets: 1, targetsUp: 1 }),
      node({ kind: "target", name: "a:1", id: "target:backend/a:1", group: "backend", job: "backend", up: true }),
      node({ kind: "recording", name: "job:http_requests:rate5m", group: "http", expr: "rate(http_requests_total[5m])", healthy: true }),
      node({ kind: "alert", name: "HttpHigh", group: "http", labels: { severity: "critical", team: "web" }, severity: "critical", state: "firing" }),
      node({ kind: "alert", name: "QueueLong", group: "queue", labels: { severity: "warning" }, severity: "warning", state: "inactive" }),
      node({ kind: "alert", name: "Misspelt", group: "http", labels: { severity: "critical" }, severity: "critical", cannotFire: true }),
      node({ kind: "route", name: "default route", id: "route:/" }),
      node({ kind: "receiver", name: "pager" }),
      node({ kind: "runbook", name: "HttpHigh.md", url: "https://x.invalid/HttpHigh.md" }),
    ],
    edges: [
      edge("definition:http_requests_total", "endpoint:app", http),
      edge("definition:queue_size", "endpoint:app", queue),
      edge("definition:unused_total", "endpoint:app", { metrics: ["unused_total"] }),
      edge("endpoint:app", "target:backend/a:1", both),
      edge("target:backend/a:1", "job:backend", both),
      edge("job:backend", "recording:job:http_requests:rate5m", { ...http, via: "http_requests_total", state: "alive", samplesPerSecond: 12 }),
      edge("recording:job:http_requests:rate5m", "alert:HttpHigh", { metrics: ["job:http_requests:rate5m"] }),
      edge("job:backend", "alert:QueueLong", { ...queue, via: "queue_size" }),
      edge("definition:http_request_total", "alert:Misspelt", {
        metrics: ["http_request_total"],
        via: "http_request_total",
        state: "never_seen",
        reason: "`http_request_total` is defined nowhere",
        nearest: "http_requests_total",
      }),
      edge("alert:HttpHigh", "route:/", { alerts: ["HttpHigh"] }),
      edge("alert:QueueLong", "route:/", { alerts: ["QueueLong"] }),
      edge("alert:Misspelt", "route:/", { alerts: ["Misspelt"] }),
      edge("route:/", "receiver:pager", { alerts: ["HttpHigh", "QueueLong", "Misspelt"] }),
      edge("alert:HttpHigh", "runbook:HttpHigh.md", { alerts: ["HttpHigh"] }),
    ],
  };
}

export function smallGraph(change: (data: FlowData) => void = () => {}): Graph {
  const data = small();
  change(data);
  return new Graph(data);
}

/** 100 targets, 1,000 metrics and 500 rules in 20 services, one misspelt alert and one that fires in every fifth. */
export function large(services = 20): FlowData {
  const nodes: Node[] = [node({ kind: "receiver", name: "pager" }), node({ kind: "route", name: "default route", id: "route:/" })];
  const edges: Edge[] = [];
  const alerts: string[] = [];
  for (let s = 0; s < services; s += 1) {
    const service = `s${s}`;
    nodes.push(node({ kind: "endpoint", name: service, package: service }), node({ kind: "job", name: service, targets: 5, targetsUp: s % 7 === 0 ? 4 : 5 }));
    const metrics = Array.from({ length: 50 }, (_, m) => `${service}_m${m}_total`);
    for (const name of metrics) {
      nodes.push(node({ kind: "definition", name, existence: "code", package: service, group: service, file: `${service}/src/main.rs`, line: 7, help: "h", series: 3 }));
      edges.push(edge(`definition:${name}`, `endpoint:${service}`, { metrics: [name], state: "alive" }));
    }
    for (let t = 0; t < 5; t += 1) {
      const id = `target:${service}/host${t}`;
      nodes.push(node({ kind: "target", name: `host${t}`, id, group: service, job: service, up: !(s % 7 === 0 && t === 0) }));
      edges.push(edge(`endpoint:${service}`, id, { metrics, state: "alive" }), edge(id, `job:${service}`, { metrics, state: "alive" }));
    }
    for (let r = 0; r < 12; r += 1) {
      const record = `job:${service}_m${r}:rate5m`;
      const alert = `A${s}x${r}`;
      const group = `g${s}`;
      nodes.push(node({ kind: "recording", name: record, group, file: `rules/${service}.yml`, expr: `rate(${metrics[r]}[5m])`, healthy: true, intervalMs: 15_000 }));
      nodes.push(
        node({
          kind: "alert",
          name: alert,
          group,
          file: `rules/${service}.yml`,
          expr: `${record} > 1`,
          severity: "warning",
          labels: { severity: "warning" },
          healthy: true,
          state: s % 5 === 0 && r === 0 ? "firing" : "inactive",
          active: s % 5 === 0 && r === 0 ? 2 : 0,
        }),
      );
      edges.push(edge(`job:${service}`, `recording:${record}`, { metrics: [metrics[r]], via: metrics[r], function: "rate 5m", state: "alive", samplesPerSecond: 5 }));
      edges.push(edge(`recording:${record}`, `alert:${alert}`, { metrics: [record], via: record, state: "alive" }));
      edges.push(edge(`alert:${alert}`, "route:/", { alerts: [alert] }));
      alerts.push(alert);
    }
    const wrong = `${service}_m7_totl`;
    if (s % 5 !== 0) continue;
    nodes.push(node({ kind: "definition", name: wrong, existence: "nowhere" }), node({ kind: "alert", name: `Bad${s}`, group: `g${s}`, severity: "critical", labels: { severity: "critical" } }));
    edges.push(
      edge(`definition:${wrong}`, `alert:Bad${s}`, {
        metrics: [wrong],
        via: wrong,
        state: "never_seen",
        reason: `\`${wrong}\` is defined nowhere; \`${service}_m7_total\` in \`${service}/src/main.rs:7\` is one letter away`,
        nearest: `${service}_m7_total`,
      }),
      edge(`alert:Bad${s}`, "route:/", { alerts: [`Bad${s}`] }),
    );
  }
  edges.push(edge("route:/", "receiver:pager", { alerts }));
  return { nodes, edges };
}
