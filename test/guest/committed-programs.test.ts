// The committed programs for guests are what their sources make.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const compiler = `${process.env.RISCV_PREFIX ?? "riscv64-unknown-elf-"}gcc`;
const reason = spawnSync(compiler, ["--version"]).error
  ? `${compiler} is not installed (Debian: gcc-riscv64-unknown-elf)`
  : undefined;
if (reason && !process.env.CI) console.warn(`skipped: ${reason}`);

describe.each(["probe", "workload"])("%s.elf", (name) => {
  const build = fileURLToPath(new URL(`../../bench/${name}/build.mjs`, import.meta.url));

  it("is rebuilt from its sources byte for byte", { timeout: 120_000 }, (context) => {
    if (reason && !process.env.CI) return context.skip(reason);
    const result = spawnSync(process.execPath, [build, "--check"], { encoding: "utf8" });
    expect(result.stderr).toBe("");
    expect(result.stdout).toMatch(new RegExp(`^(${name}\\.elf is what the sources make|other compiler: )`));
    expect(result.status).toBe(0);
  });

  it("refuses an option that it does not know", () => {
    const result = spawnSync(process.execPath, [build, "--chekc"], { encoding: "utf8" });
    expect(result.stderr).toBe(`${name}: unknown option --chekc: the only one is --check\n`);
    expect(result.status).toBe(1);
  });
});
