// npm run bench [-- NAME...] [--quick] [--json F]: runs bench/main.ts, out of the sources.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runnerImport } from "vite";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  const { module } = await runnerImport(join(root, "bench/main.ts"), {
    root,
    configFile: false,
    logLevel: "warn",
    resolve: { noExternal: ["as-bind"] },
  });
  // A missed mark is a finding, not a failure: machines differ.
  await module.main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
