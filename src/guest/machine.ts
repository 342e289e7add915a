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
import type { Grants } from "../hypercall/resolve-policy.ts";
import type { DefinedDevice } from "../machine/define-device.ts";
import type { BootPlan } from "../machine/layout.ts";
import type { MemoryDevices } from "./memory.ts";
import type { AttachedNet, NetOptions } from "./net-options.ts";
import type { DiskInterface } from "./options.ts";
import { LAST_INSTANCE, LAST_PCI_SLOT, Places } from "./places.ts";
import type { VirtioDisk } from "./virtio-disk.ts";
import type { AttachedVsock } from "./vsock-device.ts";

/** virtio-mmio slots: the entropy source has the first, whatever asks for this transport the others. */
const RNG_SLOT = 0;
const DISK_SLOTS = 7;

/** PCI functions: the console, NVMe controllers, then the AHCI controller. Slot 0 is the host bridge. */
const CONSOLE_PCI_SLOT = 1;
const CONSOLE_INSTANCE = 8;
const FIRST_NVME_PCI_SLOT = 2;
export const NVME_CONTROLLERS = 4;
/** Ranges of memory with a disk behind them. */
const PMEM_DEVICES = 8;
const AHCI_PCI_SLOT = 6;
export const AHCI_PORTS = 6;

/** Controllers that Intel made. */
export const E1000_CONTROLLERS = 4;
/** The socket device is the last of both, wherever the others end. */
export const VSOCK_INSTANCE = LAST_INSTANCE;

/** Mbit/s that network devices tell: there is no wire, but Linux wants a number. */
const NET_SPEED = 10_000;

/** Modes as startHart takes them. */
const MODE = { M: 3, S: 1 } as const;

export interface AttachedDisk {
  backend: DiskBackend;
  device: DiskInterface;
  /** NVMe: doorbells in memory. */
  doorbellBuffer?: boolean;
  /** Of a virtio disk. */
  virtio?: VirtioDisk;
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
  /** Name of the second UART's stream, if there is one. */
  serial?: string;
  shares: readonly AttachedShare[];
  vsock: AttachedVsock | undefined;
  devices: readonly DefinedDevice[];
  /** What is behind persistent memory; the host's numbers of these go on after those of `disks`. */
  pmem: readonly DiskBackend[];
  memory: MemoryDevices;
  /** What the guest may call, and how much it may do. */
  grants: Grants;
  /** VirtioAttach, for console and entropy source. */
  virtioFlags: number;
}

/** @throws OptionError if there are more persistent memory devices than the machine takes. */
export function checkPmem(count: number): void {
  if (count > PMEM_DEVICES) throw new OptionError(`more than ${PMEM_DEVICES} pmem devices: attach the others as disks`);
}

