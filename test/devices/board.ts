// The bus and the board's devices compiled on their own, over a real linear memory, with
// disks in arrays and a clock that tests set.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { Dev } from "../../assembly/abi/device.ts";
import { Machine as At, BootMode, Gpa, Irqchip, Layout } from "../../assembly/abi/layout.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { NetAt, NetCut, NetHeader, NetRoom } from "../../assembly/abi/net.ts";
import { idleHost } from "../../src/engine/idle-host.ts";

export const RAM = Gpa.RAM;
export const RAM_BYTES = 16 << 20;
export const DISK_BYTES = 4 << 20;

const root = fileURLToPath(new URL("../..", import.meta.url));
const OPTIONS =
  "--runtime stub -O3 --noAssert --importMemory --initialMemory 352 --memoryBase 524288 --enable threads".split(" ");

/** Identifies the sources: compiling takes seconds, and every test file needs the same module. */
function fingerprint(): string {
  const hash = createHash("sha256").update(OPTIONS.join(" "));
  const sources = readdirSync(join(root, "assembly"), { recursive: true, encoding: "utf8" }).sort();
  for (const name of sources)
    if (name.endsWith(".ts")) hash.update(name).update(readFileSync(join(root, "assembly", name)));
  return hash
    .update(readFileSync(join(root, "test/devices/entry.ts")))
    .digest("hex")
    .slice(0, 24);
}

async function compile(): Promise<WebAssembly.Module> {
  const folder = join(root, "node_modules/.cache/paravane-devices");
  const cached = join(folder, `${fingerprint()}.wasm`);
  if (!existsSync(cached)) {
    mkdirSync(folder, { recursive: true });
    const out = `${cached}.${process.pid}`;
    const { error, stderr } = await asc.main(["test/devices/entry.ts", "-o", out, "--baseDir", root, ...OPTIONS]);
    if (error) throw new Error(`the devices do not compile: ${stderr}`, { cause: error });
    renameSync(out, cached);
    for (const name of readdirSync(folder))
      if (name.endsWith(".wasm") && join(folder, name) !== cached) rmSync(join(folder, name), { force: true });
  }
  return new WebAssembly.Module(readFileSync(cached));
}

const compiled = await compile();

export interface DiskCall {
  kind: "read" | "write" | "flush" | "discard" | "zero";
  offset: number;
  length: number;
}

/** A frame that a device sent: its bytes, and the header that came with it, if any. */
export interface SentFrame {
  port: number;
  bytes: Uint8Array;
  header?: Uint8Array;
}

/** Bits of a hart's interrupt lines. */
export const Line = { MSIP: 3, STIP: 5, MTIP: 7, SEIP: 9, MEIP: 11 } as const;

type Argument = number | bigint | boolean;

export interface BoardOptions {
  /** The Advanced Interrupt Architecture in place of the PLIC. */
  aia?: boolean;
  /** As firmware finds it; otherwise the hypervisor has prepared it for a kernel. */
  firmware?: boolean;
}

export class TestBoard {
  readonly memory = new WebAssembly.Memory({ initial: (Layout.RAM + RAM_BYTES) >> 16 });
  readonly view = new DataView(this.memory.buffer);
  readonly bytes = new Uint8Array(this.memory.buffer);
  private readonly exports: Record<string, (...args: Argument[]) => number | bigint>;

  /** Guest time in ticks. */
  now = 0;
  output = "";
  /** How many times the console's host function was called. */
  outputCalls = 0;
  readonly disk = new Uint8Array(DISK_BYTES);
  readonly calls: DiskCall[] = [];
  /** What the disk answers: 0, or a negative errno. */
  diskAnswer = 0;
  /** What a flush answers; 1 leaves it pending, its tag in `flushes`. */
  flushAnswer = 0;
  readonly flushes: number[] = [];
  /** Frames from network devices. */
  readonly frames: SentFrame[] = [];
  /** Called with each, before the device goes on. */
  onFrame: (frame: SentFrame) => void = () => {};
  /** Ports that have said that there is room again. */
  readonly ready: number[] = [];
  /** Accesses to devices that the host defines. */
  readonly customCalls: string[] = [];

