// paravane hypercalls and --policy, as people use them.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { macroName } from "../../src/hypercall/c-header.ts";
import { CALLS } from "../../src/hypercall/catalogue.ts";
import { defineHypercall } from "../../src/hypercall/define-hypercall.ts";
import { hypercallHeader, hypercallStub } from "../../src/hypercall/guest-sources.ts";
import { paravane } from "./cli.ts";

const COMPILER = "riscv64-linux-gnu-gcc";
const hasCompiler = spawnSync(COMPILER, ["--version"]).status === 0;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-hypercalls-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("paravane hypercalls", () => {
  it("prints a line a call", async () => {
    const { status, stdout, stderr } = await paravane("hypercalls");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(1 + CALLS.length);
    expect(stdout).toMatch(
      /^time +0x54494d45 +0 +sbi_set_timer +stime_value: u64 +engine +constant +SBI 2.0, 6 +0.2$/m,
    );
    expect(stdout).toMatch(/^paravane +0xa005056 +0 +paravane_null /m);
  });

  it("gives scripts the same as JSON", async () => {
    const { stdout } = await paravane("hypercalls", "--json");
    expect(JSON.parse(stdout)).toEqual(CALLS);
    const { status, stderr } = await paravane("hypercalls", "--json", "--header");
    expect(status).toBe(2);
    expect(stderr).toMatch(/exclude each other/);
  });

  it.skipIf(!hasCompiler)("gives a guest's programs a C header and an assembly stub that compile", async () => {
    const compile = (source: string, text: string) => {
      writeFileSync(join(folder, source), text);
      execFileSync(COMPILER, ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-c", "-o", "/dev/null", source], {
        cwd: folder,
        stdio: ["ignore", "ignore", "pipe"],
      });
    };
    const roll = defineHypercall({
      eid: 0x0a00_0001,
      fid: 7,
      name: "roll",
      args: { sides: "u32", seed: "buffer-in" },
      handler: () => 0,
    });
    writeFileSync(join(folder, "paravane.h"), hypercallHeader([roll]));
    const checks = [...CALLS, roll.row].map(({ name, eid, fid }) => {
      const macro = macroName(name);
      return `_Static_assert(PARAVANE_EID_${macro} == ${eid}u && PARAVANE_FID_${macro} == ${fid}u, "${name}");`;
    });
    compile(
      "check.c",
      `#include "paravane.h"\n${checks.join("\n")}\n_Static_assert(sizeof(struct paravane_call) == 72, "entry");\n` +
        "long all(void) { return paravane_null().error + paravane_multicall(0, 0, 0).error + paravane_roll(6, 0, 0).error; }\n",
    );
    compile("stub.S", hypercallStub([roll]));
    const printed = [await paravane("hypercalls", "--header"), await paravane("hypercalls", "--stub")];
    expect(printed.map(({ status, stdout }) => [status, stdout])).toEqual([
      [0, hypercallHeader()],
      [0, hypercallStub()],
    ]);
  });
});

describe("--policy", () => {
  const run = (text: string) => {
    const path = join(folder, "policy.json");
    writeFileSync(path, text);
    return paravane("run", "--kernel", "/dev/null", "--policy", path);
  };

  it.each([
    ["{", /policy .*policy\.json is no JSON/],
    ['{"guest": {"cpu": {"cap": 2}}}', /policy: guest\.cpu\.cap is 2: write a number of cores from 0\.01 to 1/],
    ['{"calls": {"deny": ["base"]}}', /./],
  ])("%s is told in one line", async (text, message) => {
    const { status, stdout, stderr } = await run(text);
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("of a file that is not there is told", async () => {
    const { status, stderr } = await paravane("run", "--kernel", "/dev/null", "--policy", join(folder, "none.json"));
    expect(status).toBe(1);
    expect(stderr).toMatch(/policy .*none\.json cannot be read/);
  });
});
