// Messages that no client sends: cut short, with lengths that lie, of types and fids that do
// not exist, in any order. Whatever comes is answered with an error at most, and the server
// goes on.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { T } from "../../../src/backend/9p/message.ts";
import { ShareServer } from "../../../src/backend/9p/server.ts";
import { LinuxErrno as E } from "../../../src/backend/9p/share-error.ts";
import { FolderShare } from "../../../src/platform/node/share/folder-share.ts";
import { Client, type Field, message, text, u8, u16, u32, u64 } from "./client.ts";

let base: string;
let share: FolderShare;
let client: Client;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "paravane-hostile-"));
  mkdirSync(join(base, "shared/d/e"), { recursive: true });
  writeFileSync(join(base, "shared/f"), "content");
  share = new FolderShare(join(base, "shared"));
  client = Client.attached(new ShareServer(share));
});

afterEach(() => {
  client.server.close();
  rmSync(base, { recursive: true, force: true });
});

/** xorshift32: numbers below `n`. */
function random(seed: number): (n: number) => number {
  let x = seed;
  return (n) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % n;
  };
}

describe("a message", () => {
  it("without a header, or without room for an answer, is not answered", () => {
    expect(client.raw(new Uint8Array(6))).toBeUndefined();
    expect(client.raw(message(T.STATFS, 1, u32(0)), 10)).toBeUndefined();
    expect(client.raw(message(T.STATFS, 1, u32(0)), 11)?.errno).toBe(E.EOVERFLOW);
  });

  it("whose size is not its own is refused, with its tag", () => {
    for (const size of [0, 6, 12, 0xffff_ffff]) {
      const bytes = message(T.STATFS, 0x1234, u32(0));
      bytes.writeUInt32LE(size, 0);
      const reply = client.raw(bytes);
      expect(reply?.errno).toBe(E.EINVAL);
      expect(reply?.tag).toBe(0x1234);
    }
  });

  it("that ends in the middle of its fields is refused, at any place", () => {
    const whole: [number, ...Field[]][] = [
      [T.WALK, u32(0), u32(5), u16(2), text("d"), text("e")],
      [T.LCREATE, u32(0), text("new"), u32(2), u32(0o644), u32(0)],
      [T.SETATTR, u32(0), u32(0), u32(0), u32(0), u32(0), u64(0), u64(0), u64(0), u64(0), u64(0)],
      [T.RENAMEAT, u32(0), text("f"), u32(0), text("g")],
      [T.MKDIR, u32(0), text("dir"), u32(0o755)],
      [T.READ, u32(0), u64(0), u32(5)],
    ];
    for (const [type, ...fields] of whole) {
      const bytes = message(type, 3, ...fields);
      for (let length = 7; length < bytes.length - (type === T.LCREATE ? 4 : 0); length++) {
        const cut = Buffer.from(bytes.subarray(0, length));
        cut.writeUInt32LE(length, 0);
        expect(client.raw(cut)?.errno, `${type} cut to ${length}`).toBeGreaterThan(0);
      }
    }
    expect(readdirSync(join(base, "shared")).sort()).toEqual(["d", "f"]);
  });

  it("moves no more data than there is", () => {
    const fid = client.open("f", 2);
    const lying = message(T.WRITE, 1, u32(fid), u64(0), u32(1000), Buffer.from("short"));
    expect(client.raw(lying)?.errno).toBe(E.EINVAL);
    expect(client.read(fid, 0, 0xffff_ffff).toString()).toBe("content");
    expect(client.errno(T.READ, u32(fid), u64(2n ** 64n - 1n), u32(10))).toBe(E.EINVAL);
    expect(client.errno(T.READ, u32(fid), u64(2n ** 62n), u32(10))).toBe(E.EFBIG);
    expect(client.errno(T.WRITE, u32(fid), u64(2n ** 63n), u32(1), Buffer.from("x"))).toBe(E.EFBIG);
    // Less room than was asked for: as much as fits.
    const reply = client.raw(message(T.READ, 1, u32(fid), u64(0), u32(100)), 11 + 3);
    expect(reply?.rest.subarray(4).toString()).toBe("con");
    expect(client.setattr(fid, 8, { size: 2 ** 63 })).toBe(E.EFBIG);
  });
});

