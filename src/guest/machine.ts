// A machine ready to boot: engine memory configured, images placed, devices attached, and
// every hart at its entry. Called again for each reset, which loses nothing but what a
// reset of real hardware loses.
import { DeviceKind } from "../../assembly/abi/device.ts";
import { Machine } from "../../assembly/abi/layout.ts";
import { NET_PORTS } from "../../assembly/abi/net.ts";
import type { ShareBackend } from "../backend/9p/share-backend.ts";
import type { DiskBackend } from "../backend/disk.ts";
import type { Engine, EngineConfig } from "../engine/engine.ts";
import { AttachFlag } from "../engine/exports.ts";
import { HostError, OptionError } from "../errors.ts";
import type { DefinedDevice } from "../machine/define-device.ts";
import type { BootPlan } from "../machine/layout.ts";
import type { AttachedNet, NetOptions } from "./net-options.ts";
import type { AttachedVsock } from "./vsock-device.ts";

/** virtio-mmio slots: the entropy source has the first, disks the others. */
const RNG_SLOT = 0;
const FIRST_DISK_SLOT = 1;
const DISK_SLOTS = 7;

/** PCI functions: the console, then NVMe controllers. Slot 0 is the host bridge. */
const CONSOLE_PCI_SLOT = 1;
const CONSOLE_INSTANCE = 8;
const FIRST_NVME_PCI_SLOT = 2;
const NVME_CONTROLLERS = 4;

/** PCI functions of what is attached in the order of options, and instances of virtio devices there. */
const FIRST_FREE_PCI_SLOT = 7;
const FIRST_FREE_INSTANCE = CONSOLE_INSTANCE + 1;

/** Controllers that Intel made. */
const E1000_CONTROLLERS = 4;
/** The socket device is the last of both, wherever the others end. */
export const VSOCK_INSTANCE = 31;
const VSOCK_PCI_SLOT = 31;

/** Mbit/s that network devices tell: there is no wire, but Linux wants a number. */
const NET_SPEED = 10_000;

/** Modes as startHart takes them. */
const MODE = { M: 3, S: 1 } as const;

export interface AttachedDisk {
  backend: DiskBackend;
  device: "nvme" | "virtio";
}

/** A port of the virtio console beyond the console itself. */
export interface NamedPort {
  index: number;
  name: string;
}

/** A folder that the guest mounts by its tag. */
export interface AttachedShare {
  backend: ShareBackend;
  tag: string;
  readOnly: boolean;
}

export interface MachinePlan {
  config: EngineConfig;
  boot: BootPlan;
  disks: readonly AttachedDisk[];
  nets: readonly AttachedNet[];
  ports: readonly NamedPort[];
  shares: readonly AttachedShare[];
  vsock: AttachedVsock | undefined;
  devices: readonly DefinedDevice[];
}

/** @throws OptionError if there are more disks of a kind than the machine takes. */
export function checkDisks(disks: readonly AttachedDisk[]): void {
  const count = (device: string) => disks.filter((disk) => disk.device === device).length;
  if (count("virtio") > DISK_SLOTS)
    throw new OptionError(`more than ${DISK_SLOTS} virtio disks: attach the others as nvme`);
  if (count("nvme") > NVME_CONTROLLERS) {
    throw new OptionError(`more than ${NVME_CONTROLLERS} NVMe disks: attach the others as virtio`);
  }
}

/** @throws OptionError if there are more network devices than the machine takes. */
export function checkNets(nets: readonly NetOptions[]): void {
  if (nets.length > NET_PORTS) throw new OptionError(`more than ${NET_PORTS} network devices: leave some out`);
  if (nets.filter(({ model = "virtio" }) => model !== "virtio").length > E1000_CONTROLLERS) {
    throw new OptionError(
      `more than ${E1000_CONTROLLERS} network devices e1000 and e1000e: attach the others as virtio`,
    );
  }
}

/** What is free, in the order in which it is given away. */
interface Free {
  mmioSlot: number;
  pciSlot: number;
  instance: number;
}

