// A guest, and processes of the host beside it, do what they can to lead the server out of the
// shared folder. Outside lies a file whose contents must never be seen and a folder that
// must stay as it is.
import { execFileSync, spawn } from "node:child_process";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { T } from "../../../src/backend/9p/message.ts";
import { ShareServer } from "../../../src/backend/9p/server.ts";
import { LinuxErrno as E } from "../../../src/backend/9p/share-error.ts";
import { FolderShare } from "../../../src/platform/node/share/folder-share.ts";
import { Client, NineError, text, u16, u32, u64 } from "./client.ts";

const SECRET = "the secret of the host";
const RACE_TIME = process.env.PARAVANE_LONG ? 30_000 : 2_500;

let base: string;
let folder: string;
let outside: string;
let share: FolderShare;
let client: Client;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "paravane-escape-"));
  folder = join(base, "shared");
  outside = join(base, "outside");
  mkdirSync(join(outside, "d"), { recursive: true });
  mkdirSync(join(folder, "d"), { recursive: true });
  writeFileSync(join(outside, "secret"), SECRET);
  writeFileSync(join(outside, "d/secret"), SECRET);
  writeFileSync(join(folder, "d/inside"), "inside");
  share = new FolderShare(folder);
  client = Client.attached(new ShareServer(share));
});

afterEach(() => {
  client.server.close();
  rmSync(base, { recursive: true, force: true });
});

/** All names and contents outside, to see that nothing changed. */
function seen(): string {
  const files = readdirSync(outside, { recursive: true, encoding: "utf8" }).sort();
  return JSON.stringify(
    files.map((name) => [name, name.endsWith("secret") ? readFileSync(join(outside, name), "utf8") : ""]),
  );
}

describe("names", () => {
  const BAD = ["", ".", "..", "a/b", "/etc/passwd", "../outside/secret", "d/../..", "nul\0name", "/"];

  it("that are more than one entry are refused everywhere", () => {
    const before = seen();
    const file = client.walk("d/inside");
    for (const name of BAD) {
      const refused = [
        client.errno(T.LCREATE, u32(client.walk("")), text(name), u32(2), u32(0o644), u32(0)),
        client.errno(T.MKDIR, u32(0), text(name), u32(0o755), u32(0)),
        client.errno(T.MKNOD, u32(0), text(name), u32(0o100644), u32(0), u32(0), u32(0)),
        client.errno(T.SYMLINK, u32(0), text(name), text("x"), u32(0)),
        client.errno(T.LINK, u32(0), u32(file), text(name)),
        client.errno(T.RENAMEAT, u32(0), text(name), u32(0), text("x")),
        client.errno(T.RENAMEAT, u32(0), text("d"), u32(0), text(name)),
        client.errno(T.RENAME, u32(file), u32(0), text(name)),
        client.errno(T.UNLINKAT, u32(0), text(name), u32(0)),
        client.errno(T.UNLINKAT, u32(0), text(name), u32(0x200)),
      ];
      expect(refused, JSON.stringify(name)).toEqual(refused.map(() => E.EINVAL));
      if (name !== "..") expect(client.errno(T.WALK, u32(0), u32(9000), u16(1), text(name))).toBe(E.ENOENT);
    }
    expect(seen()).toBe(before);
    expect(readdirSync(folder)).toEqual(["d"]);
    // The backend does not trust the server either.
    for (const name of BAD) {
      expect(() => share.walk(share.root(), name)).toThrow("error 22");
      expect(() => share.remove(share.root(), name, false)).toThrow("error 22");
    }
  });

  it("of targets of links lead nowhere", () => {
    const before = seen();
    symlinkSync(outside, join(folder, "link"));
    symlinkSync(join(outside, "secret"), join(folder, "file"));
    const link = client.walk("link");
    expect(client.errno(T.WALK, u32(0), u32(9000), u16(2), text("link"), text("secret"))).toBe(0); // one step
    expect(client.errno(T.CLUNK, u32(9000))).toBe(E.EBADF);
    expect(client.errno(T.WALK, u32(link), u32(9000), u16(1), text("secret"))).toBe(E.ENOTDIR);
    expect(client.errno(T.LOPEN, u32(link), u32(0))).toBe(E.ELOOP);
    expect(client.errno(T.LOPEN, u32(client.walk("file")), u32(2))).toBe(E.ELOOP);
    expect(client.errno(T.LCREATE, u32(client.walk("")), text("file"), u32(0o1002), u32(0o644), u32(0))).toBe(E.ELOOP);
    expect(client.errno(T.MKDIR, u32(link), text("new"), u32(0o755), u32(0))).toBe(E.ENOTDIR);
    expect(client.errno(T.UNLINKAT, u32(link), text("secret"), u32(0))).toBe(E.ENOTDIR);
    expect(client.setattr(link, 1, { mode: 0o777 })).toBe(E.EOPNOTSUPP);
    expect(client.setattr(client.walk("file"), 8, { size: 0 })).toBe(E.ELOOP);
    expect(client.setattr(client.walk("file"), 32 | 256, { mtime: 1n })).toBe(0); // the link's own
    expect(client.errno(T.LINK, u32(0), u32(client.walk("file")), text("hard"))).toBe(0);
    expect(client.errno(T.LOPEN, u32(client.walk("hard")), u32(0))).toBe(E.ELOOP);
    expect(seen()).toBe(before);
  });
});

