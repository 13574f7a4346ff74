/** The page in real Chromium, on a running promflow. */

import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { large, small } from "../src/lib/testing";
import { axe, complaints, launch, open, shot } from "./browser";
import { ROOT, type Server, fake, freePort, promflow } from "./serve";

let browser: Browser;
let dir: string;

beforeAll(async () => {
  browser = await launch();
  dir = await mkdtemp(join(tmpdir(), "promflow-ui-"));
});

afterAll(async () => {
  await browser?.close();
  await rm(dir, { recursive: true, force: true });
  expect(complaints).toEqual([]);
});

function nodeOf(page: Page, id: string) {
  return page.locator(`.flow .node[data-id=${JSON.stringify(id)}]`);
}

async function nodeIds(page: Page): Promise<string[]> {
  return page.locator(".flow .node").evaluateAll((nodes) => nodes.map((node) => node.getAttribute("data-id") ?? ""));
}

/** Where everything stands, as far as live data must not move it. */
async function places(page: Page): Promise<string[]> {
  return page.locator(".flow .body, .flow .edge .line").evaluateAll((all) =>
    all.map((one) => one.getAttribute("d") ?? ["x", "y", "width"].map((name) => one.getAttribute(name)).join()),
  );
}

/** Waits for the next answer of the server to be drawn. */
async function nextTick(page: Page): Promise<void> {
  await page.waitForResponse((response) => response.url().endsWith("/api/promflow/v1/flow"));
  await page.waitForTimeout(50);
}

