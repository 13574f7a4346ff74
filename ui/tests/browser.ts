/** Chromium, and what is checked on every page. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";

import { type Browser, type Page, chromium } from "playwright-core";

const require = createRequire(import.meta.url);
const AXE = require.resolve("axe-core/axe.min.js");
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** How long a test waits for what has to come. */
const WAIT_MS = 20_000;

export async function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? CHROMIUM.find((path) => existsSync(path));
  if (!executablePath) throw new Error("Chromium is missing: install the Debian package chromium");
  // A container has no user namespaces for Chromium's own sandbox.
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}

export interface Look {
  scheme?: "light" | "dark";
  width?: number;
  height?: number;
}

/** What the browser complained about, but for requests that were refused: a missing route is no fault of the page. */
export const complaints: string[] = [];

export async function open(browser: Browser, url: string, look: Look = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
    colorScheme: look.scheme ?? "light",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("pageerror", (error) => complaints.push(`${error.message}\n${error.stack ?? ""}`));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !text.startsWith("Failed to load resource")) complaints.push(text);
  });
  await page.goto(url);
  return page;
}

interface Violation {
  id: string;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** Returns what axe finds, in words. */
export async function axe(page: Page): Promise<string[]> {
  await page.evaluate(await source());
  const violations = await page.evaluate(async () => {
    const runner = (globalThis as unknown as { axe: { run: (options: object) => Promise<{ violations: Violation[] }> } }).axe;
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    // An experimental rule of axe, which takes the lines of an SVG node for one word; the name holds the first of them.
    const rules = { "label-content-name-mismatch": { enabled: false } };
    return (await runner.run({ runOnly: { type: "tag", values: tags }, rules })).violations;
  });
  return violations.map((found) => {
    const places = found.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 200)}\n    ${node.failureSummary ?? ""}`);
    return `${found.id}: ${found.help}\n  ${places.join("\n  ")}`;
  });
}

let text: string | undefined;
async function source(): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  text ??= await readFile(AXE, "utf8");
  return text;
}

/** Keeps a picture where `SHOTS` names a directory: for who wants to look. */
export async function shot(page: Page, name: string): Promise<void> {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
}