  private constructor(module: WebAssembly.Module, options: BoardOptions) {
    const transfer = (kind: "read" | "write", offset: number, at: number, length: number) => {
      this.calls.push({ kind, offset, length });
      if (offset < 0 || offset + length > DISK_BYTES) throw new Error(`disk access at ${offset}, past its end`);
      if (this.diskAnswer !== 0) return this.diskAnswer;
      if (kind === "read") this.bytes.set(this.disk.subarray(offset, offset + length), at >>> 0);
      else this.disk.set(this.bytes.subarray(at >>> 0, (at >>> 0) + length), offset);
      return 0;
    };
    const host = {
      ...idleHost,
      now: () => this.now,
      consoleOut: (_port: number, at: number, length: number) => {
        this.outputCalls++;
        this.output += String.fromCharCode(...this.bytes.subarray(at, at + length));
      },
      diskRead: (_b: number, offset: number, at: number, length: number) => transfer("read", offset, at, length),
      diskWrite: (_b: number, offset: number, at: number, length: number) => transfer("write", offset, at, length),
      diskFlush: (_b: number, tag: number) => {
        this.calls.push({ kind: "flush", offset: 0, length: 0 });
        if (this.flushAnswer === 1) this.flushes.push(tag);
        return this.flushAnswer;
      },
      diskDiscard: (_b: number, offset: number, length: number, kind: number) => {
        this.calls.push({ kind: kind === 0 ? "discard" : "zero", offset, length });
        if (this.diskAnswer === 0) this.disk.fill(0, offset, offset + length);
        return this.diskAnswer;
      },
      netSend: (port: number, pieces: number, count: number, header: number) => {
        const parts = Array.from({ length: count }, (_, i) => this.pieceAt(pieces + 8 * i));
        const frame: SentFrame = { port, bytes: Uint8Array.from(Buffer.concat(parts)) };
        if (header !== 0) frame.header = this.bytes.slice(header, header + NetHeader.SIZE);
        this.frames.push(frame);
        this.onFrame(frame);
      },
      netReady: (port: number) => void this.ready.push(port),
      entropy: (at: number, length: number) => void this.bytes.fill(0xa5, at, at + length),
      customRead: (device: number, offset: number, size: number) => {
        this.customCalls.push(`read ${device} ${offset} ${size}`);
        return 0x8765_4321 | 0;
      },
      customWrite: (device: number, offset: number, size: number, value: number) =>
        void this.customCalls.push(`write ${device} ${offset} ${size} ${value >>> 0}`),
    };
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory }, host });
    this.exports = instance.exports as unknown as typeof this.exports;
    this.view.setUint32(At.RAM_SIZE, RAM_BYTES >> 12, true);
    this.view.setUint32(At.HART_COUNT, 2, true);
    this.view.setUint32(At.IRQCHIP, options.aia ? Irqchip.AIA : Irqchip.PLIC, true);
    this.view.setUint32(At.BOOT, options.firmware ? BootMode.FIRMWARE : BootMode.PARAVIRT, true);
    this.call("nvmeInit");
    this.call("ahciInit");
    this.call("netInit");
    this.call("e1000Init");
    this.call("pciInit");
  }

  /** A board at power-on; `attach` puts devices on it. */
  static create(attach?: (board: TestBoard) => void, options: BoardOptions = {}): TestBoard {
    const board = new TestBoard(compiled, options);
    attach?.(board);
    board.reset();
    return board;
  }

  reset(): void {
    for (const device of ["plic", "aplic", "imsic", "aclint", "rtc", "uart", "pci", "ahci"])
      this.call(`${device}Reset`);
    for (let i = 0; i < 4; i++) {
      this.call("nvmeReset", i);
      this.call("e1000Reset", i);
    }
  }

  /** What a restore asks of every device. */
  valid(): boolean {
    const names = ["plic", "aplic", "imsic", "aclint", "rtc", "uart", "pci", "custom", "ahci"];
    const devices = names.every((device) => this.call(`${device}Validate`) !== 0);
    const instances = (name: string) => [0, 1, 2, 3].every((i) => this.call(name, i) !== 0);
    return devices && instances("nvmeValidate") && instances("e1000Validate");
  }

  /** The bytes of a piece {address, length} of a frame; it must lie in device state or RAM. */
  private pieceAt(at: number): Uint8Array {
    const address = this.view.getUint32(at, true);
    const length = this.view.getUint32(at + 4, true);
    const inside = (from: number, to: number) => address >= from && address + length <= to;
    if (!inside(Layout.DEVICES, Layout.DEVICES_END) && !inside(Layout.RAM, Layout.RAM + RAM_BYTES)) {
      throw new Error(`a piece of ${length} bytes at ${address} is nowhere`);
    }
    return this.bytes.subarray(address, address + length);
  }

  /** Gives a frame to a network device, as the host would. What netRoom said where it said no. */
  deliver(port: number, frame: Uint8Array, header?: Uint8Array): "done" | "none" | "lost" {
    const list = this.call("netRoom", port, frame.length) >>> 0;
    if (list === NetRoom.NONE) return "none";
    if (list === NetRoom.LOST) return "lost";
    let at = 0;
    for (let i = 0; i < this.view.getUint32(list, true); i++) {
      const piece = this.pieceAt(list + 8 + 8 * i);
      piece.set(frame.subarray(at, at + piece.length));
      at += piece.length;
    }
    if (at !== frame.length) throw new Error(`room for ${at} bytes where ${frame.length} were asked for`);
    const place = Dev.NET + NetAt.HEADER_IN;
    if (header !== undefined) this.bytes.set(header, place);
    this.call("netDeliver", port, header === undefined ? 0 : place);
    return "done";
  }

  /** Gives a frame to the engine to be cut, from segment `first` on, as the host would: where to go on, or "done". */
  deliverSegments(port: number, frame: Uint8Array, header: Uint8Array, first = 0): number | "done" {
    this.bytes.set(frame, NetCut.FRAME);
    this.bytes.set(header, Dev.NET + NetAt.HEADER_IN);
    const isDone = this.call("netSegments", port, frame.length, first) !== 0;
    return isDone ? "done" : this.view.getUint32(NetCut.NEXT, true);
  }

  call(name: string, ...args: Argument[]): number {
    return Number(this.exports[name](...args));
  }

  call64(name: string, ...args: Argument[]): bigint {
    return BigInt.asUintN(64, BigInt(this.exports[name](...args)));
  }

  read(pa: number, size = 4): number {
    return Number(this.read64(pa, size));
  }

  read64(pa: number, size = 8): bigint {
    return BigInt.asUintN(64, this.exports.busRead(BigInt(pa), size) as bigint);
  }

  write(pa: number, value: number | bigint, size = 4): void {
    this.exports.busWrite(BigInt(pa), size, BigInt(value));
  }

  mapped(pa: number): boolean {
    return this.exports.busMapped(BigInt(pa)) !== 0;
  }

  ticks(name: "mtime" | "nextDeadline"): bigint {
    return BigInt.asUintN(64, this.exports[name]() as bigint);
  }

  line(hart: number, line: number): boolean {
    return ((this.view.getUint32(At.LINES + 4 * hart, true) >>> line) & 1) === 1;
  }

  /** A register of configuration space. */
  ecam(slot: number, register: number): number {
    return Board.PCIE_ECAM + (slot << 15) + register;
  }

  /** Position of guest physical `pa` in linear memory. */
  at(pa: number): number {
    return pa - RAM + Layout.RAM;
  }

  poke(pa: number, bytes: ArrayLike<number>): void {
    this.bytes.set(bytes, this.at(pa));
  }

  peek(pa: number, length: number): Uint8Array {
    return this.bytes.slice(this.at(pa), this.at(pa) + length);
  }

  /** State of all devices and of the lines they drive. */
  save(): Uint8Array {
    const lines = this.bytes.slice(At.LINES, At.LINES + 32);
    return new Uint8Array([...lines, ...this.bytes.subarray(Layout.DEVICES, Layout.DEVICES_END)]);
  }

  restore(saved: Uint8Array): void {
    this.bytes.set(saved.subarray(0, 32), At.LINES);
    this.bytes.set(saved.subarray(32), Layout.DEVICES);
  }
}

/** A small generator (Lehmer), so that hostile input repeats. */
export function random(seed: number): (below: number) => number {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 48271n) % 2147483647n;
    return Number(state) % below;
  };
}

/** True if two byte strings are the same; matchers that explain differences are slow for megabytes. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
