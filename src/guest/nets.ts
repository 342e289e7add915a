// A guest's network ports: the engine's calls by port number, answered by backends, and
// frames from backends put into the guest's buffers.
//
// Every frame is copied at most once on its way through here: a backend sees the guest's
// own memory, and what it delivers is copied into the driver's buffers at once. What one
// side leaves undone and the other does not do is done in between: TCP into the guest is cut
// in the engine, 64 KiB a call (assembly/devices/net/segments.ts), the rest in net-offload.ts.
//
// What the guest says of a frame is checked here, for all models: a backend may rely on
// what NetOffloadRequest says.
import { Dev } from "../../assembly/abi/device.ts";
import { NET_FRAME_MAX, NetAt, NetCut, NetGso, NetHeader, NetHeaderFlag, NetRoom } from "../../assembly/abi/net.ts";
import type { NetBackend, NetFrame, NetOffloadRequest } from "../backend/net.ts";
import { findTcp, HEADERS_MAX } from "../backend/net-headers.ts";
import { copyFrame, finishFrame, offloadsOf } from "../backend/net-offload.ts";
import { beginningOf, copyOut } from "../backend/parts.ts";
import type { Engine } from "../engine/engine.ts";
import { closeAll } from "./close-all.ts";

const HEADER_IN = Dev.NET + NetAt.HEADER_IN;
const PEEK = Dev.NET + NetAt.PEEK;
const FRAME_MIN = 14;

/** What becomes of frames, by port. */
export interface NetCounts {
  /** Frames that the guest sent, and that were delivered to it. */
  sent: number;
  delivered: number;
  /** Frames of the guest's whose header does not fit them. */
  malformed: number;
  /** Frames to the guest that were lost since no driver listens, or the device cannot take them. */
  lost: number;
}

export interface NetEvents {
  notice(message: string): void;
  /** A frame or a link's state has reached the guest: it may have been asleep. */
  wake(): void;
}

/** What is left of a frame of which the guest has some segments. */
interface Rest {
  frame: NetFrame;
  /** The segment to go on with. */
  next: number;
}

interface Port {
  readonly backend: NetBackend;
  readonly counts: NetCounts;
  /** Delivered before all others. */
  rest: Rest | undefined;
  up: boolean;
}

export class Nets {
  readonly #ports: Port[];
  readonly #events: NetEvents;
  #engine: Engine | undefined;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #closed = false;

