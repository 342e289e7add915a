// The bus and its devices compiled on their own, over a real linear memory, with a host
// that keeps disks in arrays and notes what devices ask of it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";
import { Dev } from "../../../assembly/abi/device.ts";
import { Machine as At, Gpa, Layout } from "../../../assembly/abi/layout.ts";
import { Map as Board, Irq } from "../../../assembly/abi/memory-map.ts";
import { NET_PORTS } from "../../../assembly/abi/net.ts";
import { VirtioCustom } from "../../../assembly/abi/virtio.ts";
import type { EngineHost } from "../../../src/engine/exports.ts";
import { idleHost } from "../../../src/engine/idle-host.ts";

export const RAM_BYTES = 16 << 20;
export const RAM = Gpa.RAM;

let compiled: WebAssembly.Module;

/** Once, before the first machine: it takes seconds. */
export async function compileDevices(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "paravane-virtio-"));
  try {
    const out = join(folder, "virtio.wasm");
    const baseDir = fileURLToPath(new URL("../../..", import.meta.url));
    const options =
      "--runtime stub -O3 --noAssert --importMemory --initialMemory 384 --memoryBase 524288 --enable threads".split(
        " ",
      );
    const { error, stderr } = await asc.main([
      "test/devices/virtio/entry.ts",
      "-o",
      out,
      "--baseDir",
      baseDir,
      ...options,
    ]);
    if (error) throw new Error(`the devices do not compile: ${stderr}`, { cause: error });
    compiled = new WebAssembly.Module(readFileSync(out));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface DiskCall {
  kind: "read" | "write" | "flush" | "discard" | "zero";
  offset: number;
  length: number;
}

type Export = (...args: (number | bigint | boolean)[]) => number | bigint;

/** What a device that the host defines is, unless a test says otherwise: an input queue and one of requests. */
export function customImage(
  change: Partial<Record<"id" | "queues" | "queueSize" | "configSize" | "inputs", number>> = {},
) {
  const { id = 44, queues = 2, queueSize = 64, configSize = 8, inputs = 1 } = change;
  const image = new Uint8Array(VirtioCustom.CONFIG + VirtioCustom.CONFIG_MAX);
  new Uint32Array(image.buffer).set([id, queues, queueSize, configSize, 0b101, inputs]);
  image.set([1, 2, 3, 4, 5, 6, 7, 8], VirtioCustom.CONFIG);
  return image;
}

export class Machine {
  readonly memory = new WebAssembly.Memory({ initial: (Layout.RAM + RAM_BYTES) >> 16 });
  readonly view = new DataView(this.memory.buffer);
  readonly bytes = new Uint8Array(this.memory.buffer);
  readonly exports: Record<string, Export>;

  /** What consoles put out, by port. */
  readonly output = new Map<number, string>();
  readonly disk = new Uint8Array(4 << 20);
  readonly calls: DiskCall[] = [];
  /** What diskFlush answers; 1 leaves the flush pending, its tag in `flushes`. */
  flushAnswer = 0;
  diskAnswer = 0;
  readonly flushes: number[] = [];
  entropyBytes = 0;
  /** What the host does with frames from the guest, and with room for more to it. */
  net: Pick<Required<EngineHost>, "netSend" | "netReady"> = { netSend() {}, netReady() {} };
  /** Guest time. */
  ticks = 0;
  /** 9P requests so far, their tags, what they are answered with, and whether at once. */
  readonly shareRequests: Uint8Array[] = [];
  readonly shareTags: number[] = [];
  shareReply: Uint8Array = new Uint8Array(11);
  shareAnswers: "now" | "later" = "now";
  /** Requests to a device that the host defines, their tags, and what they are answered with; notices of room. */
  readonly customRequests: { queue: number; bytes: Uint8Array }[] = [];
  readonly customTags: number[] = [];
  customReply: Uint8Array = new Uint8Array();
  customAnswers: "now" | "later" = "now";
  readonly customRooms: number[] = [];
  readonly customConfigs: string[] = [];
  customResets = 0;
  /** Socket packets of the guest; times the device said that there is room, that its driver starts over. */
  readonly vsockPackets: Uint8Array[] = [];
  vsockReadies = 0;
  vsockResets = 0;
  /** Host calls whose memory was not guest RAM's: there must be none. */
  readonly outside: string[] = [];

  private constructor(module: WebAssembly.Module) {
    const check = (call: string, address: number, length: number) => {
      const offset = (address >>> 0) - Layout.RAM;
      if (offset < 0 || length < 0 || offset + length > RAM_BYTES) this.outside.push(`${call}(${address}, ${length})`);
    };
    const host = {
      ...idleHost,
      now: () => this.ticks,
      consoleOut: (port: number, address: number, length: number) => {
        check("consoleOut", address, length);
        const text = new TextDecoder("latin1").decode(this.bytes.slice(address >>> 0, (address >>> 0) + length));
        this.output.set(port, (this.output.get(port) ?? "") + text);
      },
      diskRead: (_backend: number, offset: number, address: number, length: number) => {
        this.calls.push({ kind: "read", offset, length });
        check("diskRead", address, length);
        if (this.diskAnswer === 0) this.bytes.set(this.disk.subarray(offset, offset + length), address >>> 0);
        return this.diskAnswer;
      },
      diskWrite: (_backend: number, offset: number, address: number, length: number) => {
        this.calls.push({ kind: "write", offset, length });
        check("diskWrite", address, length);
        if (this.diskAnswer === 0) this.disk.set(this.bytes.subarray(address >>> 0, (address >>> 0) + length), offset);
        return this.diskAnswer;
      },
      diskFlush: (_backend: number, tag: number) => {
        this.calls.push({ kind: "flush", offset: 0, length: 0 });
        if (this.flushAnswer === 1) this.flushes.push(tag);
        return this.flushAnswer;
      },
      diskDiscard: (_backend: number, offset: number, length: number, kind: number) => {
        this.calls.push({ kind: kind === 0 ? "discard" : "zero", offset, length });
        if (this.diskAnswer === 0) this.disk.fill(0, offset, offset + length);
        return this.diskAnswer;
      },
      netSend: (port: number, pieces: number, count: number, header: number) => {
        for (let at = pieces; at < pieces + 8 * count; at += 8) {
          check("netSend", this.view.getUint32(at, true), this.view.getUint32(at + 4, true));
        }
        this.net.netSend(port, pieces, count, header);
      },
      netReady: (port: number) => this.net.netReady(port),
      shareRequest: (_share: number, tag: number, pieces: number, readable: number, writable: number) => {
        this.shareRequests.push(this.#gather("shareRequest", check, pieces, readable));
        this.shareTags.push(tag);
        const room = this.#pieces(pieces + 8 * readable, writable);
        let done = 0;
        for (const { address, length } of room) {
          check("shareRequest", address, length);
          if (this.shareAnswers === "later") continue;
          const part = this.shareReply.subarray(done, done + length);
          this.bytes.set(part, address);
          done += part.length;
        }
        return this.shareAnswers === "later" ? -1 : done;
      },
      customRequest: (
        _device: number,
        queue: number,
        tag: number,
        pieces: number,
        readable: number,
        writable: number,
      ) => {
        this.customRequests.push({ queue, bytes: this.#gather("customRequest", check, pieces, readable) });
        this.customTags.push(tag);
        let done = 0;
        for (const { address, length } of this.#pieces(pieces + 8 * readable, writable)) {
          check("customRequest", address, length);
          if (this.customAnswers === "later") continue;
          const part = this.customReply.subarray(done, done + length);
          this.bytes.set(part, address);
          done += part.length;
        }
        return this.customAnswers === "later" ? VirtioCustom.LATER : done;
      },
      customRoom: (_device: number, queue: number) => void this.customRooms.push(queue),
      customConfigWritten: (_device: number, offset: number, size: number) =>
        void this.customConfigs.push(`${offset}+${size}`),
      customReset: () => {
        this.customResets++;
      },
      vsockPacket: (pieces: number, count: number) => {
        this.vsockPackets.push(this.#gather("vsockPacket", check, pieces, count));
      },
      vsockReady: () => {
        this.vsockReadies++;
      },
      vsockReset: () => {
        this.vsockResets++;
      },
      entropy: (address: number, length: number) => {
        check("entropy", address, length);
        this.entropyBytes += length;
        this.bytes.fill(0xa5, address >>> 0, (address >>> 0) + length);
      },
    };
    const instance = new WebAssembly.Instance(module, { env: { memory: this.memory }, host });
    this.exports = instance.exports as unknown as Record<string, Export>;
    this.view.setUint32(At.RAM_SIZE, RAM_BYTES >> 12, true);
    this.view.setUint32(At.HART_COUNT, 1, true);
    this.bytes.set(customImage(), At.SCRATCH);
    this.call("virtioInit");
    // What a host says of its network ports before it attaches devices.
    for (let port = 0; port < NET_PORTS; port++) this.call("netConfigure", port, 0, 0, 1500, 1, 10_000, 1);
    this.call("pciInit");
    this.call("pciReset");
  }

  #pieces(at: number, count: number): { address: number; length: number }[] {
    return Array.from({ length: count }, (_, i) => ({
      address: this.view.getUint32(at + 8 * i, true),
      length: this.view.getUint32(at + 8 * i + 4, true),
    }));
  }

  /** The first bytes of what the pieces hold; more would make noise slow. */
  #gather(call: string, check: (call: string, address: number, length: number) => void, at: number, count: number) {
    const parts = this.#pieces(at, count).map(({ address, length }) => {
      check(call, address, length);
      return this.bytes.slice(address, address + Math.min(length, 256));
    });
    return Uint8Array.from(parts.flatMap((part) => [...part]));
  }

  static create(): Machine {
    return new Machine(compiled);
  }

  call(name: string, ...args: (number | bigint | boolean)[]): number {
    return Number(this.exports[name](...args));
  }

  read(pa: number, size: number): number {
    return Number(BigInt.asUintN(64, this.exports.busRead(BigInt(pa), size) as bigint));
  }

  write(pa: number, size: number, value: number | bigint): void {
    this.exports.busWrite(BigInt(pa), size, BigInt(value));
  }

  /** Position of guest physical `pa` in linear memory. */
  at(pa: number): number {
    return pa - RAM + Layout.RAM;
  }

  fill(pa: number, bytes: ArrayLike<number>): void {
    this.bytes.set(bytes, this.at(pa));
  }

  peek(pa: number, length: number): Uint8Array {
    return this.bytes.slice(this.at(pa), this.at(pa) + length);
  }

  /** Level of an interrupt wire, as the PLIC sees it: claims what is pending, completes it, and looks again. */
  wire(source: number): boolean {
    const enable = Board.PLIC + 0x2000 + 4 * (source >> 5);
    this.write(Board.PLIC + 4 * source, 4, 1);
    this.write(enable, 4, 1 << (source & 31));
    const claim = Board.PLIC + 0x20_0004;
    if (this.read(claim, 4) === source) this.write(claim, 4, source);
    const pending = ((this.read(Board.PLIC + 0x1000 + 4 * (source >> 5), 4) >>> (source & 31)) & 1) === 1;
    this.write(enable, 4, 0);
    return pending;
  }

  /** Everything a device is: its 4 KiB. */
  state(index: number): Uint8Array {
    const start = Dev.VIRTIO + index * Dev.VIRTIO_SIZE;
    return this.bytes.slice(start, start + Dev.VIRTIO_SIZE);
  }

  restore(index: number, state: Uint8Array): void {
    this.bytes.set(state, Dev.VIRTIO + index * Dev.VIRTIO_SIZE);
  }
}

export { Irq };
