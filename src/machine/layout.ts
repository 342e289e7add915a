// Where everything goes in guest memory before the first instruction, and how harts enter.
//
//   0x0000_1000  firmware boot: reset vector and fw_dynamic_info
//   0x8000_0000  firmware boot: the firmware
//   0x8020_0000  kernel Image (RAM + text_offset), or the firmware's raw payload
//   0x8220_0000  firmware boot: where OpenSBI's fw_jump copies the device tree
//   2 MiB steps, at least 0x8240_0000 while the RAM allows: initrd
//   end of RAM   device tree, on a 2 MiB boundary where there is room
//
// ELF programs lie where they were linked.
import { Map as PhysicalMap } from "../../assembly/abi/memory-map.ts";
import type { BootImage, ElfImage, RawImage } from "../image/kernel.ts";
import { BootError, hex } from "./boot-error.ts";
import { MEMORY_MOST, MIB } from "./memory-size.ts";
import { RESET_VECTOR, resetVector } from "./reset-vector.ts";
import { type MachineConfig, machineDeviceTree } from "./virt.ts";

export interface BootInput {
  /** Without initrd: where that goes is decided here. */
  machine: Omit<MachineConfig, "initrd">;
  /** What runs in S-mode; firmware that needs nothing after it may be without. */
  kernel?: BootImage;
  initrd?: Uint8Array;
  /** An archive to go behind the initrd, at a multiple of 4 bytes, as if it were its end. */
  overlay?: Uint8Array;
  /** What runs in M-mode first; required for boot "firmware", refused otherwise. */
  firmware?: ElfImage | RawImage;
  /** The firmware is OpenSBI's fw_jump, or built like it: it copies the device tree to 0x8220_0000. */
  firmwareJumps?: boolean;
}

export interface Piece {
  what: string;
  gpa: number;
  bytes: Uint8Array;
  /** Bytes of memory that it needs; past bytes.length they are zeros or the guest's to write. */
  size: number;
}

export interface BootPlan {
  /** To be copied into zeroed guest memory. They do not overlap, and lie in RAM or boot ROM. */
  pieces: Piece[];
  /** paravirt: the boot hart alone starts, in S. firmware: all harts start, in M. */
  entry: { pc: number; a0: number; a1: number; a2: number; mode: "S" | "M"; harts: "boot" | "all" };
  initrd?: { start: number; end: number };
  deviceTree: { start: number; end: number };
}

const RAM: number = PhysicalMap.RAM;
const ALIGN = 2 * MIB;
const PAYLOAD = RAM + 2 * MIB;
const JUMP_DEVICE_TREE = RAM + 34 * MIB;
const INITRD_LOWEST = RAM + 36 * MIB;

const alignUp = (n: number, to: number) => Math.ceil(n / to) * to;
const alignDown = (n: number, to: number) => Math.floor(n / to) * to;
const end = (piece: Piece) => piece.gpa + piece.size;

function place(image: BootImage, what: string, base: number): { pieces: Piece[]; entry: number } {
  if (image.kind === "elf") {
    const pieces = image.segments.map((segment, i) => ({
      what: image.segments.length > 1 ? `${what}'s segment ${i}` : what,
      ...segment,
    }));
    return { pieces, entry: image.entry };
  }
  const linux = image.kind === "linux";
  const gpa = linux ? RAM + image.textOffset : base;
  return {
    pieces: [{ what, gpa, bytes: image.bytes, size: linux ? image.imageSize : image.bytes.length }],
    entry: gpa,
  };
}

/** @throws BootError with the memory to ask for, unless `piece` lies in RAM. */
function checkInRam(piece: Piece, ramBytes: number): void {
  if (piece.gpa < RAM)
    throw new BootError(`${piece.what} wants to lie at ${hex(piece.gpa)}, below RAM at ${hex(RAM)}: link it into RAM`);
  if (end(piece) <= RAM + ramBytes) return;
  const past = `${piece.what} ends at ${hex(end(piece))}, past the end of RAM at ${hex(RAM + ramBytes)}`;
  throw new BootError(`${past}: ${advice(end(piece))}`);
}

/** What to do so that RAM reaches `address` and has room for the device tree after it. */
function advice(address: number): string {
  const mib = Math.ceil((address - RAM) / MIB) + 2;
  if (mib > MEMORY_MOST / MIB) return `the machine can have at most ${MEMORY_MOST / MIB}M, so it must be smaller`;
  return `raise --memory to ${mib}M or more`;
}

function checkApart(pieces: Piece[]): void {
  const sorted = [...pieces].sort((a, b) => a.gpa - b.gpa);
  for (let i = 1; i < sorted.length; i++) {
    const [low, high] = [sorted[i - 1], sorted[i]];
    if (end(low) <= high.gpa) continue;
    throw new BootError(
      `${low.what} (${hex(low.gpa)} to ${hex(end(low))}) overlaps ${high.what} at ${hex(high.gpa)}: link one of them elsewhere`,
    );
  }
}

