// The hardware model of this host: one of each device is attached to an engine, and a program of a
// few instructions looks for them there as a guest's drivers do: it reads virtio's identifiers and feature
// bits and PCI's ids, and asks the SBI which extensions it has. What does not answer is not in the model.
import { DeviceKind } from "../../assembly/abi/device.ts";
import { BootMode, ClockMode, Gpa, Tier } from "../../assembly/abi/layout.ts";
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import { VirtioMagic, VirtioMmio } from "../../assembly/abi/virtio.ts";
import { Engine, type EngineConfig } from "../engine/engine.ts";
import { idleHost } from "../engine/idle-host.ts";
import { hasTailCalls } from "../engine/translated.ts";
import { HostError } from "../errors.ts";
import type { Platform } from "../guest/platform.ts";
import { encode, type Operands } from "../isa/encode.ts";
import { CATALOGUE, type CatalogueRow } from "../machine/catalogue.ts";
import { ALL_EXTENSIONS, isaString, translationModes } from "../machine/cpu.ts";
import { type HardwareId, parseHardwareId } from "./hardware-id.ts";
import type { HardwareModel, HostAbilities } from "./hardware-model.ts";
import { virtioFeatureNames } from "./virtio-features.ts";

const MIB = 1024 * 1024;
const RAM_BYTES = 4 * MIB;
const PROGRAM: number = Gpa.RAM;
/** The list of accesses: op, address and value, 8 bytes each, until op END. */
const LIST: number = Gpa.RAM + MIB;
const ENTRY = 24;
const enum Access {
  END = 0,
  WRITE = 1,
  READ = 2,
  /** SBI BASE probe_extension. */
  PROBE = 3,
}
const SBI_BASE = 0x10;
const SBI_PROBE_EXTENSION = 3;
const SUPERVISOR = 1;
/** More instructions than the program takes. */
const BUDGET = 100_000;

const [ZERO, T0, T1, T2, S0, A0, A1, A6, A7] = [0, 5, 6, 7, 8, 10, 11, 16, 17];

/** The program: goes through the list at a1. */
function listProgram(): number[] {
  const words: number[] = [];
  const add = (name: string, operands: Operands) => words.push(encode(name, operands));
  const at = () => words.length * 4;
  // Forward jumps are filled in when their target is known.
  const later = (name: string, operands: Operands) => {
    const from = at();
    words.push(0);
    return () => {
      words[from / 4] = encode(name, { ...operands, imm: at() - from });
    };
  };
  add("addi", { rd: S0, rs1: A1, imm: 0 });
  const loop = at();
  add("lw", { rd: T0, rs1: S0, imm: 0 });
  const toEnd = later("beq", { rs1: T0, rs2: ZERO });
  add("ld", { rd: T1, rs1: S0, imm: 8 });
  add("addi", { rd: T0, rs1: T0, imm: -Access.WRITE });
  const toRead = later("bne", { rs1: T0, rs2: ZERO });
  add("lw", { rd: T2, rs1: S0, imm: 16 });
  add("sw", { rs2: T2, rs1: T1, imm: 0 });
  const written = later("jal", { rd: ZERO });
  toRead();
  add("addi", { rd: T0, rs1: T0, imm: -1 });
  const toProbe = later("bne", { rs1: T0, rs2: ZERO });
  add("lwu", { rd: T2, rs1: T1, imm: 0 });
  add("sd", { rs2: T2, rs1: S0, imm: 16 });
  const read = later("jal", { rd: ZERO });
  toProbe();
  add("addi", { rd: A0, rs1: T1, imm: 0 });
  add("addi", { rd: A7, rs1: ZERO, imm: SBI_BASE });
  add("addi", { rd: A6, rs1: ZERO, imm: SBI_PROBE_EXTENSION });
  add("ecall", {});
  add("sd", { rs2: A1, rs1: S0, imm: 16 });
  written();
  read();
  add("addi", { rd: S0, rs1: S0, imm: ENTRY });
  add("jal", { rd: ZERO, imm: loop - at() });
  toEnd();
  add("addi", { rd: T0, rs1: ZERO, imm: 1 });
  add("sd", { rs2: T0, rs1: S0, imm: 16 });
  add("jal", { rd: ZERO, imm: 0 });
  return words;
}

interface Step {
  op: Access;
  address: number;
  value?: number;
}

