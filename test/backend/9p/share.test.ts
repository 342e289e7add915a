// The 9P server over a folder of the host: every request that Linux makes, and what the host
// then finds in the folder.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { T } from "../../../src/backend/9p/message.ts";
import { ShareServer } from "../../../src/backend/9p/server.ts";
import { LinuxErrno as E } from "../../../src/backend/9p/share-error.ts";
import { FolderShare } from "../../../src/platform/node/share/folder-share.ts";
import { Client, message, text, u8, u16, u32, u64 } from "./client.ts";

let folder: string;
let server: ShareServer;
let client: Client;
const path = (name: string) => join(folder, name);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-share-"));
  server = new ShareServer(new FolderShare(folder));
  client = Client.attached(server);
});

afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("version and attach", () => {
  it("agrees to the version that Linux speaks, and to messages of a bounded size", () => {
    expect(client.version(8192)).toEqual({ msize: 8192, version: "9P2000.L" });
    expect(client.version(0xffff_ffff)).toEqual({ msize: 512 * 1024, version: "9P2000.L" });
    expect(client.version(8192, "9P2000.u")).toEqual({ msize: 8192, version: "unknown" });
    expect(client.errno(T.WALK, u32(0), u32(1), u16(0))).toBe(E.EINVAL);
    expect(client.errno(T.VERSION, u32(100), text("9P2000.L"))).toBe(E.EINVAL);
  });

  it("lets go of every fid when a client begins anew", () => {
    client.walk("");
    expect(server.fids).toBe(2);
    client.version();
    expect(server.fids).toBe(0);
    expect(client.errno(T.CLUNK, u32(0))).toBe(E.EBADF);
  });

  it("has one tree, and no authentication", () => {
    const attach = (fid: number, tree: string) =>
      client.errno(T.ATTACH, u32(fid), u32(0xffff_ffff), text("u"), text(tree), u32(0));
    expect(attach(50, "/")).toBe(0);
    expect(attach(51, "/etc")).toBe(E.ENOENT);
    expect(attach(50, "")).toBe(E.EBADF);
    expect(client.errno(T.AUTH, u32(9), text("u"), text(""), u32(0))).toBe(E.EOPNOTSUPP);
  });
});

