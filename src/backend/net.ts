// What a network device talks to: a switch, the host's sockets, another program. Frames go
// both ways without waiting: the guest's send() is finished before its next instruction,
// and deliver() copies straight into the guest's buffers.
import type { NetGso } from "../../assembly/abi/net.ts";

/** What is still to be done to a frame (virtio_net_hdr of virtio 1.2, 5.1.6). */
export interface NetOffloadRequest {
  /** A checksum over everything from `start` is to be stored at `start + offset`, which holds the pseudo header's. */
  checksum?: { start: number; offset: number };
  /** TCP, to be cut into segments with `size` bytes of data each; `headerLength` bytes of headers stand before the data. */
  segment?: { type: NetGso; size: number; headerLength: number };
}

/** An Ethernet frame without its check sequence, in pieces. */
export interface NetFrame {
  /** In order; together `length` bytes. Of meaning during the call alone. */
  readonly parts: readonly Uint8Array[];
  readonly length: number;
  readonly offload?: NetOffloadRequest;
}

/** The guest, as a backend sees it. */
export interface NetGuest {
  /** Largest packet that its device takes, in bytes; 1500 if nothing is said. */
  readonly mtu?: number;
  /** Gives the guest a frame; its parts are copied at once. False if there is no room: keep it until ready(), or drop it. */
  deliver(frame: NetFrame): boolean;
  /** Sets the link's state as the guest sees it. */
  setLink(up: boolean): void;
  /** A line for people, not an error. */
  notice(message: string): void;
}

export interface NetBackend {
  /** For messages: "user", "switch", "stream 127.0.0.1:4444". */
  readonly name: string;
  /** Bits of NetOffload: what frames given to send() may leave undone. */
  readonly accepts: number;
  /** False if nobody there gives out addresses, so that a guest need not ask. Left out: perhaps. */
  readonly dhcp?: boolean;
  /**
   * Takes what may be refused, such as a port of the host, before there is a guest; createGuest() waits for it.
   * Rejects with an OptionError.
   */
  prepare?(): Promise<void>;
  /** Called once, before anything that follows. */
  open(guest: NetGuest): void;
  /** A frame from the guest. Never throws for anything in it. */
  send(frame: NetFrame): void;
  /** The guest waits for something, or has run for about a millisecond: what send() put off is due. */
  settle?(): void;
  /** There is room again after a deliver() that was refused. */
  ready(): void;
  /** Gives up what the backend holds, also if it was never opened. Nothing is called after it. */
  close(): void;
}
