// Guests that go wild: random instructions in all modes, with wild pointers, page tables,
// device registers and DMA. Whatever they do, the engine must not trap in WebAssembly, run()
// must come back within its budget, and no byte of linear memory may change that is not the
// guest's RAM or an area of the engine's own.
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { DeviceKind } from "../../assembly/abi/device.ts";
import { Exit } from "../../assembly/abi/exit.ts";
import { Gpa, Layout, Machine, Tier } from "../../assembly/abi/layout.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { Engine } from "../../src/engine/engine.ts";
import { readExitCounters } from "../../src/engine/exit-counters.ts";
import { idleHost } from "../../src/engine/idle-host.ts";
import { type Inspect, loadInspect } from "../../src/engine/inspect.ts";
import { instructions } from "../../src/isa/table.ts";
import { Assembler } from "./generator/assembler.ts";
import { compiledEngine, RAM_BYTES } from "./generator/machines.ts";
import { Random } from "./generator/random.ts";
import { built, LONG } from "./generator/requirements.ts";

let inspect: Inspect;
beforeAll(async () => {
  inspect = await loadInspect(readFileSync(built("inspect.wasm")));
});

const GUEST_BYTES = 1 << 20;
const STEPS = LONG ? 1_500_000 : 300_000;
const PROGRAMS = LONG ? 100 : 8;
const BUDGET = 5_000;
const PATTERN = 0xa5;
/** Where writeDeviceSetUp puts the PCI functions' registers. */
const NVME_BAR = 0x4000_0000;
const CONSOLE_BAR = 0x4001_0000;

/** Parts of linear memory that belong to nobody: gaps in the layout, and everything behind guest RAM. */
const NOBODYS: [from: number, to: number][] = [
  [0, Layout.HART],
  [Layout.HART + Layout.HART_SIZE, Layout.MACHINE],
  [Layout.BASE_PAGES_END, Layout.HYPERCALLS],
  [Layout.EXIT_COUNTERS_END, Layout.STATIC_DATA],
  [Layout.STATIC_DATA + (1 << 18), Layout.STATIC_DATA_END], // the module's data end long before
  [Layout.RAM + GUEST_BYTES, Layout.RAM + GUEST_BYTES + (1 << 20)],
  [Layout.RAM + RAM_BYTES - (1 << 16), Layout.RAM + RAM_BYTES],
];

/** Registers whose wild values do most damage. */
function interesting(random: Random): bigint {
  const offset = BigInt(random.below(0x1000));
  const places: bigint[] = [
    BigInt(Gpa.RAM) + BigInt(random.below(GUEST_BYTES)),
    BigInt(Gpa.RAM) + BigInt(GUEST_BYTES) - BigInt(random.below(16)),
    BigInt(Gpa.RAM) - BigInt(random.between(1, 16)),
    BigInt(Board.UART) + BigInt(random.below(0x100)),
    BigInt(Board.PLIC) + BigInt(random.below(Board.PLIC_SIZE)),
    BigInt(Board.PLIC) + 0x20_0000n + offset,
    BigInt(Board.ACLINT) + BigInt(random.below(Board.ACLINT_SIZE)),
    BigInt(Board.RTC) + BigInt(random.below(0x20)),
    BigInt(Board.VIRTIO) + BigInt(random.below(8 * 0x1000)),
    BigInt(Board.VIRTIO) + BigInt(0x1000 * random.below(2)) + BigInt(random.below(0x110)),
    BigInt(Board.PCIE_ECAM) + BigInt(random.below(6) << 15) + offset,
    BigInt(Board.PCIE_MMIO) + BigInt(random.below(0x10_0000)),
    BigInt(NVME_BAR) + BigInt(random.below(0x1100)),
    BigInt(CONSOLE_BAR) + BigInt(random.below(0x4000)),
    0x4_0000_0000n + BigInt(random.below(0x10_0000)),
    BigInt(Board.MROM) + offset,
    random.wide(),
    -offset,
    BigInt(random.below(64)),
    1n << BigInt(random.below(64)),
  ];
  return BigInt.asUintN(64, random.pick(places));
}

