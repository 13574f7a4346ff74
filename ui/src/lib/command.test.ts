import { expect, test } from "vitest";

import { commandFor } from "./command";

const ORIGIN = "http://127.0.0.1:9090";

test("a command names the server, and files only where they are not where the command looks", () => {
  const usual = { "config.file": "./monitoring/prometheus.yml", "alertmanager.config": "./monitoring/alertmanager.yml", source: "." };
  expect(commandFor("feeds", "HttpHigh", usual, ORIGIN)).toBe(`promflow flow feeds HttpHigh --url ${ORIGIN}`);
  const other = { "config.file": "/etc/my files/p.yml", source: "", "alertmanager.config": "am.yml" };
  expect(commandFor("unread", "", other, ORIGIN)).toBe(
    `promflow prune --config.file '/etc/my files/p.yml' --alertmanager.config am.yml --url ${ORIGIN}`,
  );
});

test("what a shell would take apart is quoted", () => {
  expect(commandFor("breaks", "it's $HOME", {}, ORIGIN)).toContain(`'it'\\''s $HOME'`);
  expect(commandFor("changed", "HEAD~3", {}, ORIGIN)).toBe("promflow flow diff 'HEAD~3..HEAD'");
});
