// dtc, the device tree compiler, as the judge of our trees. Where it is missing its tests
// are skipped with the reason; under CI that is a failure.
import { spawnSync } from "node:child_process";

export const DTC_MISSING: string | undefined =
  spawnSync("dtc", ["--version"]).error === undefined
    ? undefined
    : "dtc is not installed (package device-tree-compiler)";

/** The blob as source, and what dtc has against it. */
export function decompile(blob: Uint8Array): { source: string; warnings: string } {
  const { stdout, stderr, status } = spawnSync("dtc", ["-I", "dtb", "-O", "dts", "-"], {
    input: blob,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`dtc: ${stderr}`);
  return { source: stdout, warnings: stderr };
}
