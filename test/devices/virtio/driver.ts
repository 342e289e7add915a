// A driver for any virtio device, over either transport, that can also misbehave: it
// writes what it is told into descriptors and rings.
import type { DeviceKind } from "../../../assembly/abi/device.ts";
import { Map as Board, Irq } from "../../../assembly/abi/memory-map.ts";
import {
  VirtioAttach,
  VirtioFeature,
  VirtioMmio,
  VirtioPciCap,
  VirtioPciCommon,
  VirtioStatus,
} from "../../../assembly/abi/virtio.ts";
import { type Machine, RAM } from "./machine.ts";
import { type DriverQueue, PackedQueue, SplitQueue } from "./rings.ts";

export type { Buffer, DriverQueue } from "./rings.ts";

export interface Transport {
  readonly machine: Machine;
  readonly name: string;
  /** Number of the device: state, counters, host calls. */
  readonly index: number;
  /** Source of its interrupt at the PLIC. */
  readonly irq: number;
  deviceFeatures(): bigint;
  askFeatures(features: bigint): void;
  status(): number;
  setStatus(value: number): void;
  selectQueue(queue: number): void;
  queueMax(): number;
  setQueueSize(size: number): void;
  setAddresses(desc: number, avail: number, used: number): void;
  enable(): void;
  enabled(): boolean;
  /** Notifies a queue; `data` is the whole value where notification data was agreed. */
  notify(queue: number, data?: number): void;
  /** Resets the selected queue alone; what the register then shows. */
  resetQueue(): number;
  config(offset: number, size: number): number;
  setConfig(offset: number, size: number, value: number): void;
  generation(): number;
  /** Interrupt status, acknowledged by this. */
  takeInterrupt(): number;
}

export class MmioTransport implements Transport {
  readonly name = "mmio";
  readonly irq: number;
  constructor(
    readonly machine: Machine,
    readonly index: number,
  ) {
    this.irq = Irq.VIRTIO + index;
  }
  private get base(): number {
    return Board.VIRTIO + this.index * Board.VIRTIO_SLOT_SIZE;
  }
  get(register: number): number {
    return this.machine.read(this.base + register, 4);
  }
  set(register: number, value: number): void {
    this.machine.write(this.base + register, 4, value >>> 0);
  }
  deviceFeatures(): bigint {
    let features = 0n;
    for (const word of [0, 1]) {
      this.set(VirtioMmio.DEVICE_FEATURES_SEL, word);
      features |= BigInt(this.get(VirtioMmio.DEVICE_FEATURES)) << BigInt(32 * word);
    }
    return features;
  }
  askFeatures(features: bigint): void {
    for (const word of [0, 1]) {
      this.set(VirtioMmio.DRIVER_FEATURES_SEL, word);
      this.set(VirtioMmio.DRIVER_FEATURES, Number((features >> BigInt(32 * word)) & 0xffff_ffffn));
    }
  }
  status(): number {
    return this.get(VirtioMmio.STATUS);
  }
  setStatus(value: number): void {
    this.set(VirtioMmio.STATUS, value);
  }
  selectQueue(queue: number): void {
    this.set(VirtioMmio.QUEUE_SEL, queue);
  }
  queueMax(): number {
    return this.get(VirtioMmio.QUEUE_NUM_MAX);
  }
  setQueueSize(size: number): void {
    this.set(VirtioMmio.QUEUE_NUM, size);
  }
  setAddresses(desc: number, avail: number, used: number): void {
    const registers = [VirtioMmio.QUEUE_DESC_LOW, VirtioMmio.QUEUE_DRIVER_LOW, VirtioMmio.QUEUE_DEVICE_LOW];
    [desc, avail, used].forEach((address, i) => {
      this.set(registers[i], address);
      this.set(registers[i] + 4, Math.floor(address / 2 ** 32));
    });
  }
  enable(): void {
    this.set(VirtioMmio.QUEUE_READY, 1);
  }
  enabled(): boolean {
    return this.get(VirtioMmio.QUEUE_READY) === 1;
  }
  notify(queue: number, data = queue): void {
    this.set(VirtioMmio.QUEUE_NOTIFY, data);
  }
  resetQueue(): number {
    this.set(VirtioMmio.QUEUE_RESET, 1);
    return this.get(VirtioMmio.QUEUE_RESET);
  }
  config(offset: number, size: number): number {
    return this.machine.read(this.base + VirtioMmio.CONFIG + offset, size);
  }
  setConfig(offset: number, size: number, value: number): void {
    this.machine.write(this.base + VirtioMmio.CONFIG + offset, size, value);
  }
  generation(): number {
    return this.get(VirtioMmio.CONFIG_GENERATION);
  }
  takeInterrupt(): number {
    const status = this.get(VirtioMmio.INTERRUPT_STATUS);
    this.set(VirtioMmio.INTERRUPT_ACK, status);
    return status;
  }
}

