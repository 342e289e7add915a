// The engine's calls into its host, handed to the parts of a guest that answer them.
import { Machine } from "../../assembly/abi/layout.ts";
import { DiscardKind } from "../backend/disk.ts";
import type { EntropySource } from "../backend/entropy.ts";
import { Pieces } from "../backend/pieces.ts";
import { type Engine, SCRATCH_SIZE } from "../engine/engine.ts";
import type { EngineHost } from "../engine/exports.ts";
import type { HostCalls } from "../hypercall/host-calls.ts";
import type { GuestClock } from "./clock.ts";
import type { CustomDevices } from "./custom-devices.ts";
import type { VirtioReach } from "./custom-virtio.ts";
import type { Disks } from "./disks.ts";
import type { MachinePlan } from "./machine.ts";
import type { Nets } from "./nets.ts";
import type { Shares } from "./shares.ts";
import type { VsockDevice } from "./vsock-device.ts";

export interface HostParts {
  /** Linear memory. */
  bytes: Uint8Array;
  /** The engine, which is made with its host. */
  engine(): Engine;
  /** Absent with the virtual clock. */
  clock: GuestClock | undefined;
  entropy: EntropySource;
  disks: Disks;
  nets: Nets;
  shares: Shares;
  vsock: VsockDevice | undefined;
  devices: CustomDevices;
  hypercalls: HostCalls;
  output(port: number, bytes: Uint8Array): void;
}

export function engineHost(parts: HostParts): EngineHost {
  const { bytes, clock, entropy, disks, nets, shares, vsock, devices, hypercalls } = parts;
  const at = (address: number, length: number) => bytes.subarray(address >>> 0, (address >>> 0) + (length >>> 0));
  return {
    now: clock ? () => clock.now() : () => 0,
    consoleOut: (port, address, length) => parts.output(port, at(address, length)),
    diskRead: (disk, offset, address, length) => disks.read(disk, offset, at(address, length)),
    diskWrite: (disk, offset, address, length) => disks.write(disk, offset, at(address, length)),
    diskFlush: (disk, tag) => disks.flush(disk, tag),
    diskDiscard: (disk, offset, length, kind) =>
      disks.discard(disk, offset, length, kind === DiscardKind.WRITE_ZEROES ? kind : DiscardKind.DISCARD),
    netSend: (port, pieces, count, header) => nets.send(port, pieces >>> 0, count, header >>> 0),
    netReady: (port) => nets.ready(port),
    shareRequest: (share, tag, pieces, readable, writable) =>
      shares.request(parts.engine(), share, tag, pieces >>> 0, readable, writable),
    vsockPacket: (pieces, count) => vsock?.packet(pieces >>> 0, count),
    vsockReady: () => vsock?.ready(),
    vsockReset: () => vsock?.reset(),
    entropy: (address, length) => entropy.fill(at(address, length)),
    customRead: (device, offset, size) => devices.read(device, offset, size),
    customWrite: (device, offset, size, value) => devices.write(device, offset, size, value),
    hypercall: (call, hart) => hypercalls.serve(call, hart),
    customRequest: (device, queue, tag, pieces, readable, writable) => {
      const { view } = parts.engine();
      const list = (at: number, count: number) => Pieces.list(bytes, view, at >>> 0, count);
      const request = list(pieces, readable);
      return devices.virtio(device)?.request(queue, tag, request, list(pieces + 8 * readable, writable)) ?? 0;
    },
    customRoom: (device, queue) => devices.virtio(device)?.room(queue),
    customConfigWritten: (device, offset, size) => devices.virtio(device)?.configWritten(offset, size),
    customReset: (device) => devices.virtio(device)?.reset(),
  };
}

/** What a guest lends to a virtio device of the caller's. */
export interface LentGuest {
  engine(): Engine;
  isOver(): boolean;
  ticks(): number;
  wake(): void;
}

/** How device `index` of the plan's own reaches the engine. */
export function virtioReach(index: number, plan: MachinePlan, guest: LentGuest): VirtioReach {
  const { engine } = guest;
  // There is none yet while it is attached.
  const instance = () => plan.customInstances.get(index) ?? -1;
  return {
    most: SCRATCH_SIZE,
    ticks: guest.ticks,
    give: (queue, bytes) => {
      if (guest.isOver()) return -1;
      const { exports } = engine();
      const given = exports.virtioCustomGive(instance(), queue, Machine.SCRATCH, engine().writeScratch(bytes));
      guest.wake();
      return given;
    },
    done: (tag, bytes) => {
      if (guest.isOver()) return;
      engine().exports.customRequestDone(tag, Machine.SCRATCH, engine().writeScratch(bytes));
      guest.wake();
    },
    config: () => {
      const at = engine().exports.virtioCustomConfig(instance()) >>> 0;
      const { definition } = plan.devices[index];
      const size = definition.form === "virtio" ? (definition.config?.length ?? 0) : 0;
      return engine().bytes.slice(at, at + size);
    },
    setConfig: (offset, bytes, notify) => {
      if (guest.isOver()) return;
      const length = engine().writeScratch(bytes);
      engine().exports.virtioCustomSetConfig(instance(), offset, Machine.SCRATCH, length, notify ? 1 : 0);
      guest.wake();
    },
  };
}
