// A TCP segment's header (RFC 9293, 3.1), and arithmetic with sequence numbers.
import { get16, get32, put16, put32 } from "./bytes.ts";
import type { Packet } from "./packet.ts";

export const TCP = 20;

export const enum TcpFlag {
  FIN = 1,
  SYN = 2,
  RST = 4,
  PSH = 8,
  ACK = 16,
}

const enum TcpOption {
  END = 0,
  NOP = 1,
  MSS = 2,
  WINDOW_SCALE = 3,
}

/** What an end that says nothing can take (RFC 9293, 3.7.1). */
const DEFAULT_MSS = 536;
/** Largest shift (RFC 7323, 2.3). */
const MOST_SCALE = 14;

/** Does `a` come before `b`? Both are numbers of 32 bits that wrap. */
export function isBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

/** One object, used again for each segment. */
export class TcpSegment {
  packet!: Packet;
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  window = 0;
  /** Where the data begins, as an offset in the frame, and its length. */
  at = 0;
  length = 0;
  #optionsAt = 0;

  /** False: it is none. */
  read(packet: Packet): boolean {
    const { head, at, length } = packet;
    if (length < TCP) return false;
    const headerLength = (head[at + 12] >> 4) * 4;
    if (headerLength < TCP || headerLength > length) return false;
    this.packet = packet;
    this.sourcePort = get16(head, at);
    this.destinationPort = get16(head, at + 2);
    this.sequence = get32(head, at + 4);
    this.acknowledgment = get32(head, at + 8);
    this.flags = head[at + 13];
    this.window = get16(head, at + 14);
    this.#optionsAt = at + TCP;
    this.at = at + headerLength;
    this.length = length - headerLength;
    return true;
  }

  has(flag: TcpFlag): boolean {
    return (this.flags & flag) !== 0;
  }

  /** What a SYN says of its sender; `scale` is undefined if it scales no window. */
  readOptions(): { mss: number; scale: number | undefined } {
    const { head } = this.packet;
    const options: { mss: number; scale: number | undefined } = { mss: DEFAULT_MSS, scale: undefined };
    for (let at = this.#optionsAt; at < this.at; ) {
      const kind = head[at];
      if (kind === TcpOption.END) break;
      if (kind === TcpOption.NOP) {
        at++;
        continue;
      }
      const length = at + 1 < this.at ? head[at + 1] : 0;
      if (length < 2 || at + length > this.at) break;
      if (kind === TcpOption.MSS && length === 4) options.mss = get16(head, at + 2);
      if (kind === TcpOption.WINDOW_SCALE && length === 3) options.scale = Math.min(head[at + 2], MOST_SCALE);
      at += length;
    }
    return options;
  }
}

/** Writes a header without options and without its sum to `at`. */
export function writeTcp(
  bytes: Uint8Array,
  at: number,
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  acknowledgment: number,
  flags: number,
  window: number,
  headerLength = TCP,
): void {
  put16(bytes, at, sourcePort);
  put16(bytes, at + 2, destinationPort);
  put32(bytes, at + 4, sequence);
  put32(bytes, at + 8, acknowledgment);
  bytes[at + 12] = (headerLength / 4) << 4;
  bytes[at + 13] = flags;
  put16(bytes, at + 14, window);
  put16(bytes, at + 16, 0);
  put16(bytes, at + 18, 0);
}

/** Writes the options of a SYN: 8 bytes. Without `scale` the window is not scaled. */
export function writeSynOptions(bytes: Uint8Array, at: number, mss: number, scale: number | undefined): void {
  bytes[at] = TcpOption.MSS;
  bytes[at + 1] = 4;
  put16(bytes, at + 2, mss);
  if (scale === undefined) bytes.fill(TcpOption.NOP, at + 4, at + 8);
  else bytes.set([TcpOption.NOP, TcpOption.WINDOW_SCALE, 3, scale], at + 4);
}
