import { describe, expect, it } from "vitest";
import type { BootImage, ElfImage } from "../../src/image/kernel.ts";
import { BootError } from "../../src/machine/boot-error.ts";
import { ALL_EXTENSIONS } from "../../src/machine/cpu.ts";
import { type BootInput, type BootPlan, planBoot } from "../../src/machine/layout.ts";
import { FIRMWARE_SLACK } from "../../src/machine/virt.ts";

const MIB = 2 ** 20;
const RAM = 0x8000_0000;
/** As Debian 13's: ends at 0x8206_b000. */
const DEBIAN: BootImage = { kind: "linux", bytes: new Uint8Array(4096), textOffset: 2 * MIB, imageSize: 0x1e6_b000 };
const FIRMWARE = { kind: "raw", bytes: new Uint8Array(0x4_0000) } as const;
const program = (gpa: number, size = 0x1000): ElfImage => ({
  kind: "elf",
  entry: gpa,
  segments: [{ gpa, size, bytes: new Uint8Array(16) }],
});

function input(changes: Partial<BootInput> = {}, ram = 512, boot: "paravirt" | "firmware" = "paravirt"): BootInput {
  const machine = {
    ramBytes: ram * MIB,
    harts: 1,
    extensions: ALL_EXTENSIONS,
    boot,
    bootargs: "quiet",
    console: "ns16550a",
    rngSeed: new Uint8Array(32),
  } as const;
  return { machine, kernel: DEBIAN, ...changes };
}
const firmwareInput = (changes: Partial<BootInput> = {}, ram = 512) =>
  input({ firmware: FIRMWARE, ...changes }, ram, "firmware");

function checkPlan(plan: BootPlan, ramBytes: number): void {
  const pieces = [...plan.pieces].sort((a, b) => a.gpa - b.gpa);
  for (const [i, piece] of pieces.entries()) {
    expect(piece.bytes.length).toBeLessThanOrEqual(piece.size);
    expect(piece.gpa >= RAM || piece.gpa === 0x1000, piece.what).toBe(true);
    expect(piece.gpa + piece.size, piece.what).toBeLessThanOrEqual(RAM + ramBytes);
    if (i > 0) expect(pieces[i - 1].gpa + pieces[i - 1].size, piece.what).toBeLessThanOrEqual(piece.gpa);
  }
}

describe("paravirtual boot", () => {
  it("enters the kernel in S-mode with hart id and device tree", () => {
    const plan = planBoot(input({ initrd: new Uint8Array(3 * MIB + 5) }));
    checkPlan(plan, 512 * MIB);
    expect(plan.entry).toEqual({ pc: 0x8020_0000, a0: 0, a1: plan.deviceTree.start, a2: 0, mode: "S", harts: "boot" });
    expect(plan.initrd).toEqual({ start: 0x8240_0000, end: 0x8270_0005 });
    expect(plan.deviceTree.start % (2 * MIB)).toBe(0);
    const tree = plan.pieces.find((piece) => piece.what === "device tree")!;
    expect(new DataView(tree.bytes.buffer).getUint32(0)).toBe(0xd00dfeed);
    expect(plan.pieces.map((piece) => piece.what)).toEqual(["kernel", "initrd", "device tree"]);
  });

  it("puts an overlay behind the initrd as if it were its end", () => {
    const plan = planBoot(input({ initrd: new Uint8Array(3 * MIB + 5), overlay: new Uint8Array(100) }));
    checkPlan(plan, 512 * MIB);
    expect(plan.initrd).toEqual({ start: 0x8240_0000, end: 0x8270_0008 + 100 });
    expect(plan.pieces.find(({ what }) => what === "initrd's overlay")?.gpa).toBe(0x8270_0008);
    const whole = { initrd: new Uint8Array(3 * MIB), overlay: new Uint8Array(2 * MIB) };
    expect(() => planBoot(input(whole, 36))).toThrow(/initrd of 5.0 MiB does not fit/);
  });

  it("puts an initrd behind a kernel that reaches far", () => {
    const plan = planBoot(input({ kernel: { ...DEBIAN, imageSize: 100 * MIB + 1 }, initrd: new Uint8Array(1) }));
    expect(plan.initrd?.start).toBe(RAM + 104 * MIB);
  });

  it("uses a small memory to its end", () => {
    const kernel = { ...DEBIAN, imageSize: 4 * MIB };
    checkPlan(planBoot(input({ kernel, initrd: new Uint8Array(MIB) }, 8)), 8 * MIB);
    checkPlan(planBoot(input({ kernel: program(RAM) }, 4)), 4 * MIB);
  });

  it.each([
    [
      "a kernel past the end",
      input({}, 16),
      "kernel ends at 0x8206_b000, past the end of RAM at 0x8100_0000: raise --memory to 35M or more",
    ],
    [
      "a kernel larger than any memory",
      input({ kernel: { ...DEBIAN, imageSize: 2 ** 60 } }),
      "the machine can have at most 3072M",
    ],
    [
      "an initrd larger than memory",
      input({ initrd: new Uint8Array(100 * MIB) }, 128),
      "initrd of 100.0 MiB does not fit behind the kernel in 128 MiB of RAM: raise --memory to 136M or more",
    ],
    [
      "no room for the device tree",
      input({ kernel: { ...DEBIAN, imageSize: 14 * MIB } }, 16),
      "leaves no room for the device tree",
    ],
    ["an empty initrd", input({ initrd: new Uint8Array(0) }), "initrd is empty"],
    ["no kernel", input({ kernel: undefined }), "no kernel is given"],
    ["firmware", input({ firmware: FIRMWARE }), "firmware is given for a paravirtual boot"],
    ["a program below RAM", input({ kernel: program(0x1000_0000) }), "kernel wants to lie at 0x1000_0000, below RAM"],
    ["a program above RAM", input({ kernel: program(0x9_0000_0000) }), "at most 3072M"],
  ])("refuses %s", (_, asked, message) => {
    expect(() => planBoot(asked)).toThrow(BootError);
    expect(() => planBoot(asked)).toThrow(message);
  });

  it("keeps its word: the memory it asks for suffices", () => {
    for (const initrd of [undefined, new Uint8Array(50 * MIB + 1)]) {
      for (let ram = 4, rounds = 0; ; rounds++) {
        expect(rounds).toBeLessThan(4);
        try {
          planBoot(input({ initrd }, ram));
          break;
        } catch (error) {
          ram = Number(/to (\d+)M/.exec((error as Error).message)![1]);
        }
      }
    }
  });
});

