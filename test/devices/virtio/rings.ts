// The two forms of a virtqueue's ring as their driver has them (virtio 1.2, 2.7 and 2.8),
// and what a test that does not care which it is may use of them. Both can misbehave:
// they write what they are told.
import { VirtioFeature, VirtqFlag } from "../../../assembly/abi/virtio.ts";
import type { Driver } from "./driver.ts";

export interface Buffer {
  address: number;
  length: number;
  write?: boolean;
}

/** A chain that came back: the name that add() gave it, bytes written. */
export interface Used {
  head: number;
  length: number;
}

export interface DriverQueue {
  readonly driver: Driver;
  readonly number: number;
  readonly size: number;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  /** Makes buffers available; the chain's name. */
  add(buffers: Buffer[], indirect?: boolean): number;
  kick(): void;
  /** The next chain that came back, if there is one. */
  take(): Used | undefined;
  takeAll(): Used[];
  /** Does the device want a kick for the next chain? */
  readonly wantsKick: boolean;
  /** Asks for no interrupt. */
  silence(): void;
  /** With the event index: asks for one interrupt, when so many more chains are used as were taken so far. Each must be one entry. */
  interruptAfter(chains: number): void;
  /** All bytes of the ring's three parts. */
  snapshot(): Uint8Array;
}

function takeAll(q: DriverQueue): Used[] {
  const all = [];
  for (let u = q.take(); u !== undefined; u = q.take()) all.push(u);
  return all;
}

function notify(q: DriverQueue, next: number): void {
  const { driver, number } = q;
  if (driver.has(VirtioFeature.NOTIFICATION_DATA)) driver.transport.notify(number, ((next << 16) | number) >>> 0);
  else driver.transport.notify(number);
}

function snapshot(q: DriverQueue, lengths: [number, number, number]): Uint8Array {
  const { machine } = q.driver;
  return new Uint8Array([q.desc, q.avail, q.used].flatMap((at, i) => [...machine.peek(at, lengths[i])]));
}

/** A split virtqueue as its driver has it. */
export class SplitQueue implements DriverQueue {
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  private nextDescriptor = 0;
  availIndex = 0;
  usedIndex = 0;

  constructor(
    readonly driver: Driver,
    readonly number: number,
    readonly size: number,
  ) {
    this.desc = driver.allocate(16 * size, 16);
    this.avail = driver.allocate(6 + 2 * size, 2);
    this.used = driver.allocate(6 + 8 * size, 4);
  }

  /** Writes one descriptor; the caller says everything. */
  describe(index: number, address: number, length: number, flags: number, next: number, table = this.desc): void {
    const { view } = this.driver.machine;
    const at = this.driver.machine.at(table) + 16 * index;
    view.setBigUint64(at, BigInt(address), true);
    view.setUint32(at + 8, length, true);
    view.setUint16(at + 12, flags, true);
    view.setUint16(at + 14, next, true);
  }

  private chain(buffers: Buffer[], index: (i: number) => number, table: number): void {
    buffers.forEach((b, i) => {
      const last = i === buffers.length - 1;
      const flags = (b.write ? VirtqFlag.DESC_WRITE : 0) | (last ? 0 : VirtqFlag.DESC_NEXT);
      this.describe(index(i), b.address, b.length, flags, last ? 0 : index(i + 1), table);
    });
  }

  /** Makes buffers available; the head. Descriptors are reused round robin. */
  add(buffers: Buffer[], indirect = false): number {
    const head = this.nextDescriptor;
    if (indirect) {
      const table = this.driver.allocate(16 * buffers.length, 16);
      this.chain(buffers, (i) => i, table);
      this.describe(head, table, 16 * buffers.length, VirtqFlag.DESC_INDIRECT, 0);
      this.nextDescriptor = (head + 1) % this.size;
    } else {
      this.chain(buffers, (i) => (head + i) % this.size, this.desc);
      this.nextDescriptor = (head + buffers.length) % this.size;
    }
    this.offer(head);
    return head;
  }

  /** Puts a head into the available ring and publishes it. */
  offer(head: number): void {
    const { view } = this.driver.machine;
    const at = this.driver.machine.at(this.avail);
    view.setUint16(at + 4 + 2 * (this.availIndex % this.size), head, true);
    this.setAvailIndex(this.availIndex + 1);
  }

  setAvailIndex(index: number): void {
    this.availIndex = index & 0xffff;
    this.driver.machine.view.setUint16(this.driver.machine.at(this.avail) + 2, this.availIndex, true);
  }

  setAvailFlags(flags: number): void {
    this.driver.machine.view.setUint16(this.driver.machine.at(this.avail), flags, true);
  }

  set usedEvent(index: number) {
    this.driver.machine.view.setUint16(this.driver.machine.at(this.avail) + 4 + 2 * this.size, index & 0xffff, true);
  }

  get availEvent(): number {
    return this.driver.machine.view.getUint16(this.driver.machine.at(this.used) + 4 + 8 * this.size, true);
  }

  get usedFlags(): number {
    return this.driver.machine.view.getUint16(this.driver.machine.at(this.used), true);
  }

  get wantsKick(): boolean {
    return this.driver.has(VirtioFeature.EVENT_IDX) ? this.availEvent === this.availIndex : this.usedFlags === 0;
  }

  silence(): void {
    // With the event index, an entry that has passed.
    this.setAvailFlags(VirtqFlag.AVAIL_NO_INTERRUPT);
    this.usedEvent = this.usedIndex - 1;
  }

  interruptAfter(chains: number): void {
    this.usedEvent = this.usedIndex + chains - 1;
  }

