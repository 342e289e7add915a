// The engine for shared memory: the same source, built so that a later machine can run
// harts in several threads. Here one thread runs it: atomics must work on shared memory.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Exit } from "../../assembly/abi/exit.ts";
import { Layout, Machine, Tier } from "../../assembly/abi/layout.ts";
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { idleHost } from "../../src/engine/idle-host.ts";
import { encode } from "../../src/isa/encode.ts";
import { ALL_EXTENSIONS } from "../../src/machine/cpu.ts";

const RAM_PAGES = 256;
const COUNTER = 0x400;

it("runs AMOs and LR/SC on shared memory", () => {
  const pages = (Layout.RAM + RAM_PAGES * 4096) / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: 65536, shared: true });
  const nothing = () => 0;
  const imports = {
    env: { memory, abort: nothing },
    host: { ...idleHost },
    translated: { enter: nothing, install: nothing, forget: nothing },
  };
  const module = new WebAssembly.Module(readFileSync("build/engine-shared.wasm"));
  const engine = new WebAssembly.Instance(module, imports).exports as Record<string, (...args: unknown[]) => unknown>;
  const words = new DataView(memory.buffer);
  words.setUint32(Machine.RAM_SIZE, RAM_PAGES, true);
  words.setUint32(Machine.HART_COUNT, 1, true);
  words.setBigUint64(Machine.CPU_EXTENSIONS, ALL_EXTENSIONS, true);
  words.setUint32(Machine.TIER, Tier.INTERPRETER, true);
  engine.reset();

  const [T0, T1, T2, A0] = [5, 6, 7, 10];
  const program = [
    encode("amoadd.w", { rd: T0, rs1: A0, rs2: T1 }),
    encode("lr.d", { rd: T0, rs1: A0 }),
    encode("add", { rd: T0, rs1: T0, rs2: T1 }),
    encode("sc.d", { rd: T2, rs1: A0, rs2: T0 }),
    // Power off through the test finisher.
    encode("lui", { rd: T0, imm: PhysicalMap.FINISHER }),
    encode("lui", { rd: T1, imm: 0x5000 }),
    encode("addi", { rd: T1, rs1: T1, imm: 0x555 }),
    encode("sw", { rs1: T0, rs2: T1, imm: 0 }),
  ];
  for (const [i, word] of program.entries()) words.setUint32(Layout.RAM + 4 * i, word, true);
  const base = BigInt(PhysicalMap.RAM);
  engine.startHart(0, base, base + BigInt(COUNTER), 0n, 0n, 3);
  engine.setReg(0, T1, 21n);
  expect(engine.run(1000)).toBe(Exit.POWER_OFF);
  expect(words.getBigUint64(Layout.RAM + COUNTER, true)).toBe(42n);
  expect(engine.getReg(0, T2)).toBe(0n);
});