describe("a running system", () => {
  let server: Server;
  beforeAll(async () => {
    server = await promflow(["up"]);
  });
  afterAll(() => server?.stop());

  test("from the chart to the alert, its expression, what feeds it, and back", async () => {
    const page = await open(browser, server.url);
    await nodeOf(page, "job:backend").waitFor();
    const took = await page.evaluate(() => performance.now());
    const sent = await page.evaluate(() =>
      performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
        .filter((entry) => !entry.name.includes("/api/"))
        .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0),
    );
    console.log(`the first chart stood ${Math.round(took)} ms after navigation; the page is ${sent} bytes on the wire`);
    for (const lane of ["code", "exposure", "scraping", "recording", "alerting", "delivery"]) {
      await page.locator(".flow .heading", { hasText: lane }).waitFor();
    }
    await page.locator(".flow .edge.alive").first().waitFor({ state: "attached" });
    await shot(page, "up-light");
    expect(await axe(page)).toEqual([]);

    const fold = page.locator('.flow .node[data-id^="fold:alerts/"]').filter({ hasText: "credits" }).first();
    await fold.click();
    await page.getByRole("complementary").getByText("folded together").waitFor();
    await page.getByRole("button", { name: "Open in the chart" }).click();
    await nodeOf(page, "alert:HttpHighErrorRatio").or(nodeOf(page, "alert:CreditsAccountsLow")).first().waitFor();
    await page.getByRole("button", { name: "Show everything" }).click();

    await page.keyboard.press("/");
    await page.keyboard.type("HttpHighError");
    await page.getByRole("option").first().waitFor();
    await page.keyboard.press("Enter");
    const panel = page.getByRole("complementary");
    await panel.getByRole("heading", { name: "HttpHighErrorRatio" }).waitFor();
    await panel.getByText("monitoring/rules/alerts.yml:").waitFor();
    await panel.getByRole("heading", { name: "Value now" }).waitFor();
    await panel.getByText("fires when > 0.05").waitFor();
    await panel.getByRole("link", { name: "Runbook" }).waitFor();
    await expect.poll(() => page.locator(".flow .node").evaluateAll((all) => {
      const room = document.querySelector(".chart")?.getBoundingClientRect().right ?? 0;
      return all.every((one) => one.getBoundingClientRect().right <= room);
    })).toBe(true);
    expect(page.url()).toContain("sel=alert%3AHttpHighErrorRatio");
    expect(await nodeIds(page)).toContain("alert:HttpHighErrorRatio");
    await shot(page, "up-selected");

    await panel.getByRole("button", { name: "What feeds it" }).click();
    await panel.getByRole("heading", { name: "Defined in code" }).waitFor();
    await panel.getByText(/^promflow flow feeds HttpHighErrorRatio/).waitFor();
    await nodeOf(page, "definition:promflow/http_requests_total").waitFor();
    const upstream = await nodeIds(page);
    expect(upstream).toContain("job:backend");
    expect(upstream.some((id) => id.startsWith("receiver:"))).toBe(false);
    const address = page.url();
    await page.reload();
    await nodeOf(page, "definition:promflow/http_requests_total").waitFor();
    expect(await nodeIds(page)).toEqual(upstream);
    expect(page.url()).toBe(address);
    await page.goBack();
    await nodeOf(page, "receiver:oncall-pager").or(nodeOf(page, "route:/1")).first().waitFor();

    await page.getByRole("button", { name: "What breaks without it" }).click();
    await nodeOf(page, "receiver:oncall-pager").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await expect.poll(() => page.url()).toBe(server.url);
    await page.context().close();
  });

  test("pointing lights a path, and nothing moves while values change", async () => {
    const page = await open(browser, server.url, { scheme: "dark" });
    await nodeOf(page, "job:backend").waitFor();
    const before = await places(page);
    await nodeOf(page, "job:backend").hover();
    await page.locator(".flow .node.dim").first().waitFor();
    expect(await nodeOf(page, "endpoint:backend/backend").getAttribute("class")).not.toContain("dim");
    expect(await nodeOf(page, "job:pulsar").getAttribute("class")).toContain("dim");
    await page.mouse.move(5, 300);
    await expect.poll(() => page.locator(".flow .node.dim").count()).toBe(0);
    await nextTick(page);
    await nextTick(page);
    expect(await places(page)).toEqual(before);
    await shot(page, "up-dark");
    expect(await axe(page)).toEqual([]);
    await page.context().close();
  });

  test("a job shows its targets, and the depth around it", async () => {
    const page = await open(browser, `${server.url}?sel=job:backend`);
    const panel = page.getByRole("complementary");
    await panel.getByRole("link", { name: /^127\.0\.0\.1:/ }).waitFor();
    const whole = (await nodeIds(page)).length;
    await page.getByRole("slider").fill("1");
    await expect.poll(async () => (await nodeIds(page)).length).toBeLessThan(whole);
    expect(page.url()).toContain("depth=1");
    expect(await nodeIds(page)).not.toContain("job:pulsar");
    expect(await axe(page)).toEqual([]);
    await page.context().close();
  });

  test("questions, selections and keys work without a mouse", async () => {
    const page = await open(browser, server.url);
    await nodeOf(page, "job:backend").waitFor();
    await page.getByRole("button", { name: "Read by nobody" }).press("Enter");
    await page.getByRole("complementary").getByRole("heading", { name: "Read by nobody" }).waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");

    await page.keyboard.press("/");
    await page.keyboard.type("kind:alert,severity:critical -group:http");
    await page.getByRole("option", { name: /Show only/ }).waitFor();
    await page.keyboard.press("Enter");
    await expect.poll(async () => (await nodeIds(page)).every((id) => id.includes("alert"))).toBe(true);
    await page.keyboard.press("/");
    await page.keyboard.type("HttpHihg");
    await page.getByText("nothing is called").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Escape");
    await nodeOf(page, "job:backend").waitFor();

    await nodeOf(page, "job:backend").focus();
    await page.keyboard.press("ArrowRight");
    const right = await page.evaluate(() => document.activeElement?.getAttribute("data-id") ?? "");
    expect(right).toMatch(/^(fold:recordings|fold:alerts|recording:|alert:)/);
    await page.keyboard.press("ArrowLeft");
    expect(await page.evaluate(() => document.activeElement?.getAttribute("data-id"))).toMatch(/^job:/);
    await page.keyboard.press("Enter");
    await page.getByRole("complementary").waitFor();
    await page.keyboard.press("f");
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    expect(await axe(page)).toEqual([]);
    await page.context().close();
  });

  test("a narrow screen shows one lane at a time", async () => {
    const page = await open(browser, server.url, { width: 390, height: 800 });
    await page.getByRole("tab", { name: /alerting/ }).click();
    await page.getByRole("button", { name: /HttpHighErrorRatio/ }).click();
    await page.getByRole("complementary").getByRole("heading", { name: "HttpHighErrorRatio" }).waitFor();
    await page.getByRole("complementary").getByRole("heading", { name: "Value now" }).waitFor();
    await shot(page, "narrow-panel");
    await page.getByRole("button", { name: "Close the panel" }).click();
    await page.getByRole("tab", { name: /alerting/ }).press("ArrowRight");
    expect(await page.getByRole("tab", { name: /delivery/ }).getAttribute("aria-selected")).toBe("true");
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await shot(page, "narrow");
    expect(await axe(page)).toEqual([]);
    await page.context().close();
  });
});