/** Page table entries that point about, mostly valid. */
function wildEntry(random: Random): bigint {
  const page = random.oneIn(6) ? random.wide() & ((1n << 44n) - 1n) : BigInt(0x80000 + random.below(GUEST_BYTES >> 12));
  const flags = random.oneIn(3) ? 1n : BigInt(random.below(256)) | 0xcfn;
  return (page << 10n) | flags;
}

/** Exits that end a guest would make short work of a program. */
const ENDS = new Set(["wfi"]);
const rows = instructions.filter((row) => !ENDS.has(row.name));
const heavy = rows.filter((row) => /memory|atomic|system|jal/.test(row.kind));
const CSRS = [
  0x100, 0x104, 0x105, 0x140, 0x141, 0x144, 0x14d, 0x180, 0x300, 0x302, 0x303, 0x304, 0x305, 0x30a, 0x320, 0x340, 0x341,
  0x344, 0x3a0, 0x3a2, 0x3b0, 0x3b3, 0xb00, 0xb02, 0xc01,
];

function wildWord(random: Random): number {
  if (random.oneIn(5)) return random.word();
  const row = random.pick(random.oneIn(2) ? heavy : rows);
  let word = (row.match | (random.word() & ~row.mask)) >>> 0;
  if (row.extension === "ZICSR") word = ((word & 0xf_ffff) | (random.pick(CSRS) << 20)) >>> 0;
  // Short distances, so that pointers stay where they point.
  else if (row.kind === "memory" && random.oneIn(2)) word = (word & ~0xfc00_0000) >>> 0;
  return word;
}

/** Where the trap entry, its table of register values, and wild code and data lie in RAM. */
const TABLE = 0x1000;
const TABLE_ENTRIES = 128;
const ENTRY_SIZE = 512;
const WILD = TABLE + TABLE_ENTRIES * ENTRY_SIZE;

/**
 * Trap entry: loads pc, status, satp and all registers from the next row of the table and
 * goes on there in whatever mode they say, so that a trap is a new beginning and not the end.
 */
function writeTrapEntry(bytes: Uint8Array, supervisor: boolean, at: number): void {
  const [status, epc] = supervisor ? [0x100, 0x141] : [0x300, 0x341];
  const asm = new Assembler(512, Gpa.RAM + at);
  asm.op("auipc", { rd: 31, imm: TABLE });
  asm.i("addi", 31, 31, -at);
  asm.load("ld", 30, 0, 31);
  asm.i("addi", 30, 30, ENTRY_SIZE);
  asm.op("lui", { rd: 29, imm: TABLE_ENTRIES * ENTRY_SIZE });
  asm.i("addi", 29, 29, -1);
  asm.r("and", 30, 30, 29);
  asm.store("sd", 30, 0, 31);
  asm.r("add", 31, 31, 30);
  for (const [n, csr] of [epc, status, 0x180].entries()) {
    asm.load("ld", 30, 256 + 8 * n, 31);
    asm.csrw(csr, 30);
  }
  for (let n = 1; n < 32; n++) asm.load("ld", n, 8 * n, 31);
  asm.op(supervisor ? "sret" : "mret");
  bytes.set(asm.finish().subarray(0, asm.pc - asm.base), Layout.RAM + at);
}

const codeAddress = (random: Random) => BigInt(Gpa.RAM + WILD + (random.below(GUEST_BYTES - WILD) & ~1));

function someSatp(random: Random): bigint {
  if (random.oneIn(2)) return 0n;
  return (
    (BigInt(random.between(8, 10)) << 60n) |
    (random.wide() & (3n << 44n)) |
    BigInt(0x80000 + random.below(GUEST_BYTES >> 12))
  );
}

function writeTable(view: DataView, random: Random): void {
  for (let row = 0; row < TABLE_ENTRIES; row++) {
    const at = Layout.RAM + TABLE + row * ENTRY_SIZE;
    for (let n = 1; n < 32; n++) view.setBigUint64(at + 8 * n, interesting(random), true);
    view.setBigUint64(at + 256, random.oneIn(20) ? interesting(random) : codeAddress(random), true);
    view.setBigUint64(at + 264, random.wide(), true);
    view.setBigUint64(at + 272, someSatp(random), true);
  }
  view.setBigUint64(Layout.RAM + TABLE, BigInt(random.below(TABLE_ENTRIES) * ENTRY_SIZE), true);
}

