// npm run fuzz -- [--seconds N] [--seed S]: runs test/isa/fuzz/main.ts, out of the sources.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const { module } = await runnerImport(join(root, "test/isa/fuzz/main.ts"), {
  root,
  configFile: false,
  logLevel: "warn",
  resolve: { noExternal: ["as-bind"] },
});
process.exitCode = await module.main(process.argv.slice(2));
