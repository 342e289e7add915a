// Three projects:
//   unit     everything that boots no guest: devices, instructions, images, backends, CLI
//   guest    tests on a booted Debian guest; they share one process, so that a boot serves many files
//   browser  the library in headless Chromium
// Which of them run, and what they need, is decided in scripts/test.mjs.
import { existsSync, readFileSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import type { Plugin } from "vite";
import { configDefaults, defineConfig } from "vitest/config";
import { wispServer } from "./test/browser/wisp-server.ts";

const CHROMIUM = process.env.PARAVANE_CHROMIUM ?? "/usr/bin/chromium";
const BOOTS = "test/guest/boot/**/*.test.ts";
const LONG = "test/**/*.long.test.ts";
const BROWSER = "test/browser/**/*.test.ts";

/** Serves the Debian guest's files, whose paths scripts/test.mjs passes on, to the page. */
function guestFiles(): Plugin {
  return {
    name: "paravane-guest-files",
    configureServer(server) {
      server.middlewares.use("/guest/", (request, response, next) => {
        const guest = JSON.parse(process.env.PARAVANE_TEST_GUEST ?? "{}") as Record<string, unknown>;
        const path = guest[(request.url ?? "").replace(/^\//, "").split("?")[0]];
        if (typeof path !== "string" || !existsSync(path)) return next();
        response.setHeader("Content-Type", "application/octet-stream");
        response.end(readFileSync(path));
      });
    },
  };
}

export default defineConfig({
  test: {
    fileParallelism: false,
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 300_000,
    server: { deps: { inline: ["as-bind"] } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, BOOTS, LONG, BROWSER],
        },
      },
      {
        extends: true,
        test: { name: "guest", include: [BOOTS], exclude: [...configDefaults.exclude, LONG], isolate: false },
      },
      { extends: true, test: { name: "long", include: [LONG], testTimeout: 1_800_000 } },
      {
        extends: true,
        plugins: [guestFiles(), wispServer()],
        server: {
          headers: {
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Embedder-Policy": "require-corp",
          },
        },
        test: {
          name: "browser",
          include: [BROWSER],
          testTimeout: 300_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage"] },
            }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});
