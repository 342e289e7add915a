// The translator against the interpreter and QEMU: random programs in lockstep (fuzz/), and directed ones for what the
// fuzzer found. PARAVANE_LONG=1 runs many more; `npm run fuzz` runs them for as long as one likes.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Exit } from "../../assembly/abi/exit.ts";
import { Tier } from "../../assembly/abi/layout.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Register } from "../../src/engine/exports.ts";
import { loadInspect } from "../../src/engine/inspect.ts";
import { fuzz } from "./fuzz/main.ts";
import { Assembler } from "./generator/assembler.ts";
import { resetEngine, startEngine } from "./generator/machines.ts";
import { built, LONG, missing, QEMU_SYSTEM } from "./generator/requirements.ts";
import { onBothTiers, registers } from "./generator/tiers.ts";

describe("random programs", () => {
  const disassembler = async () => (await loadInspect(readFileSync(built("inspect.wasm")))).disassemble;

  test("translated code does what the interpreter does, to the step", { timeout: 1_800_000 }, async () => {
    const { report } = fuzz({ first: 1, count: LONG ? 20_000 : 150, qemuEvery: 0, disassemble: await disassembler() });
    expect(report).toBe("");
  });

  test.skipIf(missing(QEMU_SYSTEM))("and what QEMU does", { timeout: 1_800_000 }, async () => {
    const { report } = fuzz({ first: 1, count: LONG ? 400 : 12, qemuEvery: 1, disassemble: await disassembler() });
    expect(report).toBe("");
  });
});