  constructor(backends: readonly NetBackend[], events: NetEvents) {
    this.#events = events;
    this.#ports = backends.map((backend) => ({
      backend,
      counts: { sent: 0, delivered: 0, malformed: 0, lost: 0 },
      rest: undefined,
      up: true,
    }));
  }

  /** Number of ports. */
  get size(): number {
    return this.#ports.length;
  }

  /** Is the cable of this port plugged in? Kept over resets of the machine. */
  isUp(port: number): boolean {
    return this.#ports[port]?.up ?? false;
  }

  counts(port: number): NetCounts {
    return this.#ports[port].counts;
  }

  /** Connects the backends. The engine has its devices; `mtus` are theirs. */
  open(engine: Engine, mtus: readonly number[] = []): void {
    this.#engine = engine;
    this.#view = engine.view;
    this.#ports.forEach((port, number) => {
      port.backend.open({
        mtu: mtus[number],
        deliver: (frame) => this.#deliver(port, number, frame),
        setLink: (up) => this.#setLink(port, number, up),
        notice: (message) => this.#events.notice(message),
      });
    });
  }

  /** The machine restarts: what waited for its driver is lost. */
  reset(): void {
    for (const port of this.#ports) port.rest = undefined;
  }

  /** host.netSend */
  send(number: number, pieces: number, count: number, header: number): void {
    const port = this.#ports[number];
    const engine = this.#engine;
    if (port === undefined || engine === undefined || this.#closed) return;
    const parts: Uint8Array[] = [];
    let length = 0;
    for (let at = pieces, end = pieces + NetAt.PIECE_SIZE * count; at < end; at += NetAt.PIECE_SIZE) {
      const address = this.#view.getUint32(at, true);
      const size = this.#view.getUint32(at + 4, true);
      parts.push(engine.bytes.subarray(address, address + size));
      length += size;
    }
    if (length < FRAME_MIN || length > NET_FRAME_MAX) {
      port.counts.malformed++;
      return;
    }
    let frame: NetFrame = { parts, length };
    if (header !== 0) {
      const offload = this.#readHeader(header, frame);
      if (offload === "malformed") {
        port.counts.malformed++;
        return;
      }
      if (offload !== undefined) frame = { parts, length, offload };
    }
    port.counts.sent++;
    const { backend } = port;
    if (frame.offload === undefined) backend.send(frame);
    else finishFrame(frame, backend.accepts, (finished) => backend.send(finished));
  }

  /** Backends do what they put off. True if that gave the guest something. */
  settle(): boolean {
    let delivered = false;
    for (const { backend, counts } of this.#ports) {
      if (backend.settle === undefined || this.#closed) continue;
      const before = counts.delivered;
      backend.settle();
      if (counts.delivered !== before) delivered = true;
    }
    return delivered;
  }

  /** host.netReady */
  ready(number: number): void {
    const port = this.#ports[number];
    if (port === undefined || this.#closed) return;
    const { rest } = port;
    if (rest !== undefined) {
      const next = this.#putSegments(port, number, rest.frame, rest.next);
      if (next !== undefined) {
        rest.next = next;
        return;
      }
      port.rest = undefined;
    }
    port.backend.ready();
  }

  /** Closes every backend; throws the first error. Can be called again. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeAll(this.#ports.map(({ backend }) => backend));
  }

  #deliver(port: Port, number: number, frame: NetFrame): boolean {
    const engine = this.#engine;
    if (engine === undefined || this.#closed) return true;
    const accepts = engine.exports.netOffloads(number);
    if (accepts < 0 || frame.length < FRAME_MIN || frame.length > NET_FRAME_MAX) {
      port.counts.lost++;
      return true;
    }
    if (port.rest !== undefined) return false;
    const { offload } = frame;
    if (offload === undefined || (offloadsOf(offload) & ~accepts) === 0) return this.#put(port, number, frame);
    if (offload.segment === undefined) {
      let taken = true;
      finishFrame(frame, accepts, (finished) => {
        taken = this.#put(port, number, finished);
      });
      return taken;
    }
    const next = this.#putSegments(port, number, frame, 0);
    if (next === 0) return false;
    if (next !== undefined) port.rest = { frame: copyFrame(frame), next };
    return true;
  }

  /** Copies a frame into the engine, which cuts it for the guest, from segment `first` on. The segment to go on with, if room ends. */
  #putSegments(port: Port, number: number, frame: NetFrame, first: number): number | undefined {
    const { exports, bytes } = this.#engine as Engine;
    const { parts, length, offload } = frame;
    if (offload?.segment === undefined) return undefined;
    const { size, headerLength } = offload.segment;
    const segments = Math.max(Math.ceil((length - headerLength) / size), 1) - first;
    if (exports.netHolds(number, segments, Math.min(headerLength + size, length)) === 0) return first;
    const skipped = headerLength + first * size;
    copyOut(parts, 0, headerLength, bytes, NetCut.FRAME);
    copyOut(parts, skipped, length - skipped, bytes, NetCut.FRAME + skipped);
    this.#writeHeader(offload);
    const isDone = exports.netSegments(number, length, first) !== 0;
    const view = this.#view;
    const delivered = view.getUint32(NetCut.DELIVERED, true);
    port.counts.delivered += delivered;
    port.counts.lost += view.getUint32(NetCut.LOST, true);
    if (delivered > 0) this.#events.wake();
    return isDone ? undefined : view.getUint32(NetCut.NEXT, true);
  }

  /** Copies a frame into the guest. False: there is no room. */
  #put(port: Port, number: number, frame: NetFrame): boolean {
    const { exports, bytes } = this.#engine as Engine;
    this.#showBeginning(bytes, frame);
    const list = exports.netRoom(number, frame.length) >>> 0;
    if (list === NetRoom.NONE) {
      // If it waits for a budget, the engine has another deadline now.
      this.#events.wake();
      return false;
    }
    if (list === NetRoom.LOST) {
      port.counts.lost++;
      return true;
    }
    const view = this.#view;
    let piece = list;
    let address = 0;
    let room = 0;
    for (const part of frame.parts) {
      let at = 0;
      while (at < part.length) {
        if (room === 0) {
          piece += NetAt.PIECE_SIZE;
          address = view.getUint32(piece, true);
          room = view.getUint32(piece + 4, true);
        }
        const size = Math.min(room, part.length - at);
        bytes.set(size === part.length ? part : part.subarray(at, at + size), address);
        at += size;
        address += size;
        room -= size;
      }
    }
    if (frame.offload !== undefined) this.#writeHeader(frame.offload);
    exports.netDeliver(number, frame.offload === undefined ? 0 : HEADER_IN);
    port.counts.delivered++;
    this.#events.wake();
    return true;
  }

  /** Puts the frame's first bytes where filters and steering look at them. */
  #showBeginning(bytes: Uint8Array, { parts, length }: NetFrame): void {
    const shown = Math.min(length, NetAt.PEEK_SIZE);
    copyOut(parts, 0, shown, bytes, PEEK);
    bytes.fill(0, PEEK + shown, PEEK + NetAt.PEEK_SIZE);
  }

  #setLink(port: Port, number: number, up: boolean): void {
    if (port.up === up || this.#closed) return;
    port.up = up;
    if (!up) port.rest = undefined;
    this.#engine?.exports.netLink(number, up ? 1 : 0);
    this.#events.wake();
  }

  /** What the header says is undone, if that makes sense for the frame. */
  #readHeader(at: number, frame: NetFrame): NetOffloadRequest | undefined | "malformed" {
    const view = this.#view;
    const flags = view.getUint8(at + NetHeader.FLAGS);
    const type = view.getUint8(at + NetHeader.GSO_TYPE);
    const needsChecksum = (flags & NetHeaderFlag.NEEDS_CSUM) !== 0;
    if (!needsChecksum) return type === NetGso.NONE ? undefined : "malformed";
    const start = view.getUint16(at + NetHeader.CSUM_START, true);
    const offset = view.getUint16(at + NetHeader.CSUM_OFFSET, true);
    if (start < FRAME_MIN || start + offset + 2 > frame.length) return "malformed";
    const checksum = { start, offset };
    if (type === NetGso.NONE) return { checksum };
    const size = view.getUint16(at + NetHeader.GSO_SIZE, true);
    const found = findTcp(beginningOf(frame.parts, Math.min(frame.length, HEADERS_MAX)));
    const version = { [NetGso.TCPV4]: 4, [NetGso.TCPV6]: 6 }[type & ~NetGso.ECN];
    if (found === undefined || found.version !== version || found.tcp !== start || offset !== 16) return "malformed";
    if (size === 0 || found.data > frame.length) return "malformed";
    return { checksum, segment: { type, size, headerLength: found.data } };
  }

  #writeHeader({ checksum, segment }: NetOffloadRequest): void {
    const view = this.#view;
    const needs = checksum === undefined ? 0 : NetHeaderFlag.NEEDS_CSUM;
    view.setUint8(HEADER_IN + NetHeader.FLAGS, needs);
    view.setUint8(HEADER_IN + NetHeader.GSO_TYPE, segment?.type ?? NetGso.NONE);
    view.setUint16(HEADER_IN + NetHeader.HDR_LEN, segment?.headerLength ?? 0, true);
    view.setUint16(HEADER_IN + NetHeader.GSO_SIZE, segment?.size ?? 0, true);
    view.setUint16(HEADER_IN + NetHeader.CSUM_START, checksum?.start ?? 0, true);
    view.setUint16(HEADER_IN + NetHeader.CSUM_OFFSET, checksum?.offset ?? 0, true);
    view.setUint16(HEADER_IN + NetHeader.NUM_BUFFERS, 0, true);
  }
}