/** PCI functions get addresses, NVMe its queues: what follows may reach them. */
function writeDeviceSetUp(bytes: Uint8Array, at: number): void {
  const asm = new Assembler(1024, Gpa.RAM + at);
  const write = (address: number, value: number) => {
    asm.li(5, address);
    asm.li(6, value);
    asm.store("sw", 6, 0, 5);
  };
  for (const [slot, bars] of [
    [1, [0x4002_0000, 0, 0x4003_0000, 0, CONSOLE_BAR, 0]],
    [2, [NVME_BAR, 0]],
  ] as const) {
    const config = Board.PCIE_ECAM + (slot << 15);
    bars.forEach((value, bar) => {
      write(config + 0x10 + 4 * bar, value);
    });
    write(config + 4, 7);
  }
  write(NVME_BAR + 0x24, 0x000f_000f);
  write(NVME_BAR + 0x28, Gpa.RAM + WILD);
  write(NVME_BAR + 0x30, Gpa.RAM + WILD + 0x2000);
  write(NVME_BAR + 0x14, 0x0046_0001);
  asm.i("addi", 0, 0, 0);
  asm.label("stop");
  asm.to("jal", "stop", { rd: 0 });
  bytes.set(asm.finish().subarray(0, asm.pc - asm.base), Layout.RAM + at);
}

function fillWithWords(view: DataView, random: Random): void {
  const bytes = new Uint8Array(view.buffer);
  bytes.fill(0, Layout.RAM, Layout.RAM + TABLE);
  writeTrapEntry(bytes, false, 0);
  writeTrapEntry(bytes, true, 0x800);
  writeTable(view, random);
  for (let at = WILD; at < GUEST_BYTES; ) {
    const page = random.below(8);
    for (const end = at + 4096; at < end; at += 8) {
      if (page === 0) view.setBigUint64(Layout.RAM + at, wildEntry(random), true);
      else if (page === 1) view.setBigUint64(Layout.RAM + at, interesting(random), true);
      else {
        view.setUint32(Layout.RAM + at, wildWord(random), true);
        view.setUint32(Layout.RAM + at + 4, wildWord(random), true);
      }
    }
  }
}

interface Guest {
  engine: Engine;
  /** Host calls that named memory outside the guest's RAM and the engine's staging area. */
  strays: string[];
}

function createGuest(random: Random, boot: number): Guest {
  const strays: string[] = [];
  const check = (what: string, at: number, length: number) => {
    const inRam = at >= Layout.RAM && at + length <= Layout.RAM + GUEST_BYTES;
    const own = at >= Layout.MACHINE && at + length <= Layout.CODE_POOL;
    if (length < 0 || !(inRam || own)) strays.push(`${what} at 0x${(at >>> 0).toString(16)} of ${length} bytes`);
  };
  let ticks = 0;
  const transfer = (what: string) => (_backend: number, offset: number, at: number, length: number) => {
    check(what, at >>> 0, length);
    if (offset < 0 || offset + length > 1 << 20) strays.push(`${what} at ${offset} of a disk of 1 MiB`);
    return 0;
  };
  const engine = Engine.create(compiledEngine(), RAM_BYTES, (bytes) => ({
    ...idleHost,
    now: () => (ticks += 3),
    consoleOut: (_port, at, length) => check("console output", at >>> 0, length),
    diskRead: (backend, offset, at, length) => {
      const answer = transfer("disk read")(backend, offset, at, length);
      if (strays.length === 0) bytes.fill(0x5a, at >>> 0, (at >>> 0) + length);
      return answer;
    },
    diskWrite: transfer("disk write"),
    diskFlush: () => 0,
    diskDiscard: () => 0,
    customRead: () => -1,
    entropy: (at, length) => check("entropy", at >>> 0, length),
  }));
  if (engine.bytes.subarray(Layout.STATIC_DATA + (1 << 18), Layout.STATIC_DATA_END).some((byte) => byte !== 0)) {
    throw new Error("the module's static data has grown over what this test takes for a gap");
  }
  engine.reset({
    ramBytes: GUEST_BYTES,
    harts: random.oneIn(3) ? 3 : 1,
    extensions: ~0n & ((1n << 26n) - 1n),
    clock: random.below(2),
    boot,
    wallBase: 0n,
    seed: 7n,
    virtualRate: 10,
    tier: Tier.AUTO,
    codeCache: 16 << 20,
  });
  const { exports } = engine;
  exports.attachVirtioMmio(0, DeviceKind.VIRTIO_BLK, 0, 1 << 20, 0);
  exports.attachVirtioMmio(1, DeviceKind.VIRTIO_RNG, 0, 0, 0);
  exports.attachVirtioPci(1, 8, DeviceKind.VIRTIO_CONSOLE, 0, 0, 0);
  exports.attachCustom(0, 0x1000);
  exports.attachNvme(2, 0, 1, 1 << 20, 0);
  return { engine, strays };
}

