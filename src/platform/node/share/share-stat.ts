// Attributes of the host's files as a guest sees them. Files of the user who runs the guest
// are root's there, and the other way round; other owners keep their numbers.
import type { BigIntStats } from "node:fs";
import type { ShareStat } from "../../../backend/9p/share-backend.ts";
import { kindOf } from "./path-tree.ts";

const ROOT = 0;
/** Inode numbers take the bits below: those of other file systems mounted in the folder get their own numbers above. */
const DEVICE_SHIFT = 56n;

export class StatMap {
  readonly #uid = process.getuid?.() ?? ROOT;
  readonly #gid = process.getgid?.() ?? ROOT;
  readonly #devices = new Map<bigint, bigint>();

  of(stat: BigIntStats): ShareStat {
    return {
      kind: kindOf(stat),
      mode: Number(stat.mode),
      path: stat.ino ^ (this.#device(stat.dev) << DEVICE_SHIFT),
      version: Number(BigInt.asUintN(32, stat.mtimeNs ^ (stat.size << 8n))),
      uid: this.toGuestUser(Number(stat.uid)),
      gid: this.toGuestGroup(Number(stat.gid)),
      links: stat.nlink,
      device: stat.rdev,
      size: stat.size,
      blockSize: stat.blksize,
      blocks: stat.blocks,
      accessed: stat.atimeNs,
      modified: stat.mtimeNs,
      changed: stat.ctimeNs,
    };
  }

  /** 0 for the first, which is the folder's own. */
  #device(device: bigint): bigint {
    let index = this.#devices.get(device);
    if (index === undefined) {
      index = BigInt(this.#devices.size) & 0xffn;
      this.#devices.set(device, index);
    }
    return index;
  }

  toGuestUser(uid: number): number {
    return uid === this.#uid ? ROOT : uid;
  }

  toGuestGroup(gid: number): number {
    return gid === this.#gid ? ROOT : gid;
  }

  toHostUser(uid: number): number {
    return uid === ROOT ? this.#uid : uid;
  }

  toHostGroup(gid: number): number {
    return gid === ROOT ? this.#gid : gid;
  }
}
