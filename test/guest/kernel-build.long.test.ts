// A kernel's build, with Debian's source and the real compiler: it is interrupted and killed, and each time the
// next one goes on where it ended. (That a build comes to its end, and what it made, is seen in
// boot/kernels.long.test.ts, by whoever builds one.)
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { collect, start } from "../cli/cli.ts";

const HAS_COMPILER =
  spawnSync("sh", ["-c", "command -v riscv64-linux-gnu-gcc && command -v flex && command -v bison"]).status === 0;
const cache = mkdtempSync(join(tmpdir(), "paravane-kernel-"));
const folder = join(cache, "debian", "trixie-kernel-small");
afterAll(() => rmSync(cache, { recursive: true, force: true }));

/** Starts a build, ends it with `signal` once it has said something that fits `until`, and returns what became of it. */
async function buildUntil(until: RegExp, signal: NodeJS.Signals) {
  const child = start(["guest", "kernel", "--config", "small"], { env: { PARAVANE_CACHE: cache } });
  const ended = collect(child);
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
    if (until.test(said)) child.kill(signal);
  });
  return ended;
}

it.skipIf(!HAS_COMPILER)("goes on after it was interrupted, and after it was killed", async () => {
  const first = await buildUntil(/compiled 100 of/, "SIGINT");
  expect(first).toMatchObject({ status: 130, stdout: "" });
  expect(first.stderr).toMatch(/unpacking linux-source-6\.12\n/);
  expect(first.stderr).toMatch(/paravane: stopped: the same command goes on with what is compiled\n$/);
  expect(existsSync(join(folder, "lock"))).toBe(false);

  const second = await buildUntil(/compiled [23]\d\d of/, "SIGKILL");
  expect(second).toMatchObject({ status: null, stdout: "" });
  expect(second.stderr).toMatch(/going on with linux-source-6\.12 \S+ where the last build ended\n/);
  expect(second.stderr).not.toMatch(/unpacking/);
  const done = Number(/many minutes; (\d+) are done\n/.exec(second.stderr)?.[1]);
  expect(done).toBeGreaterThanOrEqual(95);

  const third = await buildUntil(/are done\n/, "SIGINT");
  expect(third).toMatchObject({ status: 130, stdout: "" });
  expect(Number(/many minutes; (\d+) are done\n/.exec(third.stderr)?.[1])).toBeGreaterThan(done);
  // What the killed one left lying about is gone.
  const left = readdirSync(folder).filter((name) => name !== "kept" && !name.startsWith("building-"));
  expect(left).toEqual([]);
});