const paint = (bytes: Uint8Array) => {
  for (const [from, to] of NOBODYS) bytes.fill(PATTERN, from, to);
};

function painted(bytes: Uint8Array): string[] {
  return NOBODYS.flatMap(([from, to]) => {
    for (let at = from; at < to; at++) if (bytes[at] !== PATTERN) return [`0x${at.toString(16)} changed`];
    return [];
  });
}

/** Runs one wild guest; what went wrong, in words. The devices that it reached are added to `reached`. */
function runWild(seed: number, reached: Set<string>): string[] {
  const random = new Random(seed);
  const boot = random.below(2);
  const { engine, strays } = createGuest(random, boot);
  const { exports, view, bytes } = engine;
  fillWithWords(view, random);
  paint(bytes);
  const enter = () => {
    const hart = random.below(view.getUint32(Machine.HART_COUNT, true));
    exports.startHart(
      hart,
      codeAddress(random),
      interesting(random),
      interesting(random),
      interesting(random),
      boot === 0 ? 1 : 3,
    );
    for (let n = 1; n < 32; n++) exports.setReg(hart, n, interesting(random));
    exports.setReg(hart, 0x1305, BigInt(Gpa.RAM));
    exports.setReg(hart, 0x1105, BigInt(Gpa.RAM + 0x800));
    exports.setReg(hart, 0x1302, random.oneIn(2) ? 0n : random.wide());
    exports.setReg(hart, 0x1303, random.wide());
    exports.setReg(hart, 0x1304, random.wide());
    exports.setReg(hart, 0x1306, ~0n);
    exports.setReg(hart, 0x130a, random.wide());
    if (!random.oneIn(4)) {
      exports.setReg(hart, 0x13b0, (1n << 54n) - 1n);
      exports.setReg(hart, 0x13a0, 0x1fn);
    }
    exports.setReg(hart, 0x1180, someSatp(random));
  };
  writeDeviceSetUp(bytes, 0x800);
  exports.startHart(0, BigInt(Gpa.RAM + 0x800), 0n, 0n, 0n, 3);
  exports.run(1000);
  fillWithWords(view, random);
  enter();
  let before = exports.retired();
  for (let steps = 0; steps < STEPS; steps += BUDGET) {
    let exit: number;
    try {
      exit = exports.run(BUDGET);
    } catch (error) {
      return [`seed ${seed}: ${error} after ${steps} steps, pc 0x${exports.getReg(0, 32).toString(16)}`];
    }
    const retired = exports.retired();
    if (retired - before > BUDGET) return [`seed ${seed}: ${retired - before} instructions in a budget of ${BUDGET}`];
    before = retired;
    if (exit !== Exit.BUDGET || random.oneIn(4)) enter();
    if (random.oneIn(20)) fillWithWords(view, random);
  }
  for (const { name } of readExitCounters(view, inspect)) reached.add(name);
  return [...painted(bytes), ...strays.slice(0, 3)].map((what) => `seed ${seed}: ${what}`);
}

describe("wild guests", () => {
  test("stay within their memory and their budget", { timeout: 3_600_000 }, () => {
    const reached = new Set<string>();
    for (let seed = 1; seed <= PROGRAMS; seed++) expect(runWild(seed, reached)).toEqual([]);
    for (const device of [
      "ns16550a",
      "plic",
      "aclint",
      "virtio-blk",
      "virtio-rng",
      "virtio-console",
      "nvme",
      "pci-config",
      "rtc",
      "unmapped",
    ]) {
      expect([...reached], "devices reached").toContain(device);
    }
  });
});