describe("firmware boot", () => {
  it("begins in M-mode at the reset vector, which says where everything is", () => {
    const plan = planBoot(firmwareInput({ initrd: new Uint8Array(5 * MIB) }));
    checkPlan(plan, 512 * MIB);
    expect(plan.entry).toMatchObject({ pc: 0x1000, mode: "M", harts: "all" });
    expect(plan.pieces.map((piece) => [piece.what, piece.gpa])).toEqual([
      ["reset vector", 0x1000],
      ["firmware", RAM],
      ["kernel", 0x8020_0000],
      ["initrd", 0x8240_0000],
      ["device tree", plan.deviceTree.start],
    ]);
    const rom = new DataView(plan.pieces[0].bytes.buffer);
    // auipc t0,0; addi a2,t0,40; csrr a0,mhartid; ld a1,32(t0); ld t0,24(t0); jr t0
    expect(Array.from({ length: 6 }, (_, i) => rom.getUint32(i * 4, true))).toEqual([
      0x0000_0297, 0x0282_8613, 0xf140_2573, 0x0202_b583, 0x0182_b283, 0x0002_8067,
    ]);
    expect(Array.from({ length: 8 }, (_, i) => Number(rom.getBigUint64(24 + i * 8, true)))).toEqual([
      RAM,
      plan.deviceTree.start,
      0x4942_534f,
      2,
      0x8020_0000,
      1,
      0,
      0,
    ]);
    expect(plan.deviceTree.end - plan.deviceTree.start).toBeGreaterThan(FIRMWARE_SLACK);
  });

  it("can do without a kernel, and with an ELF firmware and a raw payload", () => {
    expect(planBoot(firmwareInput({ kernel: undefined })).pieces.map((piece) => piece.what)).toEqual([
      "reset vector",
      "firmware",
      "device tree",
    ]);
    const plan = planBoot(
      firmwareInput({ firmware: program(RAM, 0x4_5ac8), kernel: { kind: "raw", bytes: new Uint8Array(9) } }),
    );
    expect(plan.pieces.find((piece) => piece.what === "payload")?.gpa).toBe(0x8020_0000);
  });

  it.each([
    ["no firmware", firmwareInput({ firmware: undefined }), "no firmware is given"],
    [
      "firmware over the kernel",
      firmwareInput({ firmware: program(RAM, 3 * MIB) }),
      "firmware (0x8000_0000 to 0x8030_0000) overlaps kernel at 0x8020_0000",
    ],
    [
      "fw_jump's tree in the kernel",
      firmwareInput({ kernel: { ...DEBIAN, imageSize: 40 * MIB }, firmwareJumps: true }),
      "fw_jump puts the device tree at 0x8220_0000: use fw_dynamic",
    ],
    [
      "fw_jump's tree in the initrd",
      firmwareInput({ initrd: new Uint8Array(3 * MIB), firmwareJumps: true }, 38),
      "over the initrd: raise --memory to 41M or more",
    ],
  ])("refuses %s", (_, asked, message) => {
    expect(() => planBoot(asked)).toThrow(BootError);
    expect(() => planBoot(asked)).toThrow(message);
  });
});