  kick(): void {
    notify(this, this.availIndex);
  }

  /** The next used element, if there is one. */
  take(): Used | undefined {
    const { view } = this.driver.machine;
    const at = this.driver.machine.at(this.used);
    if (view.getUint16(at + 2, true) === this.usedIndex) return undefined;
    const element = at + 4 + 8 * (this.usedIndex % this.size);
    this.usedIndex = (this.usedIndex + 1) & 0xffff;
    return { head: view.getUint32(element, true), length: view.getUint32(element + 4, true) };
  }

  takeAll(): Used[] {
    return takeAll(this);
  }

  snapshot(): Uint8Array {
    return snapshot(this, [16 * this.size, 6 + 2 * this.size, 6 + 8 * this.size]);
  }
}

/** Where a side is in a packed ring. */
interface Place {
  index: number;
  wrap: boolean;
}

/** A packed virtqueue as its driver has it. */
export class PackedQueue implements DriverQueue {
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
  readonly next: Place = { index: 0, wrap: true };
  readonly last: Place = { index: 0, wrap: true };
  private readonly entries = new Map<number, number>();
  private nextId = 0;

  constructor(
    readonly driver: Driver,
    readonly number: number,
    readonly size: number,
  ) {
    this.desc = driver.allocate(16 * size, 16);
    this.avail = driver.allocate(4, 4);
    this.used = driver.allocate(4, 4);
  }

  private get view(): DataView {
    return this.driver.machine.view;
  }

  private at(index: number, table = this.desc): number {
    return this.driver.machine.at(table) + 16 * index;
  }

  private advance(place: Place, entries: number): void {
    place.index += entries;
    if (place.index < this.size) return;
    place.index -= this.size;
    place.wrap = !place.wrap;
  }

  /** Flags that make an entry available in the round of `wrap`. */
  availableFlags(wrap: boolean): number {
    return wrap ? VirtqFlag.PACKED_AVAIL : VirtqFlag.PACKED_USED;
  }

  /** Writes one descriptor; the caller says everything. */
  describe(index: number, address: number, length: number, id: number, flags: number, table = this.desc): void {
    const at = this.at(index, table);
    this.view.setBigUint64(at, BigInt(address), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, id, true);
    this.view.setUint16(at + 14, flags, true);
  }

  /** Writes a descriptor at the next free place and makes it available; `flags` in addition. */
  offer(address: number, length: number, id: number, flags: number): void {
    const { index, wrap } = this.next;
    this.describe(index, address, length, id, flags | this.availableFlags(wrap));
    this.advance(this.next, 1);
  }

  add(buffers: Buffer[], indirect = false): number {
    const id = this.nextId;
    this.nextId = (id + 1) % this.size;
    const flag = (b: Buffer) => (b.write ? VirtqFlag.DESC_WRITE : 0);
    if (indirect) {
      const table = this.driver.allocate(16 * buffers.length, 16);
      buffers.forEach((b, i) => {
        this.describe(i, b.address, b.length, 0, flag(b), table);
      });
      this.offer(table, 16 * buffers.length, id, VirtqFlag.DESC_INDIRECT);
    } else {
      buffers.forEach((b, i) => {
        // The identifier of the last one counts (2.8.6).
        const isLast = i === buffers.length - 1;
        this.offer(b.address, b.length, isLast ? id : 0xdead, flag(b) | (isLast ? 0 : VirtqFlag.DESC_NEXT));
      });
    }
    this.entries.set(id, indirect ? 1 : buffers.length);
    return id;
  }

  kick(): void {
    notify(this, this.next.index | (this.next.wrap ? 0x8000 : 0));
  }

  take(): Used | undefined {
    const at = this.at(this.last.index);
    const flags = this.view.getUint16(at + 14, true);
    const isUsed = [VirtqFlag.PACKED_AVAIL, VirtqFlag.PACKED_USED].every(
      (bit) => ((flags & bit) !== 0) === this.last.wrap,
    );
    if (!isUsed) return undefined;
    const head = this.view.getUint16(at + 12, true);
    const length = this.view.getUint32(at + 8, true);
    if ((flags & VirtqFlag.DESC_WRITE) === 0 && length !== 0)
      throw new Error(`chain ${head} has a length, but no data`);
    this.advance(this.last, this.entries.get(head) ?? 1);
    return { head, length };
  }

  takeAll(): Used[] {
    return takeAll(this);
  }

  /** The driver's event suppression structure. */
  setEvent(place: number, flags: number): void {
    this.view.setUint32(this.driver.machine.at(this.avail), place | (flags << 16), true);
  }

  /** The device's: what it wants to be told. */
  get deviceEvent(): { place: number; flags: number } {
    const at = this.driver.machine.at(this.used);
    return { place: this.view.getUint16(at, true), flags: this.view.getUint16(at + 2, true) };
  }

  get wantsKick(): boolean {
    const { place, flags } = this.deviceEvent;
    if (flags === VirtqFlag.EVENT_DESC) return place === (this.next.index | (this.next.wrap ? 0x8000 : 0));
    return flags === VirtqFlag.EVENT_ENABLE;
  }

  silence(): void {
    this.setEvent(0, VirtqFlag.EVENT_DISABLE);
  }

  interruptAfter(chains: number): void {
    const place = { ...this.last };
    this.advance(place, chains - 1);
    this.setEvent(place.index | (place.wrap ? 0x8000 : 0), VirtqFlag.EVENT_DESC);
  }

  snapshot(): Uint8Array {
    return snapshot(this, [16 * this.size, 4, 4]);
  }
}