/** Runs the list on `engine`, whose devices are attached; the value of each entry afterwards. */
function runList(engine: Engine, steps: readonly Step[]): bigint[] {
  const { view } = engine;
  const offset = (gpa: number): number => (engine.physical(gpa, ENTRY) as Uint8Array).byteOffset;
  listProgram().forEach((word, i) => {
    view.setUint32(offset(PROGRAM) + 4 * i, word, true);
  });
  const list = offset(LIST);
  [...steps, { op: Access.END, address: 0, value: 0 }].forEach(({ op, address, value = 0 }, i) => {
    view.setBigUint64(list + ENTRY * i, BigInt(op), true);
    view.setBigUint64(list + ENTRY * i + 8, BigInt(address), true);
    view.setBigUint64(list + ENTRY * i + 16, BigInt(value), true);
  });
  engine.exports.startHart(0, BigInt(PROGRAM), 0n, BigInt(LIST), 0n, SUPERVISOR);
  engine.exports.run(BUDGET);
  const values = steps.map((_, i) => view.getBigUint64(list + ENTRY * i + 16, true));
  if (view.getBigUint64(list + ENTRY * steps.length + 16, true) !== 1n) {
    throw new HostError("the engine did not answer when it was probed: run `npm run build` again");
  }
  return values;
}

/** Virtio devices by number, in the slots of the mmio transport, where the registers need no setting up; eight at a time. */
const VIRTIO_KINDS: readonly DeviceKind[] = [
  DeviceKind.VIRTIO_NET,
  DeviceKind.VIRTIO_BLK,
  DeviceKind.VIRTIO_CONSOLE,
  DeviceKind.VIRTIO_RNG,
  DeviceKind.VIRTIO_BALLOON,
  DeviceKind.VIRTIO_9P,
  DeviceKind.VIRTIO_VSOCK,
  DeviceKind.VIRTIO_PMEM,
  DeviceKind.VIRTIO_MEM,
  DeviceKind.VIRTIO_RTC,
];

const CONFIG: EngineConfig = {
  ...{ ramBytes: RAM_BYTES, harts: 1, extensions: ALL_EXTENSIONS, clock: ClockMode.VIRTUAL, boot: BootMode.PARAVIRT },
  ...{ wallBase: 0n, seed: 1n, virtualRate: 10, tier: Tier.INTERPRETER, codeCache: MIB },
};

/** Feature bits of virtio devices by number. */
function probeVirtio(engine: Engine): Map<number, bigint> {
  const features = new Map<number, bigint>();
  const { exports } = engine;
  for (let first = 0; first < VIRTIO_KINDS.length; first += PhysicalMap.VIRTIO_SLOTS) {
    engine.reset(CONFIG);
    exports.netConfigure(0, 0x12005452, 0x5634, 1500, 1, 10_000, 1);
    const kinds = VIRTIO_KINDS.slice(first, first + PhysicalMap.VIRTIO_SLOTS);
    for (const [slot, kind] of kinds.entries()) exports.attachVirtioMmio(slot, kind, 0, MIB, 0);
    const steps = kinds.flatMap((_, slot): Step[] => {
      const base = PhysicalMap.VIRTIO + slot * PhysicalMap.VIRTIO_SLOT_SIZE;
      const word = (sel: number): Step[] => [
        { op: Access.WRITE, address: base + VirtioMmio.DEVICE_FEATURES_SEL, value: sel },
        { op: Access.READ, address: base + VirtioMmio.DEVICE_FEATURES },
      ];
      return [
        { op: Access.READ, address: base + VirtioMmio.MAGIC_VALUE },
        { op: Access.READ, address: base + VirtioMmio.DEVICE_ID },
        ...word(0),
        ...word(1),
      ];
    });
    const values = runList(engine, steps);
    for (let at = 0; at < values.length; at += 6) {
      const [magic, device, , low, , high] = values.slice(at, at + 6);
      if (magic === BigInt(VirtioMagic.MAGIC) && device !== 0n) features.set(Number(device), low | (high << 32n));
    }
  }
  return features;
}

const PCI_SLOTS = { console: 1, nvme: 2, ahci: 6, e1000: 7, e1000e: 8 } as const;
const CONSOLE_INSTANCE = 8;

