/** Servers for the page's tests: the real promflow, and one that only has a graph. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { extname, join } from "node:path";

import type { FlowData } from "../src/lib/graph";

export const ROOT = join(import.meta.dirname, "../..");
const DIST = join(import.meta.dirname, "../dist");
const START_MS = 30_000;

export interface Server {
  url: string;
  stop: () => Promise<void>;
}

export async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, "close");
  return port;
}

/** Starts the binary in the repository's root and waits until it is ready. */
export async function promflow(args: string[], port?: number): Promise<Server> {
  const binary = process.env.PROMFLOW_BIN;
  if (!binary) throw new Error("PROMFLOW_BIN does not name the binary; `cargo test -p promflow-cli --test ui` sets it");
  const address = `127.0.0.1:${port ?? (await freePort())}`;
  const child = spawn(binary, [...args, "--web.listen-address", address], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stdout.on("data", (text: Buffer) => (log += text.toString()));
  child.stderr.on("data", (text: Buffer) => (log += text.toString()));
  const url = `http://${address}`;
  const stop = () => end(child);
  for (const started = Date.now(); Date.now() - started < START_MS; ) {
    if (child.exitCode !== null) throw new Error(`promflow ended:\n${log}`);
    const ready = await fetch(`${url}/-/ready`).then((answer) => answer.ok).catch(() => false);
    if (ready) return { url: `${url}/`, stop };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await stop();
  throw new Error(`promflow is not ready:\n${log}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

/**
 * Serves the built page with a graph that can be changed, and with answers to questions by their route; any other route is
 * absent, as on an older server.
 */
export async function fake(graph: { data: FlowData; answers?: Record<string, object> }): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://x").pathname;
    const data = path === "/api/promflow/v1/flow" ? graph.data : graph.answers?.[path.replace("/api/promflow/v1/", "")];
    if (data) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ status: "success", data }));
      return;
    }
    const file = path === "/" ? "index.html" : path.slice(1);
    readFile(join(DIST, file))
      .then((bytes) => {
        response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
        response.end(bytes);
      })
      .catch(() => {
        response.statusCode = 404;
        response.end();
      });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${port}/`, stop };
}
