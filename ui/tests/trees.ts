/** Copies of the shipped setup, with faults planted in them. */

import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { ROOT } from "./serve";

/** What the chart is drawn from. */
const PARTS = ["monitoring", "examples", "crates", "Cargo.toml"];
const LEFT_OUT = new Set(["target", "node_modules", "dist", "tests", "docs"]);

/** A fault of `planted.json`, which the tests of the API plant too. */
export interface Fault {
  fault: string;
  file: string;
  /** The text that is replaced, up to `until` where that is named. */
  from: string;
  until?: string;
  to: string;
  state: string;
  reason: string;
  nearest: string;
  /** The node that reads in vain. */
  reader: string;
}

export interface Tree {
  dir: string;
  remove: () => Promise<void>;
}

export async function copied(): Promise<Tree> {
  const dir = await mkdtemp(join(tmpdir(), "promflow-tree-"));
  for (const part of PARTS) {
    await cp(join(ROOT, part), join(dir, part), { recursive: true, filter: (from) => !LEFT_OUT.has(basename(from)) });
  }
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) };
}

export async function faults(): Promise<Fault[]> {
  return JSON.parse(await readFile(join(import.meta.dirname, "planted.json"), "utf8")) as Fault[];
}

export async function plant(tree: Tree, fault: Fault): Promise<void> {
  const path = join(tree.dir, fault.file);
  const text = await readFile(path, "utf8");
  const start = text.indexOf(fault.from);
  const end = fault.until === undefined ? start + fault.from.length : text.indexOf(fault.until, start);
  if (start < 0 || end < 0) throw new Error(`${fault.file} has no ${JSON.stringify(fault.from)}`);
  await writeFile(path, text.slice(0, start) + fault.to + text.slice(end));
}

/** Runs git in a tree. */
export function git(tree: Tree, ...args: string[]): void {
  execFileSync("git", ["-c", "user.name=Test", "-c", "user.email=test@localhost", ...args], { cwd: tree.dir, stdio: "pipe" });
}