function attachDisks(engine: Engine, disks: readonly AttachedDisk[], free: Free): void {
  let controller = 0;
  disks.forEach(({ backend, device }, number) => {
    const flags = backend.readOnly ? AttachFlag.READ_ONLY : 0;
    if (device === "virtio") {
      engine.exports.attachVirtioMmio(free.mmioSlot++, DeviceKind.VIRTIO_BLK, number, backend.size, flags);
    } else {
      const pciSlot = FIRST_NVME_PCI_SLOT + controller;
      engine.exports.attachNvme(pciSlot, controller++, number, backend.size, flags);
    }
  });
}

function attachNets(engine: Engine, nets: readonly AttachedNet[], isUp: (port: number) => boolean, free: Free): void {
  const { exports } = engine;
  let controller = 0;
  nets.forEach(({ model, transport, mac, mtu, queues }, port) => {
    const low = mac[0] | (mac[1] << 8) | (mac[2] << 16) | (mac[3] << 24);
    exports.netConfigure(port, low, mac[4] | (mac[5] << 8), mtu, queues, NET_SPEED, isUp(port) ? 1 : 0);
    switch (model) {
      case "virtio":
        if (transport === "mmio") exports.attachVirtioMmio(free.mmioSlot++, DeviceKind.VIRTIO_NET, port, 0, 0);
        else exports.attachVirtioPci(free.pciSlot++, free.instance++, DeviceKind.VIRTIO_NET, port, 0, 0);
        break;
      case "e1000":
      case "e1000e":
        exports.attachE1000(free.pciSlot++, controller++, model === "e1000" ? 0 : 1, port, low, mac[4] | (mac[5] << 8));
        break;
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

function attachShares(engine: Engine, shares: readonly AttachedShare[], free: Free): void {
  const { exports } = engine;
  shares.forEach(({ tag }, share) => {
    const instance = free.instance++;
    exports.attachVirtioPci(free.pciSlot++, instance, DeviceKind.VIRTIO_9P, share, 0, 0);
    exports.virtio9pSetTag(instance, Machine.SCRATCH, engine.writeScratch(new TextEncoder().encode(tag)));
  });
}

function attachVsock(engine: Engine, { cid }: AttachedVsock): void {
  engine.exports.attachVirtioPci(VSOCK_PCI_SLOT, VSOCK_INSTANCE, DeviceKind.VIRTIO_VSOCK, 0, 0, 0);
  engine.exports.vsockSetCid(VSOCK_INSTANCE, cid);
}

/** Brings the machine into its state at power-on. `isLinkUp` says it of each network port. */
export function powerOn(engine: Engine, plan: MachinePlan, isLinkUp: (port: number) => boolean = () => true): void {
  const { exports } = engine;
  engine.reset(plan.config);
  for (const { gpa, bytes, what } of plan.boot.pieces) {
    const target = engine.physical(gpa, bytes.length);
    if (target === undefined) throw new HostError(`${what} does not fit at 0x${gpa.toString(16)}: raise memory`);
    target.set(bytes);
  }
  exports.attachVirtioMmio(RNG_SLOT, DeviceKind.VIRTIO_RNG, 0, 0, 0);
  const free: Free = { mmioSlot: FIRST_DISK_SLOT, pciSlot: FIRST_FREE_PCI_SLOT, instance: FIRST_FREE_INSTANCE };
  attachDisks(engine, plan.disks, free);
  attachConsole(engine, plan.ports);
  for (const [index, { definition }] of plan.devices.entries()) exports.attachCustom(index, definition.size);
  attachNets(engine, plan.nets, isLinkUp, free);
  attachShares(engine, plan.shares, free);
  if (plan.vsock !== undefined) attachVsock(engine, plan.vsock);
  startHarts(engine, plan);
}

function startHarts(engine: Engine, plan: MachinePlan): void {
  const { pc, a0, a1, a2, mode, harts } = plan.boot.entry;
  const count = harts === "all" ? plan.config.harts : 1;
  for (let hart = 0; hart < count; hart++) {
    engine.exports.startHart(hart, BigInt(pc), BigInt(a0), BigInt(a1), BigInt(a2), MODE[mode]);
  }
}