/** Finds its device as a driver does: configuration space, BARs, vendor capabilities. */
export class PciTransport implements Transport {
  readonly name = "pci";
  readonly irq: number;
  readonly capabilities = new Map<number, { at: number; bar: number; offset: number; length: number }>();
  readonly bars: number[] = [];
  multiplier = 0;
  constructor(
    readonly machine: Machine,
    readonly index: number,
    readonly slot: number,
  ) {
    this.irq = Irq.PCIE + (slot & 3);
    // BAR 1 below 4 GiB, BAR 4 (64 bits) in the high window.
    this.bars[1] = Board.PCIE_MMIO + slot * 0x10_0000;
    this.bars[4] = Board.PCIE_MMIO64_PAGE * 4096 + slot * 0x10_0000;
    this.setPci(0x14, 4, this.bars[1]);
    this.setPci(0x20, 4, this.bars[4] % 2 ** 32);
    this.setPci(0x24, 4, Math.floor(this.bars[4] / 2 ** 32));
    this.setPci(0x04, 2, 0x6); // memory space, bus master
    for (let at = this.pci(0x34, 1); at !== 0; at = this.pci(at + 1, 1)) {
      if (this.pci(at, 1) !== 0x09) continue;
      const type = this.pci(at + 3, 1);
      this.capabilities.set(type, {
        at,
        bar: this.pci(at + 4, 1),
        offset: this.pci(at + 8, 4),
        length: this.pci(at + 12, 4),
      });
      if (type === VirtioPciCap.NOTIFY) this.multiplier = this.pci(at + 16, 4);
    }
  }
  pci(register: number, size: number): number {
    return this.machine.read(Board.PCIE_ECAM + (this.slot << 15) + register, size);
  }
  setPci(register: number, size: number, value: number): void {
    this.machine.write(Board.PCIE_ECAM + (this.slot << 15) + register, size, value >>> 0);
  }
  address(type: VirtioPciCap): number {
    const capability = this.capabilities.get(type);
    if (capability === undefined) throw new Error(`no capability of type ${type} on slot ${this.slot}`);
    return this.bars[capability.bar] + capability.offset;
  }
  get(register: VirtioPciCommon, size: number): number {
    return this.machine.read(this.address(VirtioPciCap.COMMON) + register, size);
  }
  set(register: VirtioPciCommon, size: number, value: number): void {
    this.machine.write(this.address(VirtioPciCap.COMMON) + register, size, value >>> 0);
  }
  deviceFeatures(): bigint {
    let features = 0n;
    for (const word of [0, 1]) {
      this.set(VirtioPciCommon.DEVICE_FEATURE_SELECT, 4, word);
      features |= BigInt(this.get(VirtioPciCommon.DEVICE_FEATURE, 4)) << BigInt(32 * word);
    }
    return features;
  }
  askFeatures(features: bigint): void {
    for (const word of [0, 1]) {
      this.set(VirtioPciCommon.DRIVER_FEATURE_SELECT, 4, word);
      this.set(VirtioPciCommon.DRIVER_FEATURE, 4, Number((features >> BigInt(32 * word)) & 0xffff_ffffn));
    }
  }
  status(): number {
    return this.get(VirtioPciCommon.DEVICE_STATUS, 1);
  }
  setStatus(value: number): void {
    this.set(VirtioPciCommon.DEVICE_STATUS, 1, value);
  }
  selectQueue(queue: number): void {
    this.set(VirtioPciCommon.QUEUE_SELECT, 2, queue);
  }
  queueMax(): number {
    return this.get(VirtioPciCommon.QUEUE_SIZE, 2);
  }
  setQueueSize(size: number): void {
    this.set(VirtioPciCommon.QUEUE_SIZE, 2, size);
  }
  setAddresses(desc: number, avail: number, used: number): void {
    const registers = [
      VirtioPciCommon.QUEUE_DESC_LOW,
      VirtioPciCommon.QUEUE_DRIVER_LOW,
      VirtioPciCommon.QUEUE_DEVICE_LOW,
    ];
    [desc, avail, used].forEach((address, i) => {
      this.set(registers[i], 4, address);
      this.set(registers[i] + 4, 4, Math.floor(address / 2 ** 32));
    });
  }
  enable(): void {
    this.set(VirtioPciCommon.QUEUE_ENABLE, 2, 1);
  }
  enabled(): boolean {
    return this.get(VirtioPciCommon.QUEUE_ENABLE, 2) === 1;
  }
  notify(queue: number, data?: number): void {
    this.selectQueue(queue);
    const off = this.get(VirtioPciCommon.QUEUE_NOTIFY_OFF, 2);
    const at = this.address(VirtioPciCap.NOTIFY) + off * this.multiplier;
    if (data === undefined) this.machine.write(at, 2, queue);
    else this.machine.write(at, 4, data);
  }
  resetQueue(): number {
    this.set(VirtioPciCommon.QUEUE_RESET, 2, 1);
    return this.get(VirtioPciCommon.QUEUE_RESET, 2);
  }
  config(offset: number, size: number): number {
    return this.machine.read(this.address(VirtioPciCap.DEVICE) + offset, size);
  }
  setConfig(offset: number, size: number, value: number): void {
    this.machine.write(this.address(VirtioPciCap.DEVICE) + offset, size, value);
  }
  generation(): number {
    return this.get(VirtioPciCommon.CONFIG_GENERATION, 1);
  }
  takeInterrupt(): number {
    return this.machine.read(this.address(VirtioPciCap.ISR), 1);
  }
}

