// Captures in the format of libpcap (draft-ietf-opsawg-pcap), with nanoseconds: a backend
// that writes down every frame that passes it, both ways. Frames are finished first, so
// that a reader finds checksums right, and segments as they would be on a wire.

import { NetOffload } from "../../assembly/abi/net.ts";
import type { NetBackend, NetFrame } from "./net.ts";
import { finishFrame } from "./net-offload.ts";
import { copyOut } from "./parts.ts";

/** Where a capture goes. */
export interface PcapSink {
  /** Takes bytes to append; they are its own. Throws if it cannot. */
  write(bytes: Uint8Array): void;
  /** The capture is complete. Can be called again. */
  close(): void;
}

const MAGIC_NANOSECONDS = 0xa1b2_3c4d;
const SNAP_LENGTH = 262_144;
const LINKTYPE_ETHERNET = 1;
const HEADER = 24;
const RECORD = 16;

/** The header of a capture. */
export function pcapHeader(): Uint8Array {
  const bytes = new Uint8Array(HEADER);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_NANOSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, SNAP_LENGTH, true);
  view.setUint32(20, LINKTYPE_ETHERNET, true);
  return bytes;
}

/** One frame; `milliseconds` since 1970, with what fractions there are. */
export function pcapRecord(frame: NetFrame, milliseconds: number): Uint8Array {
  const bytes = new Uint8Array(RECORD + frame.length);
  const view = new DataView(bytes.buffer);
  const seconds = Math.floor(milliseconds / 1000);
  view.setUint32(0, seconds, true);
  view.setUint32(4, Math.min(Math.floor((milliseconds - seconds * 1000) * 1e6), 999_999_999), true);
  view.setUint32(8, frame.length, true);
  view.setUint32(12, frame.length, true);
  copyOut(frame.parts, 0, frame.length, bytes, RECORD);
  return bytes;
}

/**
 * `backend`, with every frame that passes written to `sink`. A sink that fails ends the capture, with a notice.
 * `clock` gives milliseconds since 1970, with what fractions there are.
 */
export function captured(backend: NetBackend, sink: PcapSink, clock: () => number): NetBackend {
  let live = true;
  let notice: (message: string) => void = () => {};
  const attempt = (action: () => void) => {
    if (!live) return;
    try {
      action();
    } catch (error) {
      live = false;
      const reason = error instanceof Error ? error.message : String(error);
      notice(`the capture of network ${backend.name} ends here: ${reason}`);
    }
  };
  const record = (frame: NetFrame) =>
    attempt(() => {
      const now = clock();
      finishFrame(frame, NetOffload.NONE, (finished) => sink.write(pcapRecord(finished, now)));
    });
  return {
    name: backend.name,
    accepts: backend.accepts,
    dhcp: backend.dhcp,
    open(guest) {
      notice = (message) => guest.notice(message);
      attempt(() => sink.write(pcapHeader()));
      backend.open({
        ...guest,
        deliver(frame) {
          const taken = guest.deliver(frame);
          if (taken) record(frame);
          return taken;
        },
      });
    },
    send(frame) {
      record(frame);
      backend.send(frame);
    },
    prepare: async () => backend.prepare?.(),
    settle: () => backend.settle?.(),
    ready: () => backend.ready(),
    close() {
      try {
        backend.close();
      } finally {
        // An error in the middle left what can be read; an error at the end is told.
        sink.close();
      }
    },
  };
}