test("an empty system says what to do", async () => {
  const config = join(dir, "empty.yml");
  await writeFile(config, "global: {}\n");
  const server = await promflow(["serve", "--config.file", config]);
  const page = await open(browser, server.url);
  await page.getByRole("heading", { name: "Nothing to draw yet" }).waitFor();
  await shot(page, "empty");
  expect(await axe(page)).toEqual([]);
  await page.context().close();
  await server.stop();
});

test("a misspelt name in a real rule is shown with its place and the nearest name", async () => {
  const monitoring = join(dir, "monitoring");
  await cp(join(ROOT, "monitoring"), monitoring, { recursive: true });
  const rule = "groups: [{name: planted, rules: [{alert: Planted, expr: 'sum(rate(http_request_total[5m])) > 1'}]}]\n";
  await writeFile(join(monitoring, "rules/planted.yml"), rule);
  const config = join(monitoring, "prometheus.yml");
  const server = await promflow(["serve", "--config.file", config, "--source", ROOT]);
  const page = await open(browser, server.url);
  const panel = page.getByRole("complementary");
  await panel.getByRole("heading", { name: "What is wrong" }).waitFor();
  await panel.getByText("`http_request_total` is defined nowhere").first().waitFor();
  await panel.getByText("http_requests_total").first().waitFor();
  await nodeOf(page, "alert:Planted").click();
  await panel.getByText("Nearest name: http_requests_total").waitFor();
  await shot(page, "planted");
  expect(await axe(page)).toEqual([]);
  await page.context().close();
  await server.stop();
});

test("when the server goes away the last state stays, and it comes back by itself", async () => {
  const port = await freePort();
  const config = join(dir, "self.yml");
  await writeFile(config, `scrape_configs: [{job_name: self, scrape_interval: 1s, static_configs: [{targets: ['127.0.0.1:${port}']}]}]\n`);
  let server = await promflow(["serve", "--config.file", config], port);
  const page = await open(browser, server.url);
  await nodeOf(page, "job:self").waitFor();
  await server.stop();
  await page.getByRole("alert").getByText("has not answered since").waitFor();
  expect(await nodeIds(page)).toContain("job:self");
  await shot(page, "gone");
  expect(await axe(page)).toEqual([]);
  server = await promflow(["serve", "--config.file", config], port);
  await page.getByRole("alert").waitFor({ state: "detached" });
  await page.context().close();
  await server.stop();
});

test("what is broken is said at once, with its reason and the nearest name", async () => {
  const server = await fake({ data: small() });
  const page = await open(browser, server.url);
  const panel = page.getByRole("complementary");
  await panel.getByText("`http_request_total` is defined nowhere").waitFor();
  await page.locator(".flow .edge.never_seen .stop").waitFor({ state: "attached" });
  await panel.getByRole("button", { name: "Misspelt" }).click();
  await panel.getByText("Nearest name: http_requests_total").waitFor();
  await shot(page, "broken");
  await page.keyboard.press("Escape");
  // This server has no routes for questions: the graph at hand answers.
  await page.getByRole("button", { name: "Read, never written" }).click();
  await panel.getByRole("button", { name: "http_request_total" }).waitFor();
  expect(await axe(page)).toEqual([]);
  await page.context().close();
  await server.stop();
});

