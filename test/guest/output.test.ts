// Output as the guest makes it (onOutput), the exact counters at that moment, and named ports; input where it is asked for.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createGuest, type Guest, OptionError } from "../../src/index.ts";
import { encode } from "../../src/isa/encode.ts";
import { addi, ECALL, lui, program, systemReset } from "./instructions.ts";

const kernel = readFileSync(new URL("../../bench/probe/probe.elf", import.meta.url));

describe("output of a guest", () => {
  for (const clock of ["host", "virtual"] as const) {
    it(`comes with the counters of its instruction (${clock} clock)`, async () => {
      let guest: Guest | undefined;
      let text = "";
      const moments = new Map<string, { instructions: number; ticks: number }>();
      guest = await createGuest({
        kernel,
        memory: "64M",
        clock,
        append: "calibrate=markers; timer=sstc count=20 period=2000",
        onOutput(port, bytes) {
          if (port !== "sbi" || guest === undefined) return;
          const line = new TextDecoder().decode(bytes);
          text += line;
          moments.set(line.trim(), { instructions: guest.instructions, ticks: guest.ticks });
        },
      });
      expect(await guest.wait()).toMatchObject({ reason: "power-off" });
      const words = /^probe: result 2 .* ticks=(\d+) instret=(\d+)/m.exec(text);
      const [ticks, instret] = (words ?? []).slice(1).map(Number);
      const between = (key: "instructions" | "ticks", workload: number) =>
        (moments.get(`probe: end ${workload}`)?.[key] ?? 0) - (moments.get(`probe: begin ${workload}`)?.[key] ?? 0);
      // What the guest counted inside its markers, which the first workload is nothing but.
      const own = between("instructions", 2) - between("instructions", 1);
      expect(Math.abs(own - instret)).toBeLessThanOrEqual(20);
      expect(instret).toBeGreaterThan(1000);
      expect(between("ticks", 2)).toBeGreaterThanOrEqual(ticks);
      expect(ticks).toBeGreaterThanOrEqual(20 * 2000);
    });
  }

  it("refuses ports that cannot be", async () => {
    const wrong = [["a", "b", "c", "d"], ["a", "a"], [""], ["with space"], ["x".repeat(32)]];
    for (const ports of wrong) await expect(createGuest({ kernel, ports })).rejects.toThrow(OptionError);
  });
});

describe("input of a guest", () => {
  it("is the SBI's console's where the guest asks there, though it has a virtio console, too", async () => {
    const [ZERO, A0, A1, A2, A6, A7] = [0, 10, 11, 12, 16, 17];
    const DBCN = 0x4442_434e;
    // sbi_debug_console_read(1, somewhere in RAM) until there is a byte, then off.
    const read = [
      addi(A0, ZERO, 1),
      lui(A1, 0x80400),
      addi(A1, A1, 0),
      encode("slli", { rd: A1, rs1: A1, imm: 32 }),
      encode("srli", { rd: A1, rs1: A1, imm: 32 }),
      addi(A2, ZERO, 0),
      addi(A6, ZERO, 1),
      lui(A7, (DBCN + 0x800) >>> 12),
      addi(A7, A7, (DBCN << 20) >> 20),
      ECALL,
    ];
    const again = encode("beq", { rs1: A1, rs2: ZERO, imm: -4 * read.length });
    const guest = await createGuest({ kernel: program(...read, again, ...systemReset(0)), memory: "16M" });
    guest.console.write("x");
    expect(await guest.wait()).toMatchObject({ reason: "power-off" });
  });
});
