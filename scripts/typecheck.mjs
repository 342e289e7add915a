// npm run typecheck: each layer against its own idea of the world (see the tsconfigs).
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const PROJECTS = [
  "tsconfig.json",
  "src/platform/node/tsconfig.json",
  "src/platform/browser/tsconfig.json",
  "test/tsconfig.json",
  "bench/tsconfig.json",
];

for (const project of PROJECTS) {
  const { status } = spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", project], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = 1;
}
