// Disks in files, written by fio in a guest and looked at from here: fio puts a header with the
// block's place and a CRC-32C of its data into each block, so a block tells by itself whether it
// is whole, and where it belongs.
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { ExecResult, Guest } from "../../../src/index.ts";

export const MIB = 1024 * 1024;
const BLOCK = 4096;
/** fio's struct verify_header, and the CRC-32C behind it: magic, ..., length, seed, offset. */
const HEADER = { MAGIC: 0, LENGTH: 4, OFFSET: 16, DATA_CRC: 40, SIZE: 44 };
const FIO_MAGIC = 0xacca;
const CASTAGNOLI = 0x82f6_3b78;

const crcTable = Uint32Array.from({ length: 256 }, (_, i) => {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc;
});

/** CRC-32C as fio computes it: from all ones, without the inversion at the end. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return crc >>> 0;
}

/** True if the 4 KiB at `at` are a block that fio wrote there, whole. */
export function isFioBlock(bytes: Buffer, at: number): boolean {
  return (
    bytes.readUInt16LE(at + HEADER.MAGIC) === FIO_MAGIC &&
    Number(bytes.readBigUInt64LE(at + HEADER.OFFSET)) === at &&
    bytes.readUInt32LE(at + HEADER.LENGTH) === BLOCK &&
    crc32c(bytes.subarray(at + HEADER.SIZE, at + BLOCK)) === bytes.readUInt32LE(at + HEADER.DATA_CRC)
  );
}

/** Expects every 4 KiB of `bytes` to be a block that fio wrote at that place. */
export function expectFioBlocks(bytes: Buffer): void {
  const wrong: string[] = [];
  for (let at = 0; at < bytes.length && wrong.length < 5; at += BLOCK) {
    const magic = bytes.readUInt16LE(at + HEADER.MAGIC);
    const offset = Number(bytes.readBigUInt64LE(at + HEADER.OFFSET));
    const crc = bytes.readUInt32LE(at + HEADER.DATA_CRC);
    const data = bytes.subarray(at + HEADER.SIZE, at + BLOCK);
    if (magic !== FIO_MAGIC) wrong.push(`block at ${at}: no header`);
    else if (offset !== at) wrong.push(`block at ${at} belongs to ${offset}`);
    else if (bytes.readUInt32LE(at + HEADER.LENGTH) !== BLOCK) wrong.push(`block at ${at}: length`);
    else if (crc32c(data) !== crc) wrong.push(`block at ${at}: checksum`);
  }
  expect(wrong).toEqual([]);
}

/** fio: 4 KiB writes all over the device, each block once, in random order, 16 at a time; then an fsync; then all are read and checked. */
export function fioWrites(device: string, options = ""): string {
  return (
    `fio --name=write --filename=${device} --rw=randwrite --bs=4k --direct=1 --ioengine=libaio --iodepth=16 ` +
    `--end_fsync=1 --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 ${options}`
  );
}

/** fio: reads what such a run has written, and checks it; works on a read-only device. */
export function fioReads(device: string): string {
  return (
    `fio --readonly --name=read --filename=${device} --rw=read --bs=4k --direct=1 --ioengine=libaio --iodepth=16 ` +
    "--verify=crc32c --verify_fatal=1 --verify_state_save=0"
  );
}

export interface Ran {
  status: number;
  /** stdout, then stderr. */
  output: string;
}

export async function run(guest: Guest, command: string, timeout = 1_200_000): Promise<Ran> {
  const { status, stdout, stderr }: ExecResult = await guest.exec(command, { timeout });
  const text = new TextDecoder();
  return { status, output: text.decode(stdout) + text.decode(stderr) };
}

/** Runs fio and expects it to have found nothing wrong. */
export async function expectFio(guest: Guest, command: string): Promise<void> {
  const { status, output } = await run(guest, command);
  expect(output).toMatch(/err= 0/);
  expect(output).not.toMatch(/verify: bad|fio: .*error/);
  expect(status).toBe(0);
}

/** Name of the disk of so many bytes: NVMe controllers are found in no fixed order. */
export async function deviceOf(guest: Guest, bytes: number): Promise<string> {
  const { output } = await run(guest, `grep -lx ${bytes / 512} /sys/class/block/*/size`);
  const [, name] = /^\/sys\/class\/block\/(\w+)\/size\n$/.exec(output) ?? [];
  if (name === undefined) throw new Error(`not one disk of ${bytes} bytes: ${output}`);
  return `/dev/${name}`;
}

/** A folder of disk files for one test file. */
export class DiskFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), "paravane-disks-"));

  /** Makes a file of this many bytes, none of them zero, and returns its path. */
  create(name: string, bytes: number): string {
    const path = this.path(name);
    writeFileSync(path, Buffer.alloc(bytes, `${name} `));
    return path;
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  read(name: string): Buffer {
    return readFileSync(this.path(name));
  }

  digest(name: string): string {
    return createHash("sha256").update(this.read(name)).digest("hex");
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