describe("special files of the host", () => {
  it("are seen, and neither opened nor waited for", async () => {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    const socket = createServer().listen(join(folder, "socket"));
    await new Promise((resolve) => socket.once("listening", resolve));
    for (const name of ["fifo", "socket"]) {
      const fid = client.walk(name);
      for (const flags of [0, 1, 2]) expect(client.errno(T.LOPEN, u32(fid), u32(flags))).toBe(E.ENXIO);
      expect(client.errno(T.LCREATE, u32(client.walk("")), text(name), u32(2), u32(0o644), u32(0))).toBe(E.ENXIO);
      expect(client.setattr(fid, 8, { size: 0 })).toBe(E.ENXIO);
    }
    expect(client.errno(T.UNLINKAT, u32(0), text("fifo"), u32(0))).toBe(0);
    socket.close();
  });

  it("of kernels, such as /proc, lead nowhere either", () => {
    const proc = Client.attached(new ShareServer(new FolderShare("/proc/self", { readOnly: true })));
    for (const name of ["root", "cwd", "exe"]) {
      expect(proc.errno(T.WALK, u32(proc.walk(name)), u32(90), u16(1), text("etc"))).toBe(E.ENOTDIR);
      expect(proc.errno(T.LOPEN, u32(proc.walk(name)), u32(0))).toBe(E.ELOOP);
    }
    proc.server.close();
  });
});

describe("places that move", () => {
  it("stay what they were when the host puts something else at their name", () => {
    const [d, inside] = [client.walk("d"), client.walk("d/inside")];
    renameSync(join(folder, "d"), join(folder, "moved"));
    symlinkSync(join(outside, "d"), join(folder, "d"));
    expect(client.errno(T.WALK, u32(d), u32(9000), u16(1), text("secret"))).toBe(E.ENOENT);
    client.call(T.LOPEN, u32(inside), u32(0));
    expect(client.read(inside).toString()).toBe("inside");
    client.create("moved", "made");
    expect(readdirSync(join(folder, "moved")).sort()).toEqual(["inside", "made"]);
    expect(client.errno(T.WALK, u32(0), u32(9000), u16(2), text("d"), text("secret"))).toBe(0);
    expect(client.errno(T.CLUNK, u32(9000))).toBe(E.EBADF);
  });

  it("go up to where they were reached from, not to where they are by now", () => {
    const d = client.walk("d");
    renameSync(join(folder, "d"), join(outside, "taken"));
    const up = client.walk("..", d);
    expect(client.attributes(up).qid.path).toBe(client.attributes(0).qid.path);
    expect(client.list("")).toEqual([]);
  });

  it("are found again when descriptors had to be closed, or are stale", () => {
    const files = 2000;
    mkdirSync(join(folder, "many"));
    for (let i = 0; i < files; i++) writeFileSync(join(folder, `many/${i}`), `${i}`);
    const fids = Array.from({ length: files }, (_, i) => client.walk(`many/${i}`));
    expect(share.openDescriptors).toBeLessThanOrEqual(513);
    // Written anew under the same name; swapped for a link; renamed by the guest.
    writeFileSync(join(folder, "other"), "");
    rmSync(join(folder, "many/1"));
    linkSync(join(folder, "other"), join(folder, "many/1"));
    rmSync(join(folder, "many/2"));
    symlinkSync(join(outside, "secret"), join(folder, "many/2"));
    client.call(T.RENAMEAT, u32(client.walk("many")), text("3"), u32(0), text("three"));
    const content = (fid: number) => {
      client.call(T.LOPEN, u32(fid), u32(0));
      return client.read(fid).toString();
    };
    expect(client.errno(T.LOPEN, u32(fids[1]), u32(0))).toBe(E.ESTALE);
    expect(client.errno(T.LOPEN, u32(fids[2]), u32(0))).toBe(E.ESTALE);
    expect(content(fids[3])).toBe("3");
    for (let i = 4; i < files; i += 97) expect(content(fids[i])).toBe(`${i}`);
    expect(share.openDescriptors).toBeLessThanOrEqual(513);
    for (const fid of fids) client.clunk(fid);
    expect(share.openDescriptors).toBeLessThan(10);
  });

  it("never make a circle of what is known of the tree", () => {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    const [a, b] = [client.walk("a"), client.walk("a/b")];
    // The host takes b out, and the guest then moves a into it: b's known folder would be below b.
    renameSync(join(folder, "a/b"), join(folder, "b"));
    client.call(T.RENAMEAT, u32(0), text("a"), u32(b), text("a"));
    expect(client.attributes(client.walk("../../../..", b)).qid.path).toBe(client.attributes(0).qid.path);
    expect(client.attributes(a).mode & 0o170000).toBe(0o040000);
    for (const fid of [a, b]) client.clunk(fid);
  });
});