test("questions are answered with places, blast radius and trend", async () => {
  const at = { file: "app/src/main.rs", line: 7 };
  const alert = { id: "alert:HttpHigh", name: "HttpHigh", file: "rules/http.yml", line: 3, severity: "critical" };
  const answers = {
    "flow/prune": {
      unread: [{ id: "definition:unused_total", name: "unused_total", type: "counter", series: 12, ...at }],
      drops: [{ job: "backend", metrics: ["unused_total"], yaml: "metric_relabel_configs:\n  - action: drop\n" }],
      deadAlerts: [{ ...alert, causes: [{ state: "never_seen", via: "http_request_total", reason: "defined nowhere" }] }],
      noHelp: [],
    },
    "flow/breaks": {
      kinds: ["definition"],
      recordings: [],
      alerts: [{ ...alert, via: ["http_requests_total"], direct: false, receivers: ["pager"] }],
      dashboards: [],
      receivers: [{ id: "receiver:pager", name: "pager", channels: ["webhook"], alerts: ["HttpHigh"] }],
    },
    cardinality: {
      series: 5310,
      seriesHourAgo: 5000,
      metrics: [{ name: "http_requests_total", series: 1200, share: 0.226 }],
      jobs: [],
      labels: [{ metric: "http_requests_total", label: "endpoint", values: 210, series: 1200, examples: ["/a", "/b"] }],
      blowups: [{ metric: "http_requests_total", label: "user_id", reason: "900 values on 900 series" }],
      limits: [{ job: "backend", sampleLimit: 1500, yaml: "sample_limit: 1500", reason: "largest target has 700 samples" }],
    },
  };
  const server = await fake({ data: small(), answers });
  const page = await open(browser, `${server.url}?sel=definition:http_requests_total`);
  const panel = page.getByRole("complementary");
  let asked = 0;
  page.on("request", (request) => (asked += Number(request.url().includes("flow/breaks"))));
  await panel.getByRole("button", { name: "What breaks without it" }).click();
  await panel.getByText("tells pager").waitFor();
  await nodeOf(page, "receiver:pager").waitFor();
  await nextTick(page);
  expect(await panel.getByText("tells pager").isVisible()).toBe(true);
  expect(asked, "an answer is not fetched again with every refresh").toBe(1);
  await page.getByRole("button", { name: "Read by nobody" }).click();
  await panel.getByText("12 series").waitFor();
  await panel.getByText("src/main.rs:7").waitFor();
  await panel.getByText("metric_relabel_configs").waitFor();
  await panel.getByRole("button", { name: "Copy the rule for job backend" }).click();
  await panel.getByRole("status").filter({ hasText: /Copied|Selected/ }).first().waitFor();
  await page.getByRole("button", { name: "No help" }).click();
  await panel.getByText("every metric has a help text").waitFor();
  await page.getByRole("button", { name: "Cannot fire" }).click();
  await panel.getByText("defined nowhere").waitFor();
  await page.getByRole("button", { name: "Series" }).click();
  await panel.getByText("+6.2 % in 1 h").waitFor();
  await panel.getByText("sample_limit: 1500").waitFor();
  await shot(page, "cardinality");
  expect(await axe(page)).toEqual([]);
  await page.context().close();
  await server.stop();
});

test("a large system opens folded on what is wrong, and news inside folds are offered", async () => {
  const graph = { data: large() };
  const server = await fake(graph);
  const page = await open(browser, server.url);
  await nodeOf(page, "alert:Bad0").waitFor();
  const took = await page.evaluate(() => performance.now());
  console.log(`${graph.data.nodes.length} nodes and ${graph.data.edges.length} edges stood after ${Math.round(took)} ms`);
  const ids = await nodeIds(page);
  expect(ids.length).toBeLessThanOrEqual(80);
  expect(ids).toContain("alert:A0x0");
  await shot(page, "large");
  expect(await axe(page)).toEqual([]);
  const before = await places(page);

  const data = large();
  for (const node of data.nodes) if (node.id === "alert:A1x3") Object.assign(node, { state: "firing", active: 1 });
  graph.data = data;
  await page.getByRole("button", { name: "1 newly wrong inside folds: show" }).waitFor();
  expect(await places(page)).toEqual(before);
  await page.getByRole("button", { name: "1 newly wrong inside folds: show" }).click();
  await nodeOf(page, "alert:A1x3").waitFor();

  await page.keyboard.press("/");
  await page.keyboard.type("s3_m4_total");
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("Enter");
  await nodeOf(page, "definition:s3_m4_total").waitFor();
  expect((await nodeIds(page)).length).toBeLessThan(10);
  expect(page.url()).toContain("depth=1");
  await page.getByRole("slider").fill("6");
  await nodeOf(page, "receiver:pager").waitFor();
  await shot(page, "large-depth");
  await page.context().close();
  await server.stop();
});
