// A driver for the two Intel controllers, as small as one can be: rings and buffers in guest
// RAM, descriptors as their specification lays them out, the rest is the test's.
import { Map as Board } from "../../../assembly/abi/memory-map.ts";
import { type Line, RAM, TestBoard } from "../board.ts";

export const SLOT = 3;
export const BAR = Board.PCIE_MMIO;
export const IO_BASE = 0x1040;
export const IO = Board.PCIE_PIO + IO_BASE;
export const MSIX_BAR = Board.PCIE_MMIO + 0x4_0000;
export const PORT = 2;
export const MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];
export const RING = 16;

export type ModelName = "82540EM" | "82574L";
export const MODELS: ModelName[] = ["82540EM", "82574L"];

export const Reg = {
  CTRL: 0x0000,
  STATUS: 0x0008,
  EECD: 0x0010,
  EERD: 0x0014,
  CTRL_EXT: 0x0018,
  MDIC: 0x0020,
  VET: 0x0038,
  ICR: 0x00c0,
  ITR: 0x00c4,
  ICS: 0x00c8,
  IMS: 0x00d0,
  IMC: 0x00d8,
  EIAC: 0x00dc,
  IAM: 0x00e0,
  IVAR: 0x00e4,
  EITR: 0x00e8,
  RCTL: 0x0100,
  TCTL: 0x0400,
  EEWR: 0x102c,
  PSRCTL: 0x2170,
  RDBAL: 0x2800,
  RDBAH: 0x2804,
  RDLEN: 0x2808,
  RDH: 0x2810,
  RDT: 0x2818,
  RDTR: 0x2820,
  RADV: 0x282c,
  TDBAL: 0x3800,
  TDBAH: 0x3804,
  TDLEN: 0x3808,
  TDH: 0x3810,
  TDT: 0x3818,
  TIDV: 0x3820,
  TADV: 0x382c,
  GPRC: 0x4074,
  MPRC: 0x407c,
  GPTC: 0x4080,
  GOTCL: 0x4090,
  GOTCH: 0x4094,
  TSCTFC: 0x40fc,
  RXCSUM: 0x5000,
  RFCTL: 0x5008,
  MTA: 0x5200,
  RAL: 0x5400,
  VFTA: 0x5600,
  SWSM: 0x5b50,
  SYSTIML: 0xb600,
  TIMINCA: 0xb608,
} as const;

export const Rctl = { EN: 2, UPE: 8, MPE: 16, LPE: 32, SPLIT: 1 << 10, BAM: 1 << 15, VFE: 1 << 18, SECRC: 1 << 26 };
export const Cause = {
  TXDW: 1,
  LSC: 4,
  RXDMT0: 16,
  RXT0: 128,
  MDAC: 512,
  RXQ0: 1 << 20,
  TXQ0: 1 << 22,
  OTHER: 1 << 24,
};
export const ASSERTED = 2 ** 31;
/** Commands of a transmit descriptor, in its byte 11. */
export const Cmd = { EOP: 1, IC: 4, TSE: 4, RS: 8, DEXT: 32, VLE: 64, IDE: 128 };
export const Status = { DD: 1, EOP: 2, IXSM: 4, VP: 8, UDPCS: 16, TCPCS: 32, IPCS: 64 };

export interface Received {
  bytes: Uint8Array;
  status: number;
  errors: number;
  tag: number;
  checksum: number;
}

export class Driver {
  private next = RAM + 0x1_0000;
  readonly tx = this.allocate(RING * 16);
  readonly rx = this.allocate(RING * 32);
  readonly buffers: number[] = [];
  txTail = 0;
  rxHead = 0;

  private constructor(
    readonly board: TestBoard,
    readonly model: ModelName,
  ) {}

  static create(model: ModelName): Driver {
    const [low, high] = [0x1200_5452, 0x5634];
    const board = TestBoard.create((b) => {
      b.call("netConfigure", PORT, low, high, 1500, 1, 1000, 1);
      const attached = b.call("attachE1000", SLOT, 1, model === "82540EM" ? 0 : 1, PORT, low, high);
      if (attached === 0) throw new Error("not attached");
    });
    const d = new Driver(board, model);
    board.write(board.ecam(SLOT, 0x10), BAR);
    board.write(board.ecam(SLOT, 0x18), IO_BASE);
    board.write(board.ecam(SLOT, 0x1c), MSIX_BAR);
    board.write(board.ecam(SLOT, 0x04), 7, 2);
    return d;
  }

  get isE(): boolean {
    return this.model === "82574L";
  }

  allocate(size: number): number {
    const at = this.next;
    this.next += (size + 127) & ~127;
    return at;
  }