/** Initrd and overlay apart: to join them would copy what may be large. */
function placeInitrd(bytes: Uint8Array, overlay: Uint8Array | undefined, others: Piece[], ramBytes: number): Piece[] {
  if (bytes.length === 0) throw new BootError("initrd is empty: leave it out or fetch it again");
  const free = alignUp(Math.max(RAM, ...others.map(end)), ALIGN);
  const wanted = Math.max(free, INITRD_LOWEST);
  const size = overlay === undefined ? bytes.length : alignUp(bytes.length, 4) + overlay.length;
  // A small machine cannot keep the distance that fw_jump wants.
  const gpa = wanted + size <= RAM + ramBytes ? wanted : free;
  if (gpa + size > RAM + ramBytes) {
    throw new BootError(
      `initrd of ${(size / MIB).toFixed(1)} MiB does not fit behind the kernel in ${ramBytes / MIB} MiB of RAM: ${advice(gpa + size)}`,
    );
  }
  const pieces = [{ what: "initrd", gpa, bytes, size: bytes.length }];
  if (overlay !== undefined) {
    pieces.push({ what: "initrd's overlay", gpa: gpa + size - overlay.length, bytes: overlay, size: overlay.length });
  }
  return pieces;
}

function placeDeviceTree(bytes: Uint8Array, others: Piece[], ramBytes: number): Piece {
  const ramEnd = RAM + ramBytes;
  const highest = Math.max(RAM, ...others.map(end));
  const roomy = alignDown(ramEnd - bytes.length, ALIGN);
  const gpa = roomy >= highest ? roomy : alignDown(ramEnd - bytes.length, 4096);
  if (gpa < highest) {
    const last = others.find((piece) => end(piece) === highest)!;
    throw new BootError(
      `${last.what} ends at ${hex(highest)} and leaves no room for the device tree: ${advice(highest)}`,
    );
  }
  return { what: "device tree", gpa, bytes, size: bytes.length };
}

function placeFirmware(input: BootInput): { pieces: Piece[]; entry: number } | undefined {
  const { firmware, machine } = input;
  if (machine.boot === "paravirt") {
    if (firmware !== undefined)
      throw new BootError("firmware is given for a paravirtual boot: leave it out, or boot by firmware");
    if (input.kernel === undefined)
      throw new BootError("no kernel is given: a paravirtual boot enters the kernel itself");
    return undefined;
  }
  if (firmware === undefined)
    throw new BootError("no firmware is given: a firmware boot begins with one, such as OpenSBI's fw_dynamic.bin");
  return place(firmware, "firmware", RAM);
}

/**
 * Places everything that a boot needs and says how harts enter.
 * @throws BootError if something does not fit, overlaps or is missing; the message says what to change.
 */
export function planBoot(input: BootInput): BootPlan {
  const { machine } = input;
  const { ramBytes } = machine;
  const firmware = placeFirmware(input);
  const kernel = input.kernel && place(input.kernel, input.kernel.kind === "raw" ? "payload" : "kernel", PAYLOAD);
  const pieces = [...(firmware?.pieces ?? []), ...(kernel?.pieces ?? [])];
  for (const piece of pieces) checkInRam(piece, ramBytes);
  const past = pieces.find((piece) => piece.gpa < JUMP_DEVICE_TREE && end(piece) > JUMP_DEVICE_TREE);
  if (input.firmwareJumps && past !== undefined) {
    throw new BootError(
      `${past.what} ends at ${hex(end(past))}, and fw_jump puts the device tree at ${hex(JUMP_DEVICE_TREE)}: use fw_dynamic`,
    );
  }

  let range: { start: number; end: number } | undefined;
  if (input.initrd !== undefined) {
    const initrd = placeInitrd(input.initrd, input.overlay, pieces, ramBytes);
    range = { start: initrd[0].gpa, end: end(initrd.at(-1)!) };
    if (input.firmwareJumps && range.start < INITRD_LOWEST) {
      throw new BootError(
        `fw_jump puts the device tree at ${hex(JUMP_DEVICE_TREE)}, over the initrd: ${advice(INITRD_LOWEST + range.end - range.start)}`,
      );
    }
    pieces.push(...initrd);
  }

  const tree = placeDeviceTree(machineDeviceTree({ ...machine, initrd: range }), pieces, ramBytes);
  pieces.push(tree);
  checkApart(pieces);

  const plan = { initrd: range, deviceTree: { start: tree.gpa, end: end(tree) } };
  if (firmware === undefined) {
    const entry = { pc: kernel!.entry, a0: 0, a1: tree.gpa, a2: 0, mode: "S", harts: "boot" } as const;
    return { ...plan, pieces, entry };
  }
  const rom = resetVector({
    firmware: firmware.entry,
    deviceTree: tree.gpa,
    next: kernel?.entry ?? PAYLOAD,
    bootHart: 0,
  });
  return {
    ...plan,
    pieces: [{ what: "reset vector", gpa: RESET_VECTOR, bytes: rom, size: rom.length }, ...pieces],
    entry: { pc: RESET_VECTOR, a0: 0, a1: 0, a2: 0, mode: "M", harts: "all" },
  };
}
