import { defineConfig } from "vitest/config";

/** The tests in Chromium: one test after the other, for two cores. */
export default defineConfig({
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
