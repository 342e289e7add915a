// Hardware models: what this host offers, and what passes for a model of another.
import { describe, expect, it } from "vitest";
import { Ext } from "../../assembly/abi/ext.ts";
import { closure, parseIsa, programNeeds } from "../../src/compat/elf-isa.ts";
import { checkHardwareModel, commonHardware, parseHardwareModel } from "../../src/compat/hardware-model.ts";
import { type HardwareModel, hardwareModel, OptionError } from "../../src/index.ts";
import { CATALOGUE } from "../../src/machine/catalogue.ts";
import { ALL_EXTENSIONS, hasExtension, isaExtensions, limitCpu, parseCpu } from "../../src/machine/cpu.ts";
import { staticProgram } from "../guest/elf-files.ts";

const MODEL: HardwareModel = {
  schema: 1,
  isa: "rv64imac",
  pageSizes: [4096],
  devices: [{ function: "block", form: "emulated", device: "nvme", features: [] }],
};

/** A program of one segment, and one with attributes. */
function withAttributes(arch: string): Uint8Array {
  const text = new TextEncoder().encode(`A\0\0\0\0riscv\0\x01\0\0\0\0\x05${arch}\0`);
  const program = staticProgram(new Uint8Array(56));
  const bytes = new Uint8Array(program.length + text.length);
  bytes.set(program);
  bytes.set(text, program.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(56, 2, true);
  view.setUint32(64 + 56, 0x7000_0003, true);
  view.setBigUint64(64 + 56 + 8, BigInt(program.length), true);
  view.setBigUint64(64 + 56 + 32, BigInt(text.length), true);
  return bytes;
}

describe("this host", () => {
  it("offers every row of the catalogue, and virtio's feature bits by name", async () => {
    const model = await hardwareModel();
    expect(model.devices.map(({ device }) => device)).toEqual(CATALOGUE.map(({ id }) => id));
    expect(checkHardwareModel(JSON.parse(JSON.stringify(model)))).toEqual(model);
    const features = (id: string) => model.devices.find(({ device }) => device === id)?.features;
    expect(features("virtio-blk")).toEqual(
      expect.arrayContaining(["VIRTIO_F_VERSION_1", "VIRTIO_BLK_F_FLUSH", "VIRTIO_BLK_F_DISCARD"]),
    );
    expect(features("virtio-net")).toEqual(expect.arrayContaining(["VIRTIO_NET_F_MAC", "VIRTIO_NET_F_CTRL_VQ"]));
    expect(features("virtio-mem")).toContain("VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE");
    expect(features("ns16550a")).toEqual([]);
    expect(model.pageSizes).toEqual([2 ** 12, 2 ** 16, 2 ** 21, 2 ** 30, 2 ** 39, 2 ** 48]);
    expect(parseIsa(model.isa)).toEqual([...isaExtensions(ALL_EXTENSIONS), "sv39", "sv48", "sv57"]);
    expect(model.host).toMatchObject({ files: true, sockets: true, wasmTailCalls: true, wasmThreads: true });
  });
});

describe("a model of another host", () => {
  it.each<[unknown, RegExp]>([
    [{ ...MODEL, schema: 2 }, /^model m: schema is 2: write 1$/],
    [{ ...MODEL, schema: undefined }, /schema is missing: add it/],
    [{ ...MODEL, isa: "x86-64" }, /isa is "x86-64": write an ISA string, such as/],
    [{ ...MODEL, pageSizes: [] }, /pageSizes is \[\]: write at least one size/],
    [{ ...MODEL, pageSizes: [4096, 5000] }, /pageSizes\[1\] is 5000: write a power of two/],
    [{ ...MODEL, pageSizes: ["4096"] }, /pageSizes\[0\] is "4096": write a power of two/],
    [
      { ...MODEL, devices: [{ ...MODEL.devices[0], form: "real" }] },
      /devices\[0\].form is "real": write "emulated" or "paravirt" or "direct"/,
    ],
    [
      { ...MODEL, devices: [{ ...MODEL.devices[0], device: "floppy" }] },
      /devices\[0\].device is "floppy": write a device that/,
    ],
    [
      { ...MODEL, devices: [{ ...MODEL.devices[0], form: "paravirt" }] },
      /nvme as block, paravirt: it is block, emulated/,
    ],
    [{ ...MODEL, devices: [{ ...MODEL.devices[0], features: [1] }] }, /devices\[0\].features\[0\] is 1: write/],
    [{ ...MODEL, colour: "blue" }, /colour is not known: write an object with schema, isa, pageSizes, devices, host/],
    [[], /^model m: it is \[\]: write an object with schema/],
    ["model", /^model m: it is "model": write/],
  ])("%j is refused", (value, message) => {
    expect(() => checkHardwareModel(value, "model m")).toThrow(message);
    expect(() => checkHardwareModel(value, "model m")).toThrow(OptionError);
  });

  it("is JSON of a model's size", () => {
    expect(parseHardwareModel(JSON.stringify(MODEL))).toEqual(MODEL);
    expect(() => parseHardwareModel("{", "model m")).toThrow(/model m is no JSON/);
    expect(() => parseHardwareModel(" ".repeat(2 ** 21))).toThrow(/larger than/);
  });

  it("of random contents is refused in words, or is sound", () => {
    let state = 11;
    const next = (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
    const VALUES: unknown[] = [
      null,
      0,
      -1,
      1e300,
      "",
      "rv64gc",
      [],
      {},
      true,
      [4096],
      ["x"],
      "\u0000",
      { device: "nvme" },
    ];
    const mutate = (value: unknown): unknown => {
      if (next(4) === 0 || typeof value !== "object" || value === null) return VALUES[next(VALUES.length)];
      if (Array.isArray(value)) return value.map((it) => (next(3) === 0 ? mutate(it) : it));
      return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, next(3) === 0 ? mutate(it) : it]));
    };
    let refused = 0;
    for (let run = 0; run < 10_000; run++) {
      try {
        const model = checkHardwareModel(mutate(MODEL), "model m");
        expect(model.schema).toBe(1);
        expect(model.pageSizes.every((bytes) => Number.isInteger(Math.log2(bytes)))).toBe(true);
      } catch (error) {
        refused++;
        expect(error).toBeInstanceOf(OptionError);
        expect((error as Error).message).toMatch(
          /^model m: .+ (is .+: write .+|is missing: add it|is not known: leave it out)$/,
        );
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  it("gives a guest here no more than both have", async () => {
    const own = await hardwareModel();
    const devices = [
      {
        function: "block",
        form: "paravirt" as const,
        device: "virtio-blk",
        features: ["VIRTIO_F_VERSION_1", "VIRTIO_F_SR_IOV"],
      },
    ];
    const common = commonHardware({ ...MODEL, isa: "rv64imacv_zba_sv39", devices }, own);
    expect(common.isa).toBe("rv64imac_zba_sv39");
    expect(common.devices).toEqual([{ ...devices[0], features: ["VIRTIO_F_VERSION_1"] }]);
  });
});

describe("an ISA", () => {
  it("is read with versions and without", () => {
    expect(parseIsa("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zifencei2p0_zmmul1p0")).toEqual([
      "i",
      "m",
      "a",
      "f",
      "d",
      "c",
      "zicsr",
      "zifencei",
      "zmmul",
    ]);
    expect(parseIsa("rv64gc_zba")).toEqual(["i", "m", "a", "f", "d", "zicsr", "zifencei", "c", "zba"]);
    expect(parseIsa("armv8")).toEqual([]);
    expect([...closure(["i", "m", "a", "d", "c"])]).toEqual(
      expect.arrayContaining(["zmmul", "zaamo", "zca", "zcd", "f"]),
    );
    expect(closure(["c"]).has("zcd")).toBe(false);
  });

  it("is taken from a program's flags where it has no attributes", () => {
    expect(programNeeds(staticProgram(new Uint8Array(4)))).toEqual({ extensions: ["i", "c", "f", "d"], align: 4096 });
    expect(programNeeds(new Uint8Array(200))).toBeUndefined();
    const cut = staticProgram(new Uint8Array(4));
    for (let end = 0; end < cut.length; end++) expect(() => programNeeds(cut.subarray(0, end))).not.toThrow();
    const hostile = cut.slice();
    new DataView(hostile.buffer).setBigUint64(32, 0xffff_ffff_ffff_ff00n, true);
    expect(programNeeds(hostile)).toEqual({ extensions: ["i", "c", "f", "d"], align: 0 });
  });

  it("is taken from a program's attributes, without the properties of a profile", () => {
    const arch = "rv64i2p1_m2p0_ziccamoa1p0_ziccif1p0_zicsr2p0_zba1p0";
    expect(programNeeds(withAttributes(arch))?.extensions).toEqual(["i", "m", "zicsr", "zba"]);
  });

  it("limits a hart to what a model has, with all that needs it", () => {
    const text = limitCpu("rv64,zbb=off", closure(parseIsa("rv64imafc_zicsr_zifencei_sstc_sv39")));
    const extensions = parseCpu(text);
    for (const ext of [Ext.I, Ext.F, Ext.SSTC, Ext.S]) expect(hasExtension(extensions, ext)).toBe(true);
    for (const ext of [Ext.D, Ext.ZBA, Ext.ZBB, Ext.SV48, Ext.SV57, Ext.SVADU])
      expect(hasExtension(extensions, ext)).toBe(false);
  });
});
