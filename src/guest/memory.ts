// What the host asks of a guest's memory devices, and what it knows of its memory.
import { VirtioBalloon } from "../../assembly/abi/virtio.ts";
import type { Engine } from "../engine/engine.ts";
import { OptionError, ParavaneError } from "../errors.ts";
import type { MemoryLayout, MemoryRegion } from "../machine/memory-map.ts";

/** Memory devices of a machine, and what is asked of them: that outlives a restart of the guest. */
export interface MemoryDevices {
  layout: MemoryLayout;
  /** Bytes that the guest may have of all kinds together, Infinity if nothing says so. */
  limit: number;
  balloon: boolean;
  rtc: boolean;
  /** Bytes. */
  balloonTarget: number;
  hotplugTarget: number;
  /** Which virtio device is which; set when they are attached. */
  balloonInstance?: number;
  hotplugInstance?: number;
}

/** Bytes of guest memory, as the host counts them. */
export interface MemoryUsage {
  /** What the device tree tells the guest of. */
  ram: number;
  /** What it could plug, what it was asked to, and what it has plugged. */
  hotplug: number;
  hotplugTarget: number;
  plugged: number;
  /** Persistent memory. */
  pmem: number;
  /** What the balloon was asked to be, and what is in it. */
  balloonTarget: number;
  ballooned: number;
  /** Reported as free since the guest started, each time it was. */
  reportedFree: number;
}

/** What the guest says of its memory (virtio 1.2, 5.5.6.3): bytes and counts; what it did not say is undefined. */
export interface MemoryStats {
  swapIn?: number;
  swapOut?: number;
  majorFaults?: number;
  minorFaults?: number;
  free?: number;
  total?: number;
  /** Could be had without swapping. */
  available?: number;
  diskCaches?: number;
  hugetlbAllocations?: number;
  hugetlbFailures?: number;
  oomKills?: number;
  allocationStalls?: number;
  asyncScans?: number;
  directScans?: number;
  asyncReclaims?: number;
  directReclaims?: number;
}

/** In the order of the statistics' tags. */
const STATS: (keyof MemoryStats)[] = [
  ...(["swapIn", "swapOut", "majorFaults", "minorFaults", "free", "total", "available", "diskCaches"] as const),
  ...(["hugetlbAllocations", "hugetlbFailures", "oomKills", "allocationStalls", "asyncScans", "directScans"] as const),
  ...(["asyncReclaims", "directReclaims"] as const),
];

const PAGE = 4096;

interface Waiter {
  resolve(stats: MemoryStats): void;
  reject(error: Error): void;
}

export class GuestMemory {
  readonly #engine: Engine;
  readonly #devices: MemoryDevices;
  #waiters: Waiter[] = [];
  /** How many times statistics had come when they were asked for. */
  #serial = 0;

  constructor(engine: Engine, devices: MemoryDevices) {
    this.#engine = engine;
    this.#devices = devices;
  }

  setBalloon(bytes: number): void {
    const { balloonInstance, layout } = this.#devices;
    if (balloonInstance === undefined)
      throw new ParavaneError("this guest has no balloon: create it with balloon: true");
    if (!(bytes >= 0 && bytes <= layout.ramBytes)) {
      throw new OptionError(`a balloon of ${bytes} bytes cannot be: write 0 to ${layout.ramBytes}, the guest's RAM`);
    }
    this.#devices.balloonTarget = Math.floor(bytes / PAGE) * PAGE;
    this.#engine.exports.virtioBalloonSetTarget(balloonInstance, bytes / PAGE);
  }

  setHotplug(bytes: number): void {
    const { hotplugInstance, layout } = this.#devices;
    if (hotplugInstance === undefined) {
      throw new ParavaneError("this guest has no memory to plug: create it with hotplugMemory");
    }
    const most = layout.hotplug?.bytes ?? 0;
    if (!(bytes >= 0 && bytes <= most) || bytes % (2 * 1024 * 1024) !== 0) {
      throw new OptionError(`${bytes} bytes of hotplug memory cannot be: write a multiple of 2 MiB up to ${most}`);
    }
    const has = layout.ramBytes + layout.pmem.reduce((sum, region) => sum + region.bytes, 0);
    if (has + bytes > this.#devices.limit) {
      throw new OptionError(
        `${bytes} bytes of hotplug memory beside the ${has} that the guest has are more than the policy's guest.memory.limit of ` +
          `${this.#devices.limit}: write at most ${Math.max(this.#devices.limit - has, 0)}`,
      );
    }
    this.#devices.hotplugTarget = bytes;
    this.#engine.exports.virtioMemSetRequested(hotplugInstance, bytes);
  }

  usage(): MemoryUsage {
    const { exports } = this.#engine;
    const { layout, balloonInstance, hotplugInstance, balloonTarget, hotplugTarget } = this.#devices;
    const { hotplug } = layout;
    return {
      ram: layout.ramBytes,
      hotplug: hotplug?.bytes ?? 0,
      hotplugTarget,
      plugged: hotplugInstance === undefined ? 0 : exports.virtioMemPlugged(hotplugInstance),
      pmem: layout.pmem.reduce((sum, { bytes }) => sum + bytes, 0),
      balloonTarget,
      ballooned: balloonInstance === undefined ? 0 : exports.virtioBalloonPages(balloonInstance) * PAGE,
      reportedFree: balloonInstance === undefined ? 0 : exports.virtioBalloonReported(balloonInstance),
    };
  }

  used(): number {
    const { ramBytes, hotplug } = this.#devices.layout;
    const pages = ({ start, bytes }: MemoryRegion) => this.#engine.exports.pagesInUse(start / PAGE, bytes / PAGE);
    return PAGE * (pages({ start: 0, bytes: ramBytes }) + (hotplug ? pages(hotplug) : 0));
  }

  /** Asks the guest; arrived() gives the answer. */
  stats(): Promise<MemoryStats> {
    const { exports } = this.#engine;
    const { balloonInstance } = this.#devices;
    if (balloonInstance === undefined) {
      return Promise.reject(new ParavaneError("this guest has no balloon: create it with balloon: true"));
    }
    if (this.#waiters.length === 0) {
      this.#serial = exports.virtioBalloonStatsSerial(balloonInstance);
      if (!exports.virtioBalloonAskStats(balloonInstance)) {
        return Promise.reject(
          new ParavaneError("the guest gives no memory statistics now: wait until its virtio_balloon driver runs"),
        );
      }
    }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** To be called whenever the guest has run. */
  arrived(): void {
    if (this.#waiters.length === 0) return;
    const { exports, view } = this.#engine;
    const { balloonInstance = 0 } = this.#devices;
    if (exports.virtioBalloonStatsSerial(balloonInstance) === this.#serial) return;
    const known = exports.virtioBalloonStatsKnown(balloonInstance);
    const at = exports.virtioBalloonStats(balloonInstance) >>> 0;
    const stats: MemoryStats = {};
    for (let tag = 0; tag < VirtioBalloon.STATS; tag++) {
      if ((known >>> tag) & 1) stats[STATS[tag]] = Number(view.getBigUint64(at + 8 * tag, true));
    }
    for (const { resolve } of this.#waiters.splice(0)) resolve(stats);
  }

  /** Nothing will come any more. */
  end(): void {
    const error = new ParavaneError("the guest ended before it gave its memory statistics");
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
