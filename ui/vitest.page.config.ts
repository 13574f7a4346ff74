import { defineConfig } from "vitest/config";

/** The tests in Chromium: one file, one browser, one test after the other. */
export default defineConfig({
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