describe("a folder that turns into a link and back, all the time", () => {
  const SWAP = `
    const { renameSync, symlinkSync, unlinkSync } = require("node:fs");
    const [folder, target] = process.argv.slice(1);
    const steps = [
      () => renameSync(folder + "/d", folder + "/real"),
      () => symlinkSync(target, folder + "/d"),
      () => unlinkSync(folder + "/d"),
      () => renameSync(folder + "/real", folder + "/d"),
    ];
    process.stdout.write("started");
    for (;;) for (const step of steps) {
      step();
      for (let n = Math.random() < 0.5 ? 0 : Math.random() * 100_000; n > 0; n--);
    }`;

  it("never lets anything in or out", { timeout: RACE_TIME + 60_000 }, async () => {
    const before = seen();
    // Each state lasts for some time or none, so that every step of ours can meet every step of theirs.
    const swapper = spawn(process.execPath, ["-e", SWAP, folder, join(outside, "d")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise((resolve) => swapper.stdout.once("data", resolve));
    const met = { folder: 0, link: 0, nothing: 0, read: 0, made: 0 };
    const attempt = <R>(action: () => R): R | undefined => {
      try {
        return action();
      } catch (error) {
        if (error instanceof NineError) return undefined;
        throw error;
      }
    };
    try {
      for (const end = Date.now() + RACE_TIME; Date.now() < end; ) {
        const name = `n${met.made}`;
        const d = attempt(() => client.walk("d"));
        if (d === undefined) {
          met.nothing++;
          continue;
        }
        const kind = client.attributes(d).mode & 0o170000;
        met[kind === 0o040000 ? "folder" : "link"]++;
        for (const found of [attempt(() => client.walk("secret", d)), attempt(() => client.walk("d/secret"))]) {
          if (found === undefined) continue;
          // A walk of two steps that got a fid would have gone through the link.
          throw new Error("the guest walked out of the folder");
        }
        const file = attempt(() => client.open("d/inside"));
        if (file !== undefined) {
          expect(client.read(file).toString()).toBe("inside");
          met.read++;
          client.clunk(file);
        }
        const fid = client.walk("", d);
        if (client.errno(T.LCREATE, u32(fid), text(name), u32(2), u32(0o644), u32(0)) === 0) met.made++;
        client.clunk(fid);
        for (const [type, ...fields] of [
          [T.MKDIR, u32(d), text(`${name}.d`), u32(0o755), u32(0)],
          [T.SYMLINK, u32(d), text(`${name}.l`), text("x"), u32(0)],
          [T.RENAMEAT, u32(d), text("secret"), u32(0), text("stolen")],
          [T.UNLINKAT, u32(d), text("secret"), u32(0)],
          [T.UNLINKAT, u32(d), text(name), u32(0)],
          [T.UNLINKAT, u32(d), text(`${name}.d`), u32(0x200)],
          [T.UNLINKAT, u32(d), text(`${name}.l`), u32(0)],
          [T.RENAMEAT, u32(0), text("nothing"), u32(d), text("planted")],
        ] as const) {
          client.errno(type, ...fields);
        }
        client.setattr(d, 1, { mode: 0o755 });
        attempt(() => {
          expect(client.list("d")).not.toContain("secret");
        });
        client.clunk(d);
      }
    } finally {
      swapper.kill("SIGKILL");
    }
    expect(seen()).toBe(before);
    for (const [what, count] of Object.entries(met)) expect(count, what).toBeGreaterThan(3);
    expect(client.errno(T.STATFS, u32(0))).toBe(0);
    expect(client.errno(T.READ, u32(0), u64(0), u32(1))).toBe(E.EBADF);
  });
});