describe("a guest", () => {
  it("holds so many fids and no more", () => {
    client.server.reset();
    client = Client.attached(new ShareServer(share, { limits: { fids: 1000, openFiles: 10 } }));
    let fid = 1;
    while (client.errno(T.WALK, u32(0), u32(fid), u16(0)) === 0) fid++;
    expect(fid).toBe(1000);
    expect(client.errno(T.WALK, u32(0), u32(fid), u16(0))).toBe(E.ENFILE);
    expect(share.openDescriptors).toBe(1);
    client.version();
    expect(client.server.fids).toBe(0);
  });

  it("opens so many files and no more", () => {
    client.server.reset();
    client = Client.attached(new ShareServer(share, { limits: { fids: 1000, openFiles: 10 } }));
    const fids = Array.from({ length: 10 }, (_, i) => client.open(i % 2 === 0 ? "f" : "d"));
    expect(client.errno(T.LOPEN, u32(client.walk("f")), u32(0))).toBe(E.EMFILE);
    client.clunk(fids[4]);
    expect(client.errno(T.LOPEN, u32(client.walk("f")), u32(0))).toBe(0);
  });

  it("makes deep trees, and is stopped before they cost too much", () => {
    let fid = client.walk("");
    let depth = 0;
    for (; depth < 3000; depth++) {
      const errno = client.errno(T.MKDIR, u32(fid), text("x"), u32(0o755), u32(0));
      if (errno !== 0) {
        expect(errno).toBe(E.ENAMETOOLONG);
        break;
      }
      client.call(T.WALK, u32(fid), u32(fid), u16(1), text("x"));
    }
    expect(depth).toBe(1024);
    expect(share.openDescriptors).toBeLessThanOrEqual(513);
    fid = client.walk("../../../..", fid);
    expect(client.attributes(fid).mode & 0o170000).toBe(0o040000);
  });
});

describe("noise", () => {
  const ROUNDS = process.env.PARAVANE_LONG ? 300_000 : 20_000;

  it.each([1, 2, 3])("ends nothing and reaches nothing outside (seed %d)", { timeout: 600_000 }, (seed) => {
    const pick = random(seed * 0x9e37_79b9);
    const types = Object.values(T);
    const names = ["d", "e", "f", "..", ".", "", "a", "b", "a/b", "../x", "\0", "x".repeat(300), "\xff"];
    const numbers = [0, 1, 2, 7, 0o100644, 0o200, 0o1002, 0xffff_ffff, 0x8000_0000, 4096];
    const field = (): Field => {
      switch (pick(8)) {
        case 0:
          return u8(pick(256));
        case 1:
          return u16(pick(4) === 0 ? pick(0x1_0000) : pick(4));
        case 2:
        case 3:
          return u32(pick(6)); // a fid
        case 4:
          return u32(numbers[pick(numbers.length)]);
        case 5:
          return u64(pick(3) === 0 ? BigInt(pick(2 ** 32)) << 31n : BigInt(pick(100)));
        default:
          return text(names[pick(names.length)]);
      }
    };
    // Half of all messages have the form of real ones.
    const forms: ((type: number) => Field[])[] = [
      () => [
        u32(pick(6)),
        u32(pick(6)),
        u16(pick(3)),
        text(names[pick(names.length)]),
        text(names[pick(names.length)]),
      ],
      () => [
        u32(pick(6)),
        text(names[pick(names.length)]),
        u32(numbers[pick(numbers.length)]),
        u32(pick(512)),
        u32(0),
        u32(0),
      ],
      () => [u32(pick(6)), u64(pick(50)), u32(pick(70_000)), Buffer.alloc(pick(50))],
      () => [
        u32(pick(6)),
        u32(numbers[pick(numbers.length)]),
        u32(pick(4096)),
        u32(0),
        u32(0),
        u64(pick(9000)),
        u64(1),
        u64(1),
        u64(1),
        u64(1),
      ],
      () => [u32(pick(6)), text(names[pick(names.length)]), u32(pick(6)), text(names[pick(names.length)])],
      () => [u32(pick(6)), u32(pick(6)), text(names[pick(names.length)])],
    ];
    let done = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const type = pick(30) === 0 ? pick(256) : types[pick(types.length)];
      if (type === T.VERSION && pick(50) !== 0) continue;
      const fields = pick(2) === 0 ? Array.from({ length: pick(7) }, field) : forms[pick(forms.length)](type);
      const bytes = message(type, pick(0x1_0000), ...fields);
      if (pick(20) === 0) bytes.writeUInt32LE(pick(2 ** 32), 0);
      const reply = client.raw(
        bytes.subarray(0, pick(20) === 0 ? pick(bytes.length + 1) : bytes.length),
        11 + pick(5000),
      );
      if (reply !== undefined && reply.errno === 0) done++;
      if (pick(200) === 0) {
        client.version();
        client.call(T.ATTACH, u32(0), u32(0xffff_ffff), text(""), text(""), u32(0));
      }
    }
    expect(done).toBeGreaterThan(ROUNDS / 50);
    expect(readdirSync(base)).toEqual(["shared"]);
    client.version();
    client.call(T.ATTACH, u32(0), u32(0xffff_ffff), text(""), text(""), u32(0));
    expect(client.server.fids).toBe(1);
    expect(share.openDescriptors).toBe(1);
  });
});
