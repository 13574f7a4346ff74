/** Faults planted in copies of the shipped setup, and what changed since a revision, in real Chromium. */

import { join } from "node:path";

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { axe, complaints, launch, open, shot } from "./browser";
import { type Server, promflow } from "./serve";
import { type Tree, copied, faults, git, plant } from "./trees";

let browser: Browser;

beforeAll(async () => {
  browser = await launch();
});

afterAll(async () => {
  await browser?.close();
  expect(complaints).toEqual([]);
});

function serve(tree: Tree): Promise<Server> {
  return promflow(["serve", "--config.file", join(tree.dir, "monitoring/prometheus.yml"), "--source", tree.dir]);
}

function nodeOf(page: Page, id: string) {
  return page.locator(`.flow .node[data-id=${JSON.stringify(id)}]`);
}

test("nothing is broken in the intact setup", async () => {
  const tree = await copied();
  const server = await serve(tree);
  const page = await open(browser, `${server.url}?ask=wrong`);
  const panel = page.getByRole("complementary");
  await panel.getByRole("heading", { name: "What is wrong" }).waitFor();
  await page.locator(".flow .node").first().waitFor();
  expect(await panel.getByRole("heading", { name: "Broken" }).count()).toBe(0);
  expect(await page.locator(".flow .edge").filter({ has: page.locator(".stop") }).count()).toBe(0);
  await page.context().close();
  await server.stop();
  await tree.remove();
});

for (const fault of await faults()) {
  test(`${fault.fault} is shown with its reason and the nearest name`, async () => {
    const tree = await copied();
    await plant(tree, fault);
    const server = await serve(tree);
    const page = await open(browser, server.url);
    const panel = page.getByRole("complementary");
    await panel.getByRole("heading", { name: "What is wrong" }).waitFor();
    await panel.getByText(fault.reason).first().waitFor();
    await page.locator(`.flow .edge.${fault.state} .stop`).first().waitFor({ state: "attached" });
    const name = fault.fault.replaceAll(" ", "-");
    await shot(page, `planted-${name}`);
    expect(await axe(page)).toEqual([]);

    await page.goto(`${server.url}?sel=${encodeURIComponent(fault.reader)}&depth=1`);
    await panel.getByText(fault.reason).first().waitFor();
    if (fault.nearest) await panel.getByText(`Nearest name: ${fault.nearest}`).first().waitFor();
    expect(await nodeOf(page, fault.reader).count()).toBe(1);
    await shot(page, `planted-${name}-reader`);
    await page.context().close();
    await server.stop();
    await tree.remove();
  });
}

test("what changed since a revision is marked, listed and kept in the address", async () => {
  const tree = await copied();
  git(tree, "init", "-q");
  git(tree, "add", "-A");
  git(tree, "commit", "-qm", "The setup as shipped");
  git(tree, "tag", "shipped");
  const all = await faults();
  const misspelt = all.find((fault) => fault.fault.includes("misspelt"));
  if (!misspelt) throw new Error("planted.json has no misspelt name");
  await plant(tree, misspelt);
  const alerts = "monitoring/rules/alerts.yml";
  const gone = { ...misspelt, file: alerts, from: "      - alert: HttpElevatedErrorRatio", until: "      # One broken endpoint", to: "" };
  await plant(tree, gone);
  const rule = "  - name: added\n    rules:\n      - {alert: AddedAlert, expr: 'job:http_requests:rate5m > 1000', labels: {severity: warning}}\n  - name: http\n";
  await plant(tree, { ...misspelt, file: alerts, from: "  - name: http\n", to: rule });
  git(tree, "commit", "-qam", "Three changes");

  const server = await serve(tree);
  const page = await open(browser, server.url);
  const panel = page.getByRole("complementary");
  await page.getByRole("button", { name: "Changed since…" }).press("Enter");
  await panel.getByRole("button", { name: "Three changes" }).waitFor();
  await shot(page, "since-offers");
  expect(await axe(page)).toEqual([]);
  await panel.getByRole("button", { name: "The setup as shipped" }).press("Enter");
  await panel.getByText(/1 added, \d+ changed, \d+ removed/).waitFor();
  await panel.getByText("`job:http_request:rate5m` is defined nowhere").first().waitFor();
  const signs = new Map([["AddedAlert", "+"], ["HttpElevatedErrorRatio", "−"], ["HttpHighErrorRatio", "~"]]);
  for (const [name, sign] of signs) {
    await nodeOf(page, `alert:${name}`).locator(".sign-text", { hasText: sign }).waitFor();
  }
  expect(await nodeOf(page, "alert:HttpElevatedErrorRatio").getAttribute("aria-label")).toContain("removed since");
  await page.locator(".flow .edge.removed").first().waitFor({ state: "attached" });
  await shot(page, "since-light");
  expect(await axe(page)).toEqual([]);

  expect(page.url()).toContain("since=");
  const address = page.url();
  await page.reload();
  await nodeOf(page, "alert:AddedAlert").locator(".sign-text").waitFor();
  expect(page.url()).toBe(address);
  await nodeOf(page, "alert:HttpElevatedErrorRatio").click();
  await panel.getByText(/^removed since/).waitFor();
  await shot(page, "since-removed");

  const textbox = page.getByRole("combobox", { name: "Revision to compare with" });
  await page.getByRole("button", { name: "Changed since…" }).click();
  await textbox.fill("nowhere");
  await textbox.press("Enter");
  await panel.getByText('git knows no revision "nowhere"').waitFor();
  await textbox.fill("shipped");
  await textbox.press("Enter");
  await panel.getByText(/1 added, \d+ changed, \d+ removed/).waitFor();
  await panel.getByText("promflow flow diff shipped..HEAD").waitFor();
  const dark = await open(browser, page.url(), { scheme: "dark" });
  await nodeOf(dark, "alert:AddedAlert").locator(".sign-text").waitFor();
  await shot(dark, "since-dark");
  expect(await axe(dark)).toEqual([]);
  await dark.context().close();
  const narrow = await open(browser, page.url().replace("ask=changed&", ""), { width: 390, height: 800 });
  await narrow.getByRole("tab", { name: /alerting/ }).click();
  await narrow.getByRole("button", { name: /HttpElevatedErrorRatio.*removed since shipped/ }).waitFor();
  await shot(narrow, "since-narrow");
  await narrow.context().close();
  await page.getByRole("button", { name: "Show everything" }).click();
  await expect.poll(() => page.locator(".flow .sign").count()).toBe(0);
  await page.context().close();
  await server.stop();
  await tree.remove();
});

test("without a repository the control says that there is nothing to compare with", async () => {
  const tree = await copied();
  const server = await serve(tree);
  const page = await open(browser, server.url);
  await page.getByRole("button", { name: "Changed since…" }).click();
  await page.getByRole("complementary").getByText("no git repository holds the configuration").waitFor();
  expect(await page.getByRole("combobox", { name: "Revision to compare with" }).isDisabled()).toBe(true);
  await shot(page, "since-no-repository");
  expect(await axe(page)).toEqual([]);
  await page.context().close();
  await server.stop();
  await tree.remove();
});