  read(register: number): number {
    return this.board.read(BAR + register);
  }

  write(register: number, value: number): void {
    this.board.write(BAR + register, value);
  }

  /** The pin's level. */
  interrupt(): boolean {
    return (this.board.read(this.board.ecam(SLOT, 6), 2) & 8) !== 0;
  }

  later(microseconds: number): void {
    this.board.now += microseconds * 10;
    this.board.call("updateTimers");
  }

  /** Rings set up, both directions enabled; `rctl` and buffers of 2 KiB, as many as the ring takes. */
  start(rctl = Rctl.EN | Rctl.BAM | Rctl.SECRC): void {
    this.write(Reg.TDBAL, this.tx);
    this.write(Reg.TDBAH, 0);
    this.write(Reg.TDLEN, RING * 16);
    this.write(Reg.TDH, 0);
    this.write(Reg.TDT, 0);
    this.write(Reg.RDBAL, this.rx);
    this.write(Reg.RDBAH, 0);
    this.write(Reg.RDLEN, RING * (rctl & Rctl.SPLIT ? 32 : 16));
    this.write(Reg.RDH, 0);
    this.write(Reg.RDT, 0);
    this.write(Reg.RXCSUM, 0x300);
    this.write(Reg.TCTL, 2);
    this.write(Reg.RCTL, rctl);
    this.txTail = 0;
    this.rxHead = 0;
    if (this.buffers.length === 0) for (let i = 0; i < RING; i++) this.buffers.push(this.allocate(2048));
    this.refill();
    this.write(Reg.RDT, rctl & Rctl.SPLIT ? 2 * (RING - 1) : RING - 1);
  }

  /** Legacy or extended receive descriptors, one buffer each. */
  refill(): void {
    const { view } = this.board;
    for (let i = 0; i < RING; i++) {
      view.setBigUint64(this.board.at(this.rx + 16 * i), BigInt(this.buffers[i]), true);
      view.setBigUint64(this.board.at(this.rx + 16 * i + 8), 0n, true);
    }
  }

  /** Writes a transmit descriptor at the tail; the tail register stays. */
  put(first: bigint, second: bigint): number {
    const at = this.board.at(this.tx + 16 * this.txTail);
    this.board.view.setBigUint64(at, first, true);
    this.board.view.setBigUint64(at + 8, second, true);
    const index = this.txTail;
    this.txTail = (this.txTail + 1) % RING;
    return index;
  }

  ring(): void {
    this.write(Reg.TDT, this.txTail);
  }

  legacy(
    address: number,
    length: number,
    cmd: number,
    extra: { cso?: number; css?: number; special?: number } = {},
  ): number {
    const { cso = 0, css = 0, special = 0 } = extra;
    const second =
      BigInt(length) | (BigInt(cso) << 16n) | (BigInt(cmd) << 24n) | (BigInt(css) << 40n) | (BigInt(special) << 48n);
    return this.put(BigInt(address), second);
  }

  data(address: number, length: number, cmd: number, popts = 0, special = 0): number {
    const second =
      BigInt(length) |
      (1n << 20n) |
      (BigInt(cmd | Cmd.DEXT) << 24n) |
      (BigInt(popts) << 40n) |
      (BigInt(special) << 48n);
    return this.put(BigInt(address), second);
  }

  /** A context: IP from `ip`, its checksum at `ip` + 10, TCP or UDP from `l4`, its checksum at `sum`. */
  context(c: {
    ip: number;
    l4: number;
    sum: number;
    cmd?: number;
    length?: number;
    headers?: number;
    mss?: number;
  }): number {
    const { ip, l4, sum, cmd = 0, length = 0, headers = 0, mss = 0 } = c;
    const first =
      BigInt(ip) | (BigInt(ip + 10) << 8n) | (BigInt(l4 - 1) << 16n) | (BigInt(l4) << 32n) | (BigInt(sum) << 40n);
    const second = BigInt(length) | (BigInt(cmd | Cmd.DEXT) << 24n) | (BigInt(headers) << 40n) | (BigInt(mss) << 48n);
    return this.put(first, second);
  }

  /** Puts bytes into fresh memory. */
  store(bytes: Uint8Array): number {
    const at = this.allocate(bytes.length);
    this.board.poke(at, bytes);
    return at;
  }

  txDone(index: number): boolean {
    return (this.board.peek(this.tx + 16 * index + 12, 1)[0] & 1) === 1;
  }

