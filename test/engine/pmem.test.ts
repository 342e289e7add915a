// Memory with a disk behind it, and the hart's TLBs: whatever way a program stores, after writing back the
// disk holds what memory holds.
import { expect, it } from "vitest";
import { DeviceKind } from "../../assembly/abi/device.ts";
import { BootMode, ClockMode, Gpa, Irqchip, Layout, Tier } from "../../assembly/abi/layout.ts";
import { Engine } from "../../src/engine/engine.ts";
import { idleHost } from "../../src/engine/idle-host.ts";
import { encode } from "../../src/isa/encode.ts";
import { ALL_EXTENSIONS } from "../../src/machine/cpu.ts";
import { compiledEngine } from "../isa/generator/machines.ts";

const RAM_BYTES = 16 << 20;
const BYTES = 2 << 20;
const PAGES = 24;

/** Counts x6 up, and stores it to every page: at its beginning, across its beginning, and by an addition. */
const PROGRAM = [
  encode("auipc", { rd: 5, imm: RAM_BYTES }),
  encode("addi", { rd: 6, rs1: 6, imm: 1 }),
  encode("addi", { rd: 7, rs1: 5, imm: 0 }),
  encode("addi", { rd: 28, rs1: 0, imm: PAGES }),
  encode("lui", { rd: 29, imm: 4096 }),
  encode("sd", { rs1: 7, rs2: 6, imm: 16 }),
  encode("sd", { rs1: 7, rs2: 6, imm: -4 }),
  encode("addi", { rd: 30, rs1: 7, imm: 256 }),
  encode("amoadd.d", { rd: 0, rs1: 30, rs2: 6 }),
  encode("add", { rd: 7, rs1: 7, rs2: 29 }),
  encode("addi", { rd: 28, rs1: 28, imm: -1 }),
  encode("bne", { rs1: 28, rs2: 0, imm: -24 }),
  encode("jal", { rd: 0, imm: -44 }),
];

it.each([
  ["interpreter", Tier.INTERPRETER],
  ["translator", Tier.TRANSLATOR],
] as const)("writes back all that was stored: %s", (_name, tier) => {
  const disk = new Uint8Array(BYTES).map((_, i) => i >> 10);
  const writes: number[] = [];
  const engine = Engine.create(compiledEngine(), RAM_BYTES + BYTES, (memory) => ({
    ...idleHost,
    diskRead(_disk, offset, address, length) {
      memory.set(disk.subarray(offset, offset + length), address >>> 0);
      return 0;
    },
    diskWrite(_disk, offset, address, length) {
      writes.push(offset);
      disk.set(memory.subarray(address >>> 0, (address >>> 0) + length), offset);
      return 0;
    },
    diskFlush: () => 0,
  }));
  engine.reset({
    ramBytes: RAM_BYTES + BYTES,
    harts: 1,
    extensions: ALL_EXTENSIONS,
    clock: ClockMode.HOST,
    boot: BootMode.FIRMWARE,
    irqchip: Irqchip.PLIC,
    wallBase: 0n,
    seed: 1n,
    virtualRate: 10,
    tier,
    codeCache: 16 << 20,
  });
  engine.exports.attachVirtioPci(7, 9, DeviceKind.VIRTIO_PMEM, 0, BYTES, 0);
  expect(engine.exports.virtioPmemSetPlace(9, RAM_BYTES >> 12)).toBe(1);
  engine.bytes.set(new Uint8Array(new Uint32Array(PROGRAM).buffer), Layout.RAM);
  engine.exports.startHart(0, BigInt(Gpa.RAM), 0n, 0n, 0n, 3);

  const at = Layout.RAM + RAM_BYTES;
  const touched = (PAGES + 15) & ~15;
  // The first round already touches every page that is compared.
  for (let round = 0; round < 400; round++) {
    engine.exports.run(300 + ((round * 37) % 700));
    expect(engine.exports.writeBackAll()).toBe(0);
    const memory = engine.bytes.subarray(at, at + touched * 4096);
    expect(Buffer.compare(memory, disk.subarray(0, memory.length)), `round ${round}`).toBe(0);
  }
  expect(engine.exports.getReg(0, 6)).toBeGreaterThan(500n);
  // What was not stored to is not written.
  expect(Math.max(...writes)).toBeLessThan(PAGES * 4096);
  writes.length = 0;
  engine.exports.writeBackAll();
  expect(writes).toEqual([]);
});
