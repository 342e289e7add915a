// A machine ready to boot: engine memory configured, images placed, devices attached, and
// every hart at its entry. Called again for each reset, which loses nothing but what a
// reset of real hardware loses.
import { DeviceKind } from "../../assembly/abi/device.ts";
import { Machine } from "../../assembly/abi/layout.ts";
import type { DiskBackend } from "../backend/disk.ts";
import type { Engine, EngineConfig } from "../engine/engine.ts";
import { AttachFlag } from "../engine/exports.ts";
import { HostError, OptionError } from "../errors.ts";
import type { BootPlan } from "../machine/layout.ts";
import type { VirtioDisk } from "./virtio-disk.ts";

/** virtio-mmio slots: the entropy source has the first, disks the others. */
const RNG_SLOT = 0;
const FIRST_DISK_SLOT = 1;
const DISK_SLOTS = 7;

/** PCI functions: the console, then NVMe controllers. Slot 0 is the host bridge. */
const CONSOLE_PCI_SLOT = 1;
const CONSOLE_INSTANCE = 8;
const FIRST_NVME_PCI_SLOT = 2;
const NVME_CONTROLLERS = 4;

/** What is attached in order, as it comes: functions behind the fixed ones, and virtio devices on PCI. */
const FIRST_FREE_PCI_SLOT = 7;
const PCI_SLOTS = 32;
const FIRST_FREE_INSTANCE = 9;

/** Modes as startHart takes them. */
const MODE = { M: 3, S: 1 } as const;

export interface AttachedDisk {
  backend: DiskBackend;
  device: "nvme" | "virtio";
  /** Of a virtio disk. */
  virtio?: VirtioDisk;
}

/** A port of the virtio console beyond the console itself. */
export interface NamedPort {
  index: number;
  name: string;
}

export interface MachinePlan {
  config: EngineConfig;
  boot: BootPlan;
  disks: readonly AttachedDisk[];
  ports: readonly NamedPort[];
  /** VirtioAttach, for console and entropy source. */
  virtioFlags: number;
}

/** Hands out the places that functions and virtio devices on PCI get in order of attachment. */
class PciPlaces {
  #slot = FIRST_FREE_PCI_SLOT;
  #instance = FIRST_FREE_INSTANCE;

  slot(): number {
    return this.#slot++;
  }

  instance(): number {
    return this.#instance++;
  }
}

/** @throws OptionError if there are more disks of a kind than the machine takes. */
export function checkDisks(disks: readonly AttachedDisk[]): void {
  const count = (device: string) => disks.filter((disk) => disk.device === device).length;
  const virtio = (transport: string) => disks.filter((disk) => disk.virtio?.transport === transport).length;
  if (virtio("mmio") > DISK_SLOTS) {
    throw new OptionError(`more than ${DISK_SLOTS} virtio disks over mmio: attach the others with transport=pci`);
  }
  const free = PCI_SLOTS - FIRST_FREE_PCI_SLOT;
  if (virtio("pci") > free - 2) {
    throw new OptionError(`more than ${free - 2} virtio disks over PCI: attach others as nvme, or leave some out`);
  }
  if (count("nvme") > NVME_CONTROLLERS) {
    throw new OptionError(`more than ${NVME_CONTROLLERS} NVMe disks: attach the others as virtio`);
  }
}

function attachDisks(engine: Engine, disks: readonly AttachedDisk[], places: PciPlaces): void {
  let slot = FIRST_DISK_SLOT;
  let controller = 0;
  disks.forEach(({ backend, device, virtio }, number) => {
    const flags = (backend.readOnly ? AttachFlag.READ_ONLY : 0) | (virtio?.flags ?? 0);
    const kind = DeviceKind.VIRTIO_BLK;
    if (virtio?.transport === "pci") {
      engine.exports.attachVirtioPci(places.slot(), places.instance(), kind, number, backend.size, flags);
    } else if (device === "virtio") {
      engine.exports.attachVirtioMmio(slot++, kind, number, backend.size, flags);
    } else {
      const pciSlot = FIRST_NVME_PCI_SLOT + controller;
      engine.exports.attachNvme(pciSlot, controller++, number, backend.size, flags);
    }
  });
}

function attachConsole(engine: Engine, ports: readonly NamedPort[], flags: number): void {
  const { exports } = engine;
  exports.attachVirtioPci(CONSOLE_PCI_SLOT, CONSOLE_INSTANCE, DeviceKind.VIRTIO_CONSOLE, 0, 0, flags);
  exports.virtioConsoleSetPort(CONSOLE_INSTANCE, 0, 1, Machine.SCRATCH, 0);
  for (const { index, name } of ports) {
    const length = engine.writeScratch(new TextEncoder().encode(name));
    exports.virtioConsoleSetPort(CONSOLE_INSTANCE, index, 0, Machine.SCRATCH, length);
  }
}

/** Brings the machine into its state at power-on. */
export function powerOn(engine: Engine, plan: MachinePlan): void {
  const { exports } = engine;
  engine.reset(plan.config);
  for (const { gpa, bytes, what } of plan.boot.pieces) {
    const target = engine.physical(gpa, bytes.length);
    if (target === undefined) throw new HostError(`${what} does not fit at 0x${gpa.toString(16)}: raise memory`);
    target.set(bytes);
  }
  exports.attachVirtioMmio(RNG_SLOT, DeviceKind.VIRTIO_RNG, 0, 0, plan.virtioFlags);
  attachDisks(engine, plan.disks, new PciPlaces());
  attachConsole(engine, plan.ports, plan.virtioFlags);
  startHarts(engine, plan);
}

function startHarts(engine: Engine, plan: MachinePlan): void {
  const { pc, a0, a1, a2, mode, harts } = plan.boot.entry;
  const count = harts === "all" ? plan.config.harts : 1;
  for (let hart = 0; hart < count; hart++) {
    engine.exports.startHart(hart, BigInt(pc), BigInt(a0), BigInt(a1), BigInt(a2), MODE[mode]);
  }
}