  /** Takes the next received frame from legacy or extended descriptors. */
  take(): Received | undefined {
    const parts: Uint8Array[] = [];
    for (;;) {
      const at = this.board.at(this.rx + 16 * this.rxHead);
      const { view } = this.board;
      const extended = this.isE && (this.read(Reg.RFCTL) & 0x8000) !== 0;
      const word = view.getUint32(at + 8, true);
      const status = extended ? word & 0xfffff : view.getUint8(at + 12);
      if ((status & Status.DD) === 0) return undefined;
      const length = view.getUint16(extended ? at + 12 : at + 8, true);
      parts.push(this.board.peek(this.buffers[this.rxHead], length));
      const errors = extended ? word >>> 24 : view.getUint8(at + 13);
      const tag = view.getUint16(at + 14, true);
      const checksum = view.getUint16(extended ? at + 6 : at + 10, true);
      view.setBigUint64(at, BigInt(this.buffers[this.rxHead]), true);
      view.setBigUint64(at + 8, 0n, true);
      this.rxHead = (this.rxHead + 1) % RING;
      if ((status & Status.EOP) !== 0)
        return { bytes: Uint8Array.from(Buffer.concat(parts)), status, errors, tag, checksum };
    }
  }

  /** Gives all taken buffers back. */
  giveBack(): void {
    this.write(Reg.RDT, (this.rxHead + RING - 1) % RING);
  }

  line(line: (typeof Line)[keyof typeof Line]): boolean {
    return this.board.line(0, line);
  }
}

// --- frames ---

/** The Internet checksum's sum of bytes, big-endian words. */
export function sum(bytes: Uint8Array, start = 0): number {
  let total = start;
  for (let i = 0; i < bytes.length; i += 2) total += (bytes[i] << 8) | (bytes[i + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return total;
}

export interface FrameShape {
  to?: number[];
  version?: 4 | 6;
  protocol?: "tcp" | "udp";
  /** Bytes behind TCP's or UDP's header. */
  data?: number;
  /** Without it there is no tag. */
  vlan?: number;
  /** Whether the checksums are right. */
  sums?: "right" | "wrong" | "pseudo";
}

const be16 = (value: number) => [value >>> 8, value & 0xff];

/** Offsets in a frame of a shape. */
export function places({ version = 4, protocol = "tcp", vlan }: FrameShape): {
  ip: number;
  l4: number;
  sum: number;
  headers: number;
} {
  const ip = vlan === undefined ? 14 : 18;
  const l4 = ip + (version === 4 ? 20 : 40);
  return { ip, l4, sum: l4 + (protocol === "tcp" ? 16 : 6), headers: l4 + (protocol === "tcp" ? 20 : 8) };
}

/** An Ethernet frame. */
export function frame(shape: FrameShape = {}): Uint8Array {
  const { to = MAC, version = 4, protocol = "tcp", data = 100, vlan, sums = "right" } = shape;
  const number = protocol === "tcp" ? 6 : 17;
  const at = places(shape);
  const length = at.headers - at.l4 + data;
  const payload = Array.from({ length: data }, (_, i) => (i * 7 + data) & 0xff);
  const ports = [...be16(1234), ...be16(80)];
  const l4 =
    protocol === "tcp"
      ? [...ports, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x19, 0xff, 0xff, 0, 0, 0, 0]
      : [...ports, ...be16(length), 0, 0];
  const from = version === 4 ? [10, 0, 2, 2] : [0xfd, ...Array(14).fill(0), 2];
  const dest = version === 4 ? [10, 0, 2, 15] : [0xfd, ...Array(14).fill(0), 15];
  const ip =
    version === 4
      ? [0x45, 0, ...be16(20 + length), 0x12, 0x34, 0x40, 0, 64, number, 0, 0, ...from, ...dest]
      : [0x60, 0, 0, 0, ...be16(length), number, 64, ...from, ...dest];
  if (version === 4) ip.splice(10, 2, ...be16(~sum(Uint8Array.from(ip)) & 0xffff));
  const tag = vlan === undefined ? [] : [0x81, 0, ...be16(vlan)];
  const type = version === 4 ? [8, 0] : [0x86, 0xdd];
  const bytes = Uint8Array.from([...to, 2, 0, 0, 0, 0, 9, ...tag, ...type, ...ip, ...l4, ...payload]);
  const pseudo = sum(Uint8Array.from([...from, ...dest, 0, number, ...be16(length)]));
  let value = pseudo;
  if (sums !== "pseudo") value = ~sum(bytes.subarray(at.l4), pseudo) & 0xffff;
  if (sums === "wrong") value ^= 0x0100;
  bytes.set(be16(value), at.sum);
  return bytes;
}

/** The frame as it lies in a buffer: short ones are padded. */
export function padded(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(Math.max(60, bytes.length));
  all.set(bytes);
  return all;
}
