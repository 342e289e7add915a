// A machine with a network device, its driver, and the host's half behind it (guest/nets.ts)
// with a backend that notes what it gets.
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { NetOffload } from "../../../assembly/abi/net.ts";
import { VirtioNet } from "../../../assembly/abi/virtio.ts";
import type { NetBackend, NetFrame, NetGuest } from "../../../src/backend/net.ts";
import { copyFrame } from "../../../src/backend/net-offload.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import { Nets } from "../../../src/guest/nets.ts";
import { bit, Driver, type DriverQueue, READY, type Transport } from "./driver.ts";
import { Machine } from "./machine.ts";
import { GUEST } from "./net-frames.ts";

export const PORT = 7; // the backend that attach() gives
export const HEADER = 12;
export const ALL = NetOffload.CHECKSUM | NetOffload.TSO4 | NetOffload.TSO6 | NetOffload.ECN;

/** Keeps copies of frames from the guest. */
export class NotingBackend implements NetBackend {
  readonly name = "noting";
  guest: NetGuest | undefined;
  readonly frames: NetFrame[] = [];
  readyCalls = 0;
  onSend: (frame: NetFrame) => void = () => {};
  onReady: () => void = () => {};
  accepts: number;
  constructor(accepts: number) {
    this.accepts = accepts;
  }
  open(guest: NetGuest): void {
    this.guest = guest;
  }
  send(frame: NetFrame): void {
    this.frames.push(copyFrame(frame));
    this.onSend(frame);
  }
  ready(): void {
    this.readyCalls++;
    this.onReady();
  }
  close(): void {}
  deliver(bytes: Uint8Array, offload?: NetFrame["offload"]): boolean {
    if (this.guest === undefined) throw new Error("never opened");
    return this.guest.deliver({ parts: [bytes], length: bytes.length, offload });
  }
  take(): Uint8Array[] {
    return this.frames.splice(0).map(({ parts }) => parts[0]);
  }
}

export interface NetMachine {
  m: Machine;
  t: Transport;
  d: Driver;
  backend: NotingBackend;
  nets: Nets;
}

export function netMachine(
  attach: (m: Machine, a: { kind: DeviceKind; backend: number }) => Transport,
  { pairs = 1, accepts = ALL as number, mtu = 1500 } = {},
): NetMachine {
  const m = Machine.create();
  const low = GUEST[0] | (GUEST[1] << 8) | (GUEST[2] << 16) | (GUEST[3] << 24);
  m.call("netConfigure", PORT, low, GUEST[4] | (GUEST[5] << 8), mtu, pairs, 10_000, 1);
  const t = attach(m, { kind: DeviceKind.VIRTIO_NET, backend: PORT });
  const backend = new NotingBackend(accepts);
  const unused = Array.from({ length: PORT }, () => new NotingBackend(0));
  const nets = new Nets([...unused, backend], { notice: () => {}, wake: () => {} });
  nets.open({ exports: m.exports, bytes: m.bytes, view: m.view } as unknown as Engine);
  m.net = {
    netSend: (port, pieces, count, header) => nets.send(port, pieces, count, header),
    netReady: (port) => nets.ready(port),
  };
  return { m, t, d: new Driver(m, t), backend, nets };
}

/** Negotiates all but `without`, and sets up the first `count` queues. */
export function startNet({ d, t }: NetMachine, count = 3, without: number[] = [], size = 64): DriverQueue[] {
  d.negotiate([29, ...without].reduce((features, n) => features & ~bit(n), t.deviceFeatures()));
  for (let queue = 0; queue < count; queue++) d.setUpQueue(queue, size);
  t.setStatus(READY);
  return d.queues;
}

/** What a driver's header says. */
export function header(fields: Partial<Record<"flags" | "gso" | "length" | "size" | "start" | "offset", number>> = {}) {
  const bytes = new Uint8Array(HEADER);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, fields.flags ?? 0);
  view.setUint8(1, fields.gso ?? 0);
  view.setUint16(2, fields.length ?? 0, true);
  view.setUint16(4, fields.size ?? 0, true);
  view.setUint16(6, fields.start ?? 0, true);
  view.setUint16(8, fields.offset ?? 0, true);
  return bytes;
}

/** Sends a command on the control queue; its answer. */
export function control({ d, m }: NetMachine, queue: number, group: number, code: number, data: number[]): number {
  const q = d.queues[queue];
  const answer = d.allocate(1);
  m.fill(answer, [0xff]);
  q.add([
    { address: d.place([group, code]), length: 2 },
    ...(data.length === 0 ? [] : [{ address: d.place(data), length: data.length }]),
    { address: answer, length: 1, write: true },
  ]);
  q.kick();
  q.takeAll();
  return m.peek(answer, 1)[0];
}

export const OK = VirtioNet.CTRL_OK;
export const ERR = VirtioNet.CTRL_ERR;