export interface Attachment {
  kind: DeviceKind;
  backend?: number;
  capacity?: number;
  flags?: number;
}

/** Attaches the device to mmio slot 2. */
export function attachMmio(m: Machine, a: Attachment): MmioTransport {
  if (!m.call("attachVirtioMmio", 2, a.kind, a.backend ?? 7, a.capacity ?? 0, a.flags ?? 0))
    throw new Error("slot taken");
  return new MmioTransport(m, 2);
}

/** Attaches the device as PCI function 00:03.0, instance 9. */
export function attachPci(m: Machine, a: Attachment): PciTransport {
  const attached = m.call("attachVirtioPci", 3, 9, a.kind, a.backend ?? 7, a.capacity ?? 0, a.flags ?? 0);
  if (!attached) throw new Error("slot taken");
  m.call("pciReset");
  return new PciTransport(m, 9, 3);
}

type Attach = (m: Machine, a: Attachment) => Transport;

export const transports: { name: string; attach: Attach }[] = [
  { name: "mmio", attach: attachMmio },
  { name: "pci", attach: attachPci },
];

/** Every transport with every form of ring: a device must not notice. */
export const forms = transports.flatMap(({ name, attach }) => {
  const packed: Attach = (m, a) => attach(m, { ...a, flags: (a.flags ?? 0) | VirtioAttach.RING_PACKED });
  return [
    { name, attach, isPacked: false },
    { name: `${name}, packed`, attach: packed, isPacked: true },
  ];
});

export const READY = VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK | VirtioStatus.DRIVER_OK;

export const bit = (n: number): bigint => 1n << BigInt(n);

export class Driver {
  private free = RAM + 0x1000;
  readonly queues: DriverQueue[] = [];
  /** What was asked for at the last negotiation. */
  features = 0n;

  constructor(
    readonly machine: Machine,
    readonly transport: Transport,
  ) {}

  allocate(length: number, align = 16): number {
    const at = Math.ceil(this.free / align) * align;
    this.free = at + length;
    return at;
  }

  /** Puts bytes into guest memory. */
  place(bytes: ArrayLike<number>): number {
    const at = this.allocate(bytes.length);
    this.machine.fill(at, bytes);
    return at;
  }

  has(feature: number): boolean {
    return (this.features & bit(feature)) !== 0n;
  }

  negotiate(features: bigint): void {
    const t = this.transport;
    this.features = features;
    t.setStatus(0);
    t.setStatus(VirtioStatus.ACKNOWLEDGE);
    t.setStatus(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
    t.askFeatures(features);
    t.setStatus(VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK);
  }

  setUpQueue(number: number, size: number): DriverQueue {
    const q = this.has(VirtioFeature.RING_PACKED)
      ? new PackedQueue(this, number, size)
      : new SplitQueue(this, number, size);
    const t = this.transport;
    t.selectQueue(number);
    t.setQueueSize(size);
    t.setAddresses(q.desc, q.avail, q.used);
    t.enable();
    this.queues[number] = q;
    return q;
  }

  /** The whole of initialisation: all features on offer but `without`. */
  start(sizes: number[], without: number[] = [VirtioFeature.EVENT_IDX]): DriverQueue[] {
    const features = this.transport.deviceFeatures();
    this.negotiate(without.reduce((f, n) => f & ~bit(n), features));
    sizes.forEach((size, number) => {
      this.setUpQueue(number, size);
    });
    this.transport.setStatus(READY);
    return this.queues;
  }
}