/** @throws OptionError if there are more disks of a kind than the machine takes. */
export function checkDisks(disks: readonly AttachedDisk[]): void {
  const count = (device: string) => disks.filter((disk) => disk.device === device).length;
  const virtio = (transport: string) => disks.filter((disk) => disk.virtio?.transport === transport).length;
  if (virtio("mmio") > DISK_SLOTS) {
    throw new OptionError(`more than ${DISK_SLOTS} virtio disks over mmio: attach the others with transport=pci`);
  }
  if (count("nvme") > NVME_CONTROLLERS) {
    throw new OptionError(`more than ${NVME_CONTROLLERS} NVMe disks: attach the others as virtio`);
  }
  if (count("ahci") > AHCI_PORTS) {
    throw new OptionError(`more than ${AHCI_PORTS} AHCI disks: attach the others as virtio or nvme`);
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

/** Attaches a virtio device to the next PCI slot; its instance. */
function attachVirtio(engine: Engine, free: Places, kind: DeviceKind, backend = 0, bytes = 0, flags = 0): number {
  const instance = free.instance();
  engine.exports.attachVirtioPci(free.pciSlot(), instance, kind, backend, bytes, flags);
  return instance;
}

function attachDisks(engine: Engine, disks: readonly AttachedDisk[], free: Places): void {
  let controller = 0;
  let port = 0;
  disks.forEach(({ backend, device, virtio, doorbellBuffer }, number) => {
    const flags = (backend.readOnly ? AttachFlag.READ_ONLY : 0) | (virtio?.flags ?? 0);
    const kind = DeviceKind.VIRTIO_BLK;
    if (virtio?.transport === "pci") attachVirtio(engine, free, kind, number, backend.size, flags);
    else if (device === "virtio") {
      engine.exports.attachVirtioMmio(free.mmioSlot(), kind, number, backend.size, flags);
    } else if (device === "ahci") {
      engine.exports.attachAhci(AHCI_PCI_SLOT, port++, number, backend.size, flags);
    } else {
      const pciSlot = FIRST_NVME_PCI_SLOT + controller;
      const offers = doorbellBuffer ? AttachFlag.DOORBELL_BUFFER : 0;
      engine.exports.attachNvme(pciSlot, controller++, number, backend.size, flags | offers);
    }
  });
}

function attachNets(engine: Engine, nets: readonly AttachedNet[], isUp: (port: number) => boolean, free: Places): void {
  const { exports } = engine;
  let controller = 0;
  nets.forEach(({ model, transport, mac, mtu, queues }, port) => {
    const low = mac[0] | (mac[1] << 8) | (mac[2] << 16) | (mac[3] << 24);
    exports.netConfigure(port, low, mac[4] | (mac[5] << 8), mtu, queues, NET_SPEED, isUp(port) ? 1 : 0);
    switch (model) {
      case "virtio":
        if (transport === "mmio") exports.attachVirtioMmio(free.mmioSlot(), DeviceKind.VIRTIO_NET, port, 0, 0);
        else attachVirtio(engine, free, DeviceKind.VIRTIO_NET, port);
        break;
      case "e1000":
      case "e1000e":
        exports.attachE1000(free.pciSlot(), controller++, model === "e1000" ? 0 : 1, port, low, mac[4] | (mac[5] << 8));
        break;
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

function attachShares(engine: Engine, shares: readonly AttachedShare[], free: Places): void {
  const { exports } = engine;
  shares.forEach(({ tag }, share) => {
    const instance = attachVirtio(engine, free, DeviceKind.VIRTIO_9P, share);
    exports.virtio9pSetTag(instance, Machine.SCRATCH, engine.writeScratch(new TextEncoder().encode(tag)));
  });
}

function attachVsock(engine: Engine, { cid }: AttachedVsock): void {
  engine.exports.attachVirtioPci(LAST_PCI_SLOT, VSOCK_INSTANCE, DeviceKind.VIRTIO_VSOCK, 0, 0, 0);
  engine.exports.vsockSetCid(VSOCK_INSTANCE, cid);
}

function attachMemory(engine: Engine, free: Places, { disks, pmem, memory }: MachinePlan): void {
  const { exports } = engine;
  pmem.forEach((backend, i) => {
    const flags = backend.readOnly ? AttachFlag.READ_ONLY : 0;
    const instance = attachVirtio(engine, free, DeviceKind.VIRTIO_PMEM, disks.length + i, backend.size, flags);
    exports.virtioPmemSetPlace(instance, memory.layout.pmem[i].start / 4096);
  });
  if (memory.balloon) {
    memory.balloonInstance = attachVirtio(engine, free, DeviceKind.VIRTIO_BALLOON);
    exports.virtioBalloonSetTarget(memory.balloonInstance, memory.balloonTarget / 4096);
  }
  const { hotplug } = memory.layout;
  if (hotplug !== undefined) {
    memory.hotplugInstance = attachVirtio(engine, free, DeviceKind.VIRTIO_MEM, 0, hotplug.bytes);
    exports.virtioMemSetPlace(memory.hotplugInstance, hotplug.start / 4096);
    exports.virtioMemSetRequested(memory.hotplugInstance, memory.hotplugTarget);
  }
  if (memory.rtc) attachVirtio(engine, free, DeviceKind.VIRTIO_RTC);
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
  exports.attachVirtioMmio(RNG_SLOT, DeviceKind.VIRTIO_RNG, 0, 0, plan.virtioFlags);
  const free = new Places();
  attachDisks(engine, plan.disks, free);
  attachConsole(engine, plan.ports, plan.virtioFlags);
  for (const [index, { definition }] of plan.devices.entries()) exports.attachCustom(index, definition.size);
  attachNets(engine, plan.nets, isLinkUp, free);
  attachShares(engine, plan.shares, free);
  if (plan.vsock !== undefined) attachVsock(engine, plan.vsock);
  attachMemory(engine, free, plan);
  startHarts(engine, plan);
}

function startHarts(engine: Engine, plan: MachinePlan): void {
  const { pc, a0, a1, a2, mode, harts } = plan.boot.entry;
  const count = harts === "all" ? plan.config.harts : 1;
  for (let hart = 0; hart < count; hart++) {
    engine.exports.startHart(hart, BigInt(pc), BigInt(a0), BigInt(a1), BigInt(a2), MODE[mode]);
  }
}
