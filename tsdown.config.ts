// Bundles of src/: the library for Node and for browsers, with types, and the CLI.
// What is bundled in (as-bind, commander) is a devDependency: the package has no
// dependencies of its own at run time.
import { defineConfig } from "tsdown";

const common = {
  outDir: "dist",
  format: "esm",
  target: "es2022",
  sourcemap: true,
  clean: false,
  hash: false,
  outExtensions: () => ({ js: ".js", dts: ".d.ts" }),
} as const;

export default defineConfig([
  {
    ...common,
    entry: {
      index: "src/index.ts",
      cli: "src/cli/main.ts",
      "guest-worker": "src/platform/node/guest-worker.ts",
      "switch-worker": "src/platform/node/switch-worker.ts",
    },
    platform: "node",
    dts: { entry: "src/index.ts", tsconfig: "src/platform/node/tsconfig.json" },
    tsconfig: "src/platform/node/tsconfig.json",
  },
  {
    ...common,
    entry: {
      browser: "src/browser.ts",
      "browser-guest-worker": "src/platform/browser/guest-worker.ts",
      "browser-switch-worker": "src/platform/browser/switch-worker.ts",
    },
    platform: "browser",
    dts: { entry: "src/browser.ts", tsconfig: "src/platform/browser/tsconfig.json" },
    // Chunks of both worlds lie in one folder.
    outputOptions: { chunkFileNames: "browser-[name].js" },
    tsconfig: "src/platform/browser/tsconfig.json",
  },
]);
