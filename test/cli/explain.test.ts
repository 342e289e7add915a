// paravane explain on a bare-metal program with symbols: tables, one symbol, JSON, mistakes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { paravane } from "./cli.ts";

/** Sixty million instructions of a loop that asks the UART for its line status and for pending interrupts now and then, then power-off. */
const SOURCE = `
  .globl _start
_start:
  li t2, 0x10000005
  li s0, 10000000
  .type sum, @function
sum:
  addi a0, a0, 3
  xor a1, a1, a0
  addi s0, s0, -1
  slli t1, s0, 54
  bnez t1, 1f
  csrr t3, sip
  lbu t0, 0(t2)
1: bnez s0, sum
  .type finish, @function
finish:
  li a7, 0x53525354
  li a6, 0
  li a0, 0
  li a1, 0
  ecall
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-explain-"));
  writeFileSync(join(folder, "sum.S"), SOURCE);
  writeFileSync(join(folder, "spin.S"), SOURCE.replace("ecall", "j ."));
  const options = ["-march=rv64i_zicsr", "-mabi=lp64", "-nostdlib", "-Wl,-Ttext=0x80200000", "-Wl,--build-id=none"];
  for (const name of ["sum", "spin"]) {
    execFileSync("riscv64-unknown-elf-gcc", [...options, `${name}.S`, "-o", `${name}.elf`], { cwd: folder });
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const explain = (...args: string[]) =>
  paravane("explain", ...args, "--kernel", join(folder, "sum.elf"), "--clock", "virtual");

describe("explain", () => {
  it("lists the regions in which most was done", async () => {
    const { status, stdout, stderr } = await explain();
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^\d+ regions, \d+ in force; \d+ bytes of Wasm; 9\d\.\d % of \d+ instructions in them\n/);
    expect(stdout).toMatch(/ S 0x8020[0-9a-f]{4} <sum[^>]*>\n/);
    expect(stdout).toMatch(/left to the interpreter, by instruction\n {2}\d+ {2}lbu\n/);
  });

  it("tells all of the regions at a symbol", async () => {
    const { status, stdout } = await explain("sum");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^region 0x8020[0-9a-f]{4} <sum[^>]*>, mode S, live\n/m);
    expect(stdout).toMatch(/^ +\d+ {2}done by the engine at 0x8020[0-9a-f]{4}: csrrs t3, sip, zero$/m);
    expect(stdout).toMatch(
      /^ {2}block 0x8020[0-9a-f]{4} <sum>, (loop, )?\d+ times\n {4}8020[0-9a-f]{4} {2}0035\w+ {2}addi a0, a0, 3\n/m,
    );
    expect(stdout).toMatch(/^ +\d+ {2}left to the interpreter at 0x8020[0-9a-f]{4}: lbu t0, 0\(t2\)$/m);
    expect(stdout).toMatch(
      /^ +;; 8020[0-9a-f]{4} {2}xor a1, a1, a0\n +local\.get \$a1\n +local\.get \$a0\n +i64\.xor\n/m,
    );
    expect(stdout).toMatch(/^ +;; interpreter: \d+$/m);
    // Nothing of what counts is left.
    expect(stdout).not.toMatch(/offset=\d{6}/);
  });

  it("adds up: what was entered was left, and blocks are no more than the guest did", async () => {
    const { stdout } = await explain("--json");
    const { status, instructions, regions } = JSON.parse(stdout);
    expect(status).toBe(0);
    const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);
    const steps = sum(regions.map(({ steps }: { steps: number }) => steps));
    expect(steps).toBeGreaterThan(instructions * 0.9);
    expect(steps).toBeLessThanOrEqual(instructions);
    for (const { runs, exits } of regions) expect(sum(exits.map(({ count }: { count: number }) => count))).toBe(runs);
  });

  it("gives blocks and Wasm of one region as JSON", async () => {
    const { regions } = JSON.parse((await explain("sum+0x4", "--json")).stdout);
    expect(regions.length).toBeGreaterThan(0);
    expect(regions[0]).toMatchObject({ mode: "S", flags: [], pages: [{ virtual: "0x80200000" }] });
    const texts = regions[0].blocks.flatMap((it: { instructions: { text: string }[] }) => it.instructions);
    expect(texts).toContainEqual(expect.objectContaining({ text: "xor a1, a1, a0" }));
    expect(regions[0].wasm[0]).toMatch(/^\(func /);
  });

  it("tells what there is also after a timeout", async () => {
    const { status, stdout, stderr } = await paravane(
      "explain",
      "--kernel",
      join(folder, "spin.elf"),
      "--timeout",
      "2",
    );
    expect(status).toBe(124);
    expect(stdout).toMatch(/<sum>/);
    expect(stderr).toMatch(/timed out/);
  });

  it("names what it cannot find", async () => {
    expect(await explain("nothing")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(/there is no symbol "nothing"/),
    });
    const { status, stdout, stderr } = await explain("0x80300000");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr).toMatch(/nothing at 0x80300000 was translated/);
  });
});