describe("files", () => {
  it("are created, written, read and measured", () => {
    const fid = client.create("", "a.txt");
    expect(client.write(fid, "hello, host")).toBe(11);
    expect(client.write(fid, "HOST", 7)).toBe(4);
    expect(client.read(fid).toString()).toBe("hello, HOST");
    expect(client.read(fid, 7, 2).toString()).toBe("HO");
    expect(client.read(fid, 100)).toHaveLength(0);
    expect(client.attributes(fid)).toMatchObject({ size: 11n, mode: 0o100644, uid: 0, gid: 0, links: 1n });
    client.clunk(fid);
    expect(readFileSync(path("a.txt"), "utf8")).toBe("hello, HOST");
  });

  it("hold what was written in large pieces", () => {
    const bytes = Buffer.alloc(300_000, "0123456789abcdef!");
    const fid = client.create("", "large");
    for (let at = 0; at < bytes.length; at += 50_000) client.write(fid, bytes.subarray(at, at + 50_000), at);
    expect(Buffer.compare(readFileSync(path("large")), bytes)).toBe(0);
    const parts = [];
    for (let at = 0; at < bytes.length; at += 60_000) parts.push(client.read(fid, at));
    expect(Buffer.compare(Buffer.concat(parts), bytes)).toBe(0);
  });

  it("have the permissions that the guest gives, whatever the host's umask, but no setuid", () => {
    client.create("", "open", 1, 0o777);
    expect(statSync(path("open")).mode & 0o7777).toBe(0o777);
    client.create("", "setuid", 1, 0o6755);
    expect(statSync(path("setuid")).mode & 0o7777).toBe(0o755);
    expect(client.setattr(client.walk("setuid"), 1, { mode: 0o4711 })).toBe(0);
    expect(statSync(path("setuid")).mode & 0o7777).toBe(0o711);
  });

  it("are opened as asked", () => {
    writeFileSync(path("f"), "abc");
    expect(client.attributes(client.open("f", 1 | 0o1000)).size).toBe(0n);
    const log = client.open("f", 1 | 0o2000);
    client.write(log, "one");
    client.write(log, "two", 0);
    expect(readFileSync(path("f"), "utf8")).toBe("onetwo");
    const [readOnly, writeOnly] = [client.open("f", 0), client.open("f", 1)];
    expect(client.errno(T.WRITE, u32(readOnly), u64(0), u32(1), Buffer.from("x"))).toBe(E.EBADF);
    expect(client.errno(T.READ, u32(writeOnly), u64(0), u32(1))).toBe(E.EBADF);
    expect(client.errno(T.LOPEN, u32(readOnly), u32(0))).toBe(E.EBADF);
    const again = client.walk("");
    expect(client.errno(T.LCREATE, u32(again), text("f"), u32(0o200 | 2), u32(0o644), u32(0))).toBe(E.EEXIST);
    expect(client.errno(T.LCREATE, u32(again), text("f"), u32(2), u32(0o644), u32(0))).toBe(0);
    expect(client.read(again).toString()).toBe("onetwo");
  });

  it("change size, permissions and times", () => {
    writeFileSync(path("f"), "0123456789");
    const fid = client.walk("f");
    expect(client.setattr(fid, 8, { size: 4 })).toBe(0);
    expect(readFileSync(path("f"), "utf8")).toBe("0123");
    expect(client.setattr(fid, 1, { mode: 0o600 })).toBe(0);
    expect(client.setattr(fid, 32 | 256, { mtime: 1_000_000_000n })).toBe(0);
    expect(client.attributes(fid)).toMatchObject({ mode: 0o100600, modified: 1_000_000_000n, size: 4n });
    expect(client.setattr(fid, 32)).toBe(0);
    expect(Math.abs(Number(client.attributes(fid).modified) - Date.now() / 1000)).toBeLessThan(60);
    const open = client.open("f", 2);
    expect(client.setattr(open, 8, { size: 6 })).toBe(0);
    expect(client.read(open).toString()).toBe("0123\0\0");
    // Root of the guest is the user of the host.
    expect(client.setattr(fid, 2, { uid: 0 })).toBe(0);
    expect(statSync(path("f")).uid).toBe(process.getuid?.());
  });

  it("outlive their name while they are open", () => {
    const fid = client.create("", "gone");
    client.write(fid, "still here");
    expect(client.errno(T.UNLINKAT, u32(0), text("gone"), u32(0))).toBe(0);
    expect(client.read(fid).toString()).toBe("still here");
    expect(client.attributes(fid)).toMatchObject({ size: 10n, links: 0n });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("are made durable, at once or later", async () => {
    const fid = client.create("", "f");
    expect(client.errno(T.FSYNC, u32(fid), u32(0))).toBe(0);
    expect(client.errno(T.FSYNC, u32(fid), u32(1))).toBe(0);
    client.waits = true;
    expect(client.raw(message(T.FSYNC, 7, u32(fid), u32(0)))).toBeUndefined();
    expect(server.pending).toBe(1);
    // A flush of it is answered after it, one of anything else at once, and the file may be closed meanwhile.
    expect(client.raw(message(T.FLUSH, 8, u16(7)))).toBeUndefined();
    expect(client.raw(message(T.FLUSH, 9, u16(77)))?.type).toBe(T.FLUSH + 1);
    client.clunk(fid);
    await expect.poll(() => client.later.length).toBe(2);
    expect(client.later.map(({ type, tag }) => [type, tag])).toEqual([
      [T.FSYNC + 1, 7],
      [T.FLUSH + 1, 8],
    ]);
    expect(server.pending).toBe(0);
  });
});

describe("directories", () => {
  it("are made, listed, renamed and removed", () => {
    expect(client.errno(T.MKDIR, u32(0), text("d"), u32(0o700), u32(0))).toBe(0);
    expect(statSync(path("d")).mode & 0o7777).toBe(0o700);
    expect(client.errno(T.MKDIR, u32(0), text("d"), u32(0o700), u32(0))).toBe(E.EEXIST);
    client.create("d", "x");
    expect(client.list("d")).toEqual(["x"]);
    expect(client.errno(T.UNLINKAT, u32(0), text("d"), u32(0x200))).toBe(E.ENOTEMPTY);
    expect(client.errno(T.RENAMEAT, u32(client.walk("d")), text("x"), u32(0), text("y"))).toBe(0);
    expect(client.errno(T.UNLINKAT, u32(0), text("d"), u32(0))).toBe(E.EISDIR);
    expect(client.errno(T.UNLINKAT, u32(0), text("d"), u32(0x200))).toBe(0);
    expect(readdirSync(folder)).toEqual(["y"]);
  });

  it("of many entries are listed in parts, each entry once", () => {
    const names = Array.from({ length: 1500 }, (_, i) => `file-${i}`);
    mkdirSync(path("many"));
    for (const name of names) writeFileSync(path(`many/${name}`), "");
    expect(client.list("many")).toEqual(names.sort());
  });

  it("are listed as they were, whatever changes meanwhile, until reading begins anew", () => {
    mkdirSync(path("d"));
    for (let i = 0; i < 200; i++) writeFileSync(path(`d/${i}`), "");
    const fid = client.open("d");
    const seen: string[] = [];
    let offset = 0n;
    for (let round = 0; ; round++) {
      const entries = client.readdir(fid, offset, 600);
      if (entries.length === 0) break;
      for (const { name } of entries) {
        seen.push(name);
        if (name !== "." && name !== "..") rmSync(path(`d/${name}`));
      }
      writeFileSync(path(`d/new-${round}`), "");
      offset = entries.at(-1)?.offset ?? 0n;
    }
    expect(seen.filter((name) => /^[0-9]+$/.test(name))).toHaveLength(200);
    expect(new Set(seen).size).toBe(seen.length);
    const anew = client.readdir(fid, 0n, 60_000).map(({ name }) => name);
    expect(anew).toContain("new-0");
    expect(anew).not.toContain("0");
    expect(client.errno(T.READDIR, u32(fid), u64(0), u32(10))).toBe(E.EINVAL);
  });

  it("lead up to where they were reached from, and not above the root", () => {
    mkdirSync(path("a/b"), { recursive: true });
    const inode = (fid: number) => client.attributes(fid).qid.path;
    const b = client.walk("a/b");
    expect(inode(client.walk("..", b))).toBe(inode(client.walk("a")));
    expect(inode(client.walk("../../../../..", b))).toBe(inode(0));
    const dots = client.readdir(client.open("a"), 0n, 4096);
    expect(dots.map(({ name, type }) => [name, type])).toEqual([
      [".", 4],
      ["..", 4],
      ["b", 4],
    ]);
    expect(dots[1].path).toBe(inode(0));
  });

  it("tell how far a walk came", () => {
    mkdirSync(path("a"));
    const reply = client.call(T.WALK, u32(0), u32(77), u16(3), text("a"), text("b"), text("c"));
    expect(reply.u16()).toBe(1);
    expect(client.errno(T.CLUNK, u32(77))).toBe(E.EBADF);
    expect(client.errno(T.WALK, u32(0), u32(77), u16(1), text("b"))).toBe(E.ENOENT);
    expect(client.errno(T.WALK, u32(0), u32(77), u16(17), ...Array(17).fill(text("a")))).toBe(E.EINVAL);
  });
});

describe("names and links", () => {
  it("are bytes", () => {
    const name = Buffer.from("grün \u{1f600}").toString("latin1");
    client.create("", name);
    client.create("", "\xff\xfe not UTF-8");
    expect(client.list("")).toEqual([name, "\xff\xfe not UTF-8"].sort());
    expect(readdirSync(folder)).toContain("grün \u{1f600}");
  });

  it("symbolic links are made and read, not followed", () => {
    client.call(T.SYMLINK, u32(0), text("s"), text("../../etc/passwd"), u32(0));
    const fid = client.walk("s");
    expect(client.call(T.READLINK, u32(fid)).text()).toBe("../../etc/passwd");
    expect(client.attributes(fid).mode & 0o170000).toBe(0o120000);
    expect(readlinkSync(path("s"))).toBe("../../etc/passwd");
    expect(client.errno(T.LOPEN, u32(fid), u32(0))).toBe(E.ELOOP);
    expect(client.errno(T.READLINK, u32(0))).toBe(E.EINVAL);
  });

  it("hard links are names of one file", () => {
    client.write(client.create("", "a"), "same");
    expect(client.errno(T.LINK, u32(0), u32(client.walk("a")), text("b"))).toBe(0);
    expect(statSync(path("b")).nlink).toBe(2);
    expect(client.attributes(client.walk("b")).qid.path).toBe(client.attributes(client.walk("a")).qid.path);
  });

  it("fids follow files through renames", () => {
    mkdirSync(path("from/deep"), { recursive: true });
    mkdirSync(path("to"));
    writeFileSync(path("from/deep/f"), "f");
    const deep = client.walk("from/deep");
    const file = client.walk("from/deep/f");
    client.call(T.SYMLINK, u32(deep), text("s"), text("f"), u32(0));
    const symlink = client.walk("s", deep);
    expect(client.errno(T.RENAME, u32(client.walk("from")), u32(client.walk("to")), text("renamed"))).toBe(0);
    expect(client.attributes(file).size).toBe(1n);
    expect(client.call(T.READLINK, u32(symlink)).text()).toBe("f");
    expect(client.errno(T.RENAME, u32(file), u32(0), text("top"))).toBe(0);
    expect(readFileSync(path("top"), "utf8")).toBe("f");
    expect(client.errno(T.REMOVE, u32(file))).toBe(0);
    expect(client.errno(T.REMOVE, u32(symlink))).toBe(0);
    expect(client.errno(T.CLUNK, u32(file))).toBe(E.EBADF);
    expect(readdirSync(path("to/renamed/deep"))).toEqual([]);
  });
});

describe("the rest", () => {
  it("makes no special files, but regular ones", () => {
    const mknod = (name: string, mode: number) =>
      client.errno(T.MKNOD, u32(0), text(name), u32(mode), u32(1), u32(3), u32(0));
    for (const type of [0o020000, 0o060000, 0o010000, 0o140000]) expect(mknod("special", type | 0o666)).toBe(E.EPERM);
    expect(mknod("plain", 0o100640)).toBe(0);
    expect(readdirSync(folder)).toEqual(["plain"]);
    expect(statSync(path("plain")).mode & 0o777).toBe(0o640);
  });

  it("tells of the file system, grants locks, and has no extended attributes", () => {
    const statfs = client.call(T.STATFS, u32(0));
    expect(statfs.u32()).toBe(0x0102_1997);
    expect(statfs.u32()).toBeGreaterThan(0);
    expect(statfs.u64()).toBeGreaterThan(0n);
    const fid = client.create("", "f");
    const lock = [u32(0), u64(0), u64(0), u32(1), text("guest")];
    expect(client.call(T.LOCK, u32(fid), u8(1), ...lock).u8()).toBe(0);
    expect(client.call(T.GETLOCK, u32(fid), u8(1), ...lock.slice(1)).u8()).toBe(2);
    expect(client.errno(T.XATTRWALK, u32(fid), u32(99), text("user.x"))).toBe(E.EOPNOTSUPP);
    expect(client.errno(T.XATTRCREATE, u32(fid), text("user.x"), u64(1), u32(0))).toBe(E.EOPNOTSUPP);
    expect(client.errno(200)).toBe(E.EOPNOTSUPP);
  });

  it("keeps a read-only share as it is", () => {
    writeFileSync(path("f"), "f");
    symlinkSync("f", path("s"));
    const readOnly = Client.attached(new ShareServer(new FolderShare(folder, { readOnly: true })));
    const before = statSync(path("f")).mtimeMs;
    const f = readOnly.walk("f");
    const refused = [
      readOnly.errno(T.LOPEN, u32(f), u32(1)),
      readOnly.errno(T.LOPEN, u32(f), u32(2)),
      readOnly.errno(T.LOPEN, u32(f), u32(0o1000)),
      readOnly.errno(T.LCREATE, u32(readOnly.walk("")), text("n"), u32(2), u32(0o644), u32(0)),
      readOnly.errno(T.MKDIR, u32(0), text("n"), u32(0o755), u32(0)),
      readOnly.errno(T.MKNOD, u32(0), text("n"), u32(0o100644), u32(0), u32(0), u32(0)),
      readOnly.errno(T.SYMLINK, u32(0), text("n"), text("f"), u32(0)),
      readOnly.errno(T.LINK, u32(0), u32(f), text("n")),
      readOnly.errno(T.RENAMEAT, u32(0), text("f"), u32(0), text("n")),
      readOnly.errno(T.RENAME, u32(f), u32(0), text("n")),
      readOnly.errno(T.UNLINKAT, u32(0), text("f"), u32(0)),
      readOnly.setattr(f, 1, { mode: 0 }),
      readOnly.errno(T.REMOVE, u32(readOnly.walk("f"))),
    ];
    expect(refused).toEqual(refused.map(() => E.EROFS));
    expect(readdirSync(folder).sort()).toEqual(["f", "s"]);
    expect(statSync(path("f")).mtimeMs).toBe(before);
    expect(readOnly.read(readOnly.open("f")).toString()).toBe("f");
    expect(readOnly.list("")).toEqual(["f", "s"]);
    readOnly.server.close();
  });
});
