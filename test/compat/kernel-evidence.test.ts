// What is read out of a kernel's Image, whole, damaged and hostile.
import { describe, expect, it } from "vitest";
import { constantsInCode, csrsInCode } from "../../src/compat/code-constants.ts";
import { kernelRelease } from "../../src/compat/driver-set.ts";
import { parseHardwareId } from "../../src/compat/hardware-id.ts";
import { idsInTables } from "../../src/compat/id-tables.ts";
import { builtinNames, kernelSymbols } from "../../src/compat/kallsyms.ts";
import { embeddedConfig, parseConfig } from "../../src/compat/kernel-config.ts";
import { bytesOf, constant, fakeKernel, ikconfig, kallsyms, ofEntry, pciEntry, virtioTable } from "./kernel.ts";

/** Numbers that repeat: Lehmer's generator. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

describe("symbols", () => {
  const names = Array.from({ length: 700 }, (_, i) => `function_${i}`);
  names[300] = "__initcall__kmod_virtio_console__381_2254_virtio_console_init6";
  names[301] = `very_long_${"x".repeat(200)}`;
  names[699] = "__initcall__kmod_hvc_riscv_sbi__12_82_hvc_sbi_init6";

  it("come out as they went in, wherever they lie", () => {
    for (const at of [0, 8, 4096]) {
      const image = bytesOf(new Uint8Array(at).fill(0x5a), kallsyms(names), new Uint8Array(100).fill(7));
      expect([...kernelSymbols(image)], `at ${at}`).toEqual(names);
      // A view that begins in the middle of a word.
      const shifted = bytesOf([1, 2, 3], image).subarray(3);
      expect([...kernelSymbols(shifted)]).toEqual(names);
    }
    expect([...builtinNames(names)]).toEqual(["virtio_console", "hvc_riscv_sbi"]);
  });

  it("of one group and of several groups to the edge", () => {
    // Names end at every place of a word.
    const few = Array.from({ length: 40 }, (_, i) => i + 1);
    for (const count of [...few, 255, 256, 257, 512]) {
      const some = names.slice(0, count);
      expect([...kernelSymbols(bytesOf(kallsyms(some), new Uint8Array(8)))], `${count}`).toEqual(some);
      const newer = bytesOf(new Uint8Array(12).fill(1), kallsyms(some, true), new Uint8Array(8));
      expect([...kernelSymbols(newer)], `${count}, newer`).toEqual(some);
    }
  });

  it("are none where there is something else", () => {
    expect([...kernelSymbols(new Uint8Array(0))]).toEqual([]);
    const digits = new TextEncoder().encode("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0".repeat(500));
    expect([...kernelSymbols(digits)]).toEqual([]);
    const cut = kallsyms(names);
    for (let end = 0; end < cut.length - 8; end += 37) expect([...kernelSymbols(cut.subarray(0, end))]).toEqual([]);
  });

  it("of a damaged table end, and are never more than it says", () => {
    const next = random(7);
    const whole = kallsyms(names);
    for (let run = 0; run < 300; run++) {
      const image = whole.slice();
      for (let i = 0; i < 4; i++) image[next(image.length)] = next(256);
      expect([...kernelSymbols(image)].length).toBeLessThanOrEqual(names.length);
    }
  });
});

describe("tables of ids", () => {
  const ids = (...texts: string[]) => texts.map(parseHardwareId);
  const found = (image: Uint8Array, ...texts: string[]) => {
    const wanted = ids(...texts);
    const set = idsInTables(image, wanted);
    return texts.filter((_, i) => set.has(wanted[i]));
  };

  it("hold what drivers match", () => {
    const image = bytesOf(
      new Uint8Array(64),
      ofEntry("ns16550a"),
      ofEntry("virtio,mmio"),
      new Uint8Array(200),
      pciEntry(0x8086, 0x100e),
      pciEntry(0x1af4, 0xffff_ffff),
      pciEntry(0xffff_ffff, 0xffff_ffff, 0x010802, 0xffffff),
      virtioTable(3, 11),
    );
    const there = [
      "ns16550a",
      "virtio,mmio",
      "pci:8086:100e",
      "pci:1af4:1043",
      "pci:class:010802",
      "virtio:3",
      "virtio:11",
    ];
    expect(found(image, ...there, "ns16550", "pci:8086:10d3", "pci:class:010601", "virtio:2")).toEqual(there);
  });

  it("are not any place with the same bytes", () => {
    const lone = new Uint8Array(256);
    lone.set(new TextEncoder().encode("ns16550a"), 68);
    expect(found(lone, "ns16550a")).toEqual([]);
    const longer = ofEntry("ns16550a-more");
    expect(found(bytesOf(longer, new Uint8Array(64)), "ns16550a")).toEqual([]);
    // Vendor and device without the rest, a class without a mask, a virtio number among others.
    expect(found(bytesOf(pciEntry(0x8086, 0x100e, 0x020000, 0xffff00)), "pci:8086:100e")).toEqual([]);
    expect(found(bytesOf(pciEntry(0xffff_ffff, 0xffff_ffff, 0x010802, 0)), "pci:class:010802")).toEqual([]);
    expect(found(new Uint8Array(Uint32Array.from([3, 0xffff_ffff, 99, 5]).buffer), "virtio:3")).toEqual([]);
  });

  it("may end anywhere", () => {
    const image = bytesOf(new Uint8Array(64), ofEntry("ns16550a"), pciEntry(0x8086, 0x100e), virtioTable(3));
    for (let end = 0; end <= image.length; end++) {
      expect(() => found(image.subarray(0, end), "ns16550a", "pci:8086:100e", "virtio:3")).not.toThrow();
    }
  });
});

describe("code", () => {
  it("names the constants that it puts together, whatever the sign of the lower half", () => {
    const eids = [0x54494d45, 0x735049, 0x48534d, 0x53525354, 0x52464e43];
    const code = bytesOf([1, 0], ...eids.slice(0, 4).map(constant));
    expect([...constantsInCode(code, eids)].sort()).toEqual(eids.slice(0, 4).sort());
    expect(constantsInCode(code.subarray(0, 8), eids).size).toBe(0);
  });

  it("names those that begin with a compressed lui", () => {
    // c.lui a5, 2; slliw a2, a2, 16; addi a5, a5, -1292: from a program that looks for virtio on PCI.
    const code = Uint8Array.from([0x89, 0x67, 0x1b, 0x16, 0x06, 0x01, 0x93, 0x87, 0x47, 0xaf]);
    expect([...constantsInCode(code, [0x1af4, 0x2af4])]).toEqual([0x1af4]);
    // c.lui a5, -1; addi a5, a5, 5
    const negative = Uint8Array.from([0xfd, 0x77, 0x93, 0x87, 0x57, 0x00]);
    expect([...constantsInCode(negative, [0xffff_f005])]).toEqual([0xffff_f005]);
  });

  it("names CSRs", () => {
    // csrw stimecmp, a0; ecall.
    const code = new Uint8Array(Uint32Array.from([0x14d5_1073, 0x73]).buffer);
    expect([...csrsInCode(code, [0x14d, 0x015])]).toEqual([0x14d]);
  });
});

describe("release and configuration", () => {
  it("are those of the kernel", async () => {
    const image = fakeKernel({
      release: "6.12.9-rc1+deb13-riscv64",
      config: "CONFIG_HVC_RISCV_SBI=y\n# CONFIG_X is not set\n",
    });
    expect(kernelRelease(image)).toBe("6.12.9-rc1+deb13-riscv64");
    expect(await embeddedConfig(image)).toEqual(new Map([["HVC_RISCV_SBI", "y"]]));
    expect(kernelRelease(new TextEncoder().encode("Linux version \0"))).toBeUndefined();
    expect(kernelRelease(new TextEncoder().encode("Linux version ../../etc x"))).toBeUndefined();
  });

  it("of a damaged one are not there", async () => {
    const whole = ikconfig("CONFIG_A=y\n");
    const damaged = whole.slice();
    damaged[20] ^= 0xff;
    expect(await embeddedConfig(damaged)).toBeUndefined();
    expect(await embeddedConfig(whole.subarray(0, 20))).toBeUndefined();
  });

  it("are read by lines", () => {
    const config = parseConfig('CONFIG_A=y\nCONFIG_B=m\nCONFIG_C="text"\nCONFIG_D\n#CONFIG_E=y\n');
    expect([...config]).toEqual([
      ["A", "y"],
      ["B", "m"],
      ["C", "text"],
    ]);
  });
});
