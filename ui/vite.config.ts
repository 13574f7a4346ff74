import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The page's addresses are relative, so that it also works behind a path prefix.
const proxy = { "/api": process.env.PROMFLOW ?? "http://127.0.0.1:9090" };

export default defineConfig({
  base: "./",
  plugins: [svelte()],
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // `PROMFLOW=http://127.0.0.1:9090 npm run dev` works on the page against a running promflow.
  server: { proxy },
  preview: { proxy },
  test: { include: ["src/**/*.test.ts"] },
});