describe("found by random programs", () => {
  test("a fence writes no register, whatever its reserved fields say", () => {
    const loop = (asm: Assembler) => {
      asm.li(31, 0x1234);
      asm.label("loop");
      asm.i("addi", 5, 5, 1);
      asm.word(0x0ff0_000f | (31 << 7) | (5 << 15));
      asm.to("jal", "loop", { rd: 0 });
    };
    onBothTiers(loop, [300, 300, 301, 302], registers);
  });

  // Virtual time must not depend on how a run is cut into slices.
  test("a fetch that faults takes a step of its own", () => {
    const jumpAway = (asm: Assembler) => {
      asm.to("jal", "start", { rd: 0 });
      asm.align(4);
      const handler = asm.pc;
      asm.i("addi", 6, 6, 1);
      asm.csrw(0x341, 7);
      asm.op("mret");
      asm.label("start");
      asm.li(5, handler);
      asm.csrw(0x305, 5);
      asm.to("jal", "link", { rd: 7 });
      asm.label("link");
      asm.i("addi", 8, 8, 1);
      asm.i("jalr", 1, 0, 0x700);
    };
    const counted = (engine: Engine) => [...registers(engine), engine.exports.getReg(0, Register.CSR + 0xb02)];
    onBothTiers(jumpAway, [400, 400, ...Array.from({ length: 40 }, (_, n) => 1 + (n % 17))], counted);
    const engine = (steps: number[]) => {
      const asm = new Assembler(0x1_0000);
      jumpAway(asm);
      const one = startEngine(asm.finish(), { tier: Tier.INTERPRETER });
      for (const budget of steps) expect(one.exports.run(budget)).toBe(Exit.BUDGET);
      return counted(one);
    };
    expect(engine(Array.from({ length: 200 }, () => 1))).toEqual(engine([200]));
  });

  // Its lowest bits made the address of an atomic on page 0 equal to what stood in an empty entry of the TLB.
  test("misaligned atomics on page 0 reach nothing", () => {
    const loop = (asm: Assembler) => {
      asm.to("jal", "start", { rd: 0 });
      asm.align(4);
      const handler = asm.pc;
      asm.csrr(6, 0x341);
      asm.i("addi", 6, 6, 4);
      asm.csrw(0x341, 6);
      asm.i("addi", 7, 7, 1);
      asm.op("mret");
      asm.label("start");
      asm.li(5, handler);
      asm.csrw(0x305, 5);
      asm.label("loop");
      for (let low = 0x31; low < 0x38; low++) {
        asm.i("addi", 5, 0, low);
        asm.word(0x0172_aaaf); // amoadd.w s5, s7, (t0)
        asm.word(0x1002_baaf); // lr.d s5, (t0)
      }
      asm.to("jal", "loop", { rd: 0 });
    };
    onBothTiers(loop, [300, 300, 301, 302], registers);
  });

  // Each of these calls nests a run of the interpreter in the host's stack, or a translated function, until that is deep enough.
  // The second kind takes as much of the stack as it can: a page and a host address for each of many base registers.
  test.each([0, 20])("calls may be nested as deep as the guest likes, with %d pointers in use", (pointers) => {
    const depth = 20_000;
    const recursion = (asm: Assembler) => {
      const enter = (name: string) => {
        asm.label(name);
        asm.i("addi", 2, 2, -16);
        asm.store("sd", 1, 0, 2);
      };
      const leave = () => {
        asm.load("ld", 1, 0, 2);
        asm.i("addi", 2, 2, 16);
        asm.i("jalr", 0, 1, 0);
      };
      asm.li(8, 0x1000_0000);
      asm.li(9, depth);
      for (let n = 0; n < pointers; n++) asm.li(12 + n, 0x8050_0000 + 4096 * n);
      asm.label("again");
      asm.li(2, 0x8040_0000);
      asm.i("addi", 10, 0, 0);
      asm.to("jal", "outer", { rd: 1 });
      asm.i("addi", 11, 11, 1);
      asm.to("jal", "again", { rd: 0 });
      enter("outer");
      asm.to("jal", "inner", { rd: 1 });
      leave();
      enter("inner");
      for (let n = 0; n < pointers; n++) {
        asm.load("ld", 5, 0, 12 + n);
        asm.i("addi", 5, 5, 1);
        asm.store("sd", 5, 2032, 12 + n);
      }
      asm.load("lbu", 5, 5, 8); // the UART's line status: the interpreter's
      asm.i("addi", 10, 10, 1);
      asm.to("bge", "deep", { rs1: 10, rs2: 9 });
      asm.to("jal", "outer", { rd: 1 });
      asm.label("deep");
      leave();
    };
    onBothTiers(recursion, [3000, 300_000, 301_000, 1_000_000, 999_999], registers);
  });

  // Eviction looks at all records of regions: none may be left of what ran before a reset.
  test("code of before a reset is forgotten", () => {
    const asm = new Assembler(0x4000);
    asm.label("again");
    for (let n = 0; n < 300; n++) {
      asm.i("addi", 5, 0, 6);
      asm.label(`loop-${n}`);
      asm.i("addi", 6, 6, n);
      asm.i("addi", 5, 5, -1);
      asm.to("bne", `loop-${n}`, { rs1: 5, rs2: 0 });
    }
    asm.to("jal", "again", { rd: 0 });
    const image = asm.finish();
    const engine = startEngine(image, { tier: Tier.TRANSLATOR });
    const run = (count: number, budget: number) => {
      for (let n = 0; n < count; n++) engine.exports.run(budget);
    };
    // Many regions a module at first, then few, so that module numbers and records come apart.
    run(200, 1000);
    resetEngine(engine, image, { tier: Tier.TRANSLATOR, codeCache: 20_000 });
    run(1000, 15);
    expect(engine.exports.getReg(0, 6)).toBeGreaterThan(0n);
  });

  // Far more code than the cache holds: modules are evicted while functions of theirs wait for calls to come back.
  test("code that was evicted is translated again", () => {
    const write = (asm: Assembler) => {
      asm.to("jal", "start", { rd: 0 });
      for (let n = 0; n < 120; n++) {
        asm.label(`call-${n}`);
        asm.i("addi", 7, 1, 0);
        asm.i("addi", 5, 0, 3);
        asm.label(`loop-${n}`);
        asm.i("addi", 6, 6, n);
        asm.i("xori", 6, 6, 0x55 + n);
        asm.i("addi", 5, 5, -1);
        asm.to("bne", `loop-${n}`, { rs1: 5, rs2: 0 });
        asm.i("jalr", 0, 7, 0);
      }
      asm.label("start");
      for (let n = 0; n < 120; n++) asm.to("jal", `call-${n}`, { rd: 1 });
      asm.i("addi", 8, 8, 1);
      asm.to("jal", "start", { rd: 0 });
    };
    const budgets = Array.from({ length: 60 }, () => 3001);
    const last = onBothTiers(write, budgets, registers, { codeCache: 20_000 });
    expect(last[8]).toBeGreaterThan(10n);
  });
});