/** Vendor and device in one word, and class, of the functions on the bus. */
function probePci(engine: Engine): { id: number; class: number }[] {
  const { exports } = engine;
  engine.reset(CONFIG);
  exports.attachVirtioPci(PCI_SLOTS.console, CONSOLE_INSTANCE, DeviceKind.VIRTIO_CONSOLE, 0, 0, 0);
  exports.attachNvme(PCI_SLOTS.nvme, 0, 0, MIB, 0);
  exports.attachAhci(PCI_SLOTS.ahci, 0, 0, MIB, 0);
  exports.attachE1000(PCI_SLOTS.e1000, 0, 0, 0, 0x12005452, 0x5634);
  exports.attachE1000(PCI_SLOTS.e1000e, 1, 1, 1, 0x12005452, 0x5734);
  const slots = [0, ...Object.values(PCI_SLOTS)];
  const values = runList(
    engine,
    slots.flatMap((slot) => {
      const config = PhysicalMap.PCIE_ECAM + slot * 0x8000;
      return [
        { op: Access.READ, address: config },
        { op: Access.READ, address: config + 8 },
      ];
    }),
  );
  return slots.map((_, i) => ({ id: Number(values[2 * i]), class: Number(values[2 * i + 1]) >>> 8 }));
}

/** Those of `eids` that the SBI has. */
function probeSbi(engine: Engine, eids: readonly number[]): Set<number> {
  engine.reset(CONFIG);
  const values = runList(
    engine,
    eids.map((address) => ({ op: Access.PROBE, address })),
  );
  return new Set(eids.filter((_, i) => values[i] !== 0n));
}

/** Bytes of pages: of Sv39, the larger ones of the wider modes, and Svnapot's. */
function pageSizes(extensions: string): number[] {
  const sizes = [2 ** 12, 2 ** 21, 2 ** 30];
  if (extensions.includes("_svnapot")) sizes.push(2 ** 16);
  if (extensions.includes("_sv48")) sizes.push(2 ** 39);
  if (extensions.includes("_sv57")) sizes.push(2 ** 48);
  return sizes.sort((a, b) => a - b);
}

function hasThreads(): boolean {
  // A module with a shared memory.
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 4, 1, 3, 1, 1]));
}

const NO_HOST = { files: false, sockets: false, unixSockets: false, tap: false };

async function probe(platform: Platform): Promise<HardwareModel> {
  const module = await platform.loadModule("engine");
  const engine = Engine.create(module, RAM_BYTES, () => idleHost);
  const isa = [isaString(ALL_EXTENSIONS), ...translationModes(ALL_EXTENSIONS)].join("_");
  const rows: readonly CatalogueRow[] = CATALOGUE;
  const virtio = probeVirtio(engine);
  const pci = probePci(engine);
  const ids = rows.flatMap(({ compatible }) => compatible.map(parseHardwareId));
  const sbi = probeSbi(
    engine,
    ids.flatMap((id) => (id.bus === "sbi" ? [id.eid] : [])),
  );
  const isThere = (id: HardwareId): boolean => {
    switch (id.bus) {
      case "virtio":
        return virtio.has(id.device);
      case "sbi":
        return sbi.has(id.eid);
      case "isa":
        return isa.split("_").includes(id.extension);
      case "pci-class":
        return pci.some((it) => it.class === id.class);
      // The functions of virtio devices differ in their number alone, which is the device's.
      case "pci":
        return (
          id.vendor === VirtioMagic.PCI_VENDOR_ID || pci.some((it) => it.id === ((id.device << 16) | id.vendor) >>> 0)
        );
      default:
        // What has a node in the device tree is part of the board.
        return true;
    }
  };
  const devices = rows
    .filter(({ compatible }) => compatible.map(parseHardwareId).every(isThere))
    .map(({ id, function: name, form, compatible, transport }) => {
      const number = compatible.map(parseHardwareId).find((it) => it.bus === "virtio");
      const features =
        number?.bus === "virtio" ? virtioFeatureNames(number.device, virtio.get(number.device) ?? 0n) : [];
      if (id === "nvme-dbbuf") features.push("NVME_OACS_DBBUF");
      if (transport === "sbi") features.push("SBI_2_0");
      return { function: name, form, device: id, features };
    });
  const abilities: HostAbilities = {
    ...NO_HOST,
    ...platform.abilities?.(),
    wasmTailCalls: hasTailCalls(),
    wasmThreads: hasThreads(),
  };
  return { schema: 1, isa, pageSizes: pageSizes(isa), devices, host: abilities };
}

/** It cannot change while the process runs. */
const models = new WeakMap<Platform, Promise<HardwareModel>>();

/** What this host offers its guests. @throws HostError if the engine cannot be loaded. */
export function probeHardware(platform: Platform): Promise<HardwareModel> {
  let model = models.get(platform);
  if (model === undefined) {
    model = probe(platform);
    models.set(platform, model);
    model.catch(() => models.delete(platform));
  }
  return model.then((it) => structuredClone(it));
}
