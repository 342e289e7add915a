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
import type { DiskInterface } from "./options.ts";

/** virtio-mmio slots: the entropy source has the first, disks the others. */
const RNG_SLOT = 0;
const FIRST_DISK_SLOT = 1;
const DISK_SLOTS = 7;

/** PCI functions: the console, NVMe controllers, then the AHCI controller. Slot 0 is the host bridge. */
const CONSOLE_PCI_SLOT = 1;
const CONSOLE_INSTANCE = 8;
const FIRST_NVME_PCI_SLOT = 2;
const NVME_CONTROLLERS = 4;
const AHCI_PCI_SLOT = 6;
const AHCI_PORTS = 6;

/** Modes as startHart takes them. */
const MODE = { M: 3, S: 1 } as const;

export interface AttachedDisk {
  backend: DiskBackend;
  device: DiskInterface;
  /** NVMe: doorbells in memory. */
  doorbellBuffer?: boolean;
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
  /** Name of the second UART's stream, if there is one. */
  serial?: string;
}

/** @throws OptionError if there are more disks of a kind than the machine takes. */
export function checkDisks(disks: readonly AttachedDisk[]): void {
  const count = (device: string) => disks.filter((disk) => disk.device === device).length;
  if (count("virtio") > DISK_SLOTS)
    throw new OptionError(`more than ${DISK_SLOTS} virtio disks: attach the others as nvme`);
  if (count("nvme") > NVME_CONTROLLERS) {
    throw new OptionError(`more than ${NVME_CONTROLLERS} NVMe disks: attach the others as virtio`);
  }
  if (count("ahci") > AHCI_PORTS) {
    throw new OptionError(`more than ${AHCI_PORTS} AHCI disks: attach the others as virtio or nvme`);
  }
}

function attachDisks(engine: Engine, disks: readonly AttachedDisk[]): void {
  let slot = FIRST_DISK_SLOT;
  let controller = 0;
  let port = 0;
  disks.forEach(({ backend, device, doorbellBuffer }, number) => {
    const flags = backend.readOnly ? AttachFlag.READ_ONLY : 0;
    if (device === "virtio") {
      engine.exports.attachVirtioMmio(slot++, DeviceKind.VIRTIO_BLK, number, backend.size, flags);
    } else if (device === "ahci") {
      engine.exports.attachAhci(AHCI_PCI_SLOT, port++, number, backend.size, flags);
    } else {
      const pciSlot = FIRST_NVME_PCI_SLOT + controller;
      const offers = doorbellBuffer ? AttachFlag.DOORBELL_BUFFER : 0;
      engine.exports.attachNvme(pciSlot, controller++, number, backend.size, flags | offers);
    }
  });
}

function attachConsole(engine: Engine, ports: readonly NamedPort[]): void {
  const { exports } = engine;
  exports.attachVirtioPci(CONSOLE_PCI_SLOT, CONSOLE_INSTANCE, DeviceKind.VIRTIO_CONSOLE, 0, 0, 0);
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
  exports.attachVirtioMmio(RNG_SLOT, DeviceKind.VIRTIO_RNG, 0, 0, 0);
  attachDisks(engine, plan.disks);
  attachConsole(engine, plan.ports);
  startHarts(engine, plan);
}

function startHarts(engine: Engine, plan: MachinePlan): void {
  const { pc, a0, a1, a2, mode, harts } = plan.boot.entry;
  const count = harts === "all" ? plan.config.harts : 1;
  for (let hart = 0; hart < count; hart++) {
    engine.exports.startHart(hart, BigInt(pc), BigInt(a0), BigInt(a1), BigInt(a2), MODE[mode]);
  }
}
