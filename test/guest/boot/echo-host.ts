// One host on a wire, for tests: answers ARP, ICMP echo and DHCP, with packets written out
// here by hand, and complains of checksums that are wrong.
import { NetOffload } from "../../../assembly/abi/net.ts";
import type { NetBackend, NetFrame, NetGuest } from "../../../src/index.ts";

const MAC = [0x02, 0, 0, 0, 0, 0xfe];
const HOST = [10, 0, 9, 1];
const LEASE = [10, 0, 9, 15];

const word = (n: number) => [n >> 8, n & 0xff];

function sum(bytes: number[]): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return total;
}

export class EchoHost implements NetBackend {
  readonly name = "echo host";
  readonly accepts = NetOffload.NONE;
  readonly complaints: string[] = [];
  frames = 0;
  largest = 0;
  closed = false;
  #guest: NetGuest | undefined;
  /** Frames that wait for room. */
  readonly #waiting: Uint8Array[] = [];

  open(guest: NetGuest): void {
    this.#guest = guest;
  }
  ready(): void {
    while (this.#waiting.length > 0 && this.#deliver(this.#waiting[0])) this.#waiting.shift();
  }
  close(): void {
    this.closed = true;
  }
  setLink(up: boolean): void {
    this.#guest?.setLink(up);
  }

  send({ parts, length, offload }: NetFrame): void {
    this.frames++;
    this.largest = Math.max(this.largest, length);
    if (offload !== undefined) this.complaints.push("a frame is not finished");
    const frame = [...Buffer.concat(parts)];
    const type = (frame[12] << 8) | frame[13];
    if (type === 0x0806) this.#arp(frame);
    else if (type === 0x0800) this.#ip(frame);
  }

  #deliver(bytes: Uint8Array): boolean {
    return this.#guest?.deliver({ parts: [bytes], length: bytes.length }) ?? true;
  }

  #give(frame: number[]): void {
    const bytes = Uint8Array.from(frame);
    if (this.#waiting.length > 0 || !this.#deliver(bytes)) this.#waiting.push(bytes);
  }

  #arp(frame: number[]): void {
    const isRequest = frame[21] === 1 && HOST.every((byte, i) => frame[38 + i] === byte);
    if (!isRequest) return;
    const sender = frame.slice(22, 32);
    this.#give([...sender.slice(0, 6), ...MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, 2, ...MAC, ...HOST, ...sender]);
  }

  #ip(frame: number[]): void {
    const header = frame.slice(14, 34);
    if (sum(header) !== 0xffff) this.complaints.push("checksum of an IP header");
    const end = 14 + ((frame[16] << 8) | frame[17]);
    const body = frame.slice(34, end);
    if (header[9] === 17) {
      const pseudo = sum([...header.slice(12, 20), 0, 17, ...word(body.length), ...body]);
      if (pseudo !== 0xffff && (body[6] | body[7]) !== 0) this.complaints.push("checksum of a UDP datagram");
      if (body[3] === 67) this.#dhcp(frame.slice(6, 12), body.slice(8));
    }
    if (header[9] !== 1 || body[0] !== 8) return;
    if (sum(body) !== 0xffff) this.complaints.push("checksum of an echo request");
    const answer = [0, 0, 0, 0, ...body.slice(4)];
    answer.splice(2, 2, ...word(0xffff - sum(answer)));
    this.#give(this.#packet(frame.slice(6, 12), header.slice(12, 16), 1, answer));
  }

  #packet(to: number[], address: number[], protocol: number, body: number[]): number[] {
    const header = [0x45, 0, ...word(20 + body.length), 0, 0, 0x40, 0, 64, protocol, 0, 0, ...HOST, ...address];
    header.splice(10, 2, ...word(0xffff - sum(header)));
    return [...to, ...MAC, 8, 0, ...header, ...body];
  }

  /** Offers and acknowledges one address (RFC 2131, RFC 2132). */
  #dhcp(to: number[], request: number[]): void {
    const kind = request[request.indexOf(53, 240) + 2];
    const answer = [2, 1, 6, 0, ...request.slice(4, 8), 0, 0, 0, 0, 0, 0, 0, 0, ...LEASE, ...HOST, 0, 0, 0, 0];
    answer.push(...request.slice(28, 44), ...Array(192).fill(0), 0x63, 0x82, 0x53, 0x63);
    answer.push(53, 1, kind === 1 ? 2 : 5, 54, 4, ...HOST, 51, 4, 0, 1, 0, 0, 1, 4, 255, 255, 255, 0);
    answer.push(3, 4, ...HOST, 6, 4, ...HOST, 255);
    const datagram = [0, 67, 0, 68, ...word(8 + answer.length), 0, 0, ...answer];
    this.#give(this.#packet(to, LEASE, 17, datagram));
  }
}
