// How the Debian guest is made, as far as that needs no network; and, where one is in the
// cache, what is in it.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { readCpio } from "../../src/image/cpio.ts";
import { volumeName } from "../../src/image/erofs.ts";
import { explainAptFailure, parsePackages } from "../../src/platform/node/debian/apt.ts";
import { debianMirrors, parseDeb822Sources, parseSourceList } from "../../src/platform/node/debian/apt-sources.ts";
import { cachedDebianGuest } from "../../src/platform/node/debian/build.ts";
import { type BuildRecord, currentBuild, defaultCacheDir, withLock } from "../../src/platform/node/debian/cache.ts";
import { decompress } from "../../src/platform/node/debian/deb.ts";
import { DebianGuestError, explainSystemError } from "../../src/platform/node/debian/debian-error.ts";
import { selectModules } from "../../src/platform/node/debian/modules.ts";
import { buildToolsDisk, likelyPackages } from "../../src/platform/node/debian/tools-disk.ts";
import { kernelModule, sharedObject } from "./elf-files.ts";

const folder = mkdtempSync(join(tmpdir(), "paravane-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (path: string, content: string | Uint8Array): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("apt's sources", () => {
  const list = [
    "# deb http://commented.example/debian trixie main",
    "deb [arch=amd64 signed-by=/k.gpg] http://one.example/debian bookworm main contrib # note",
    "deb-src http://source.example/debian bookworm main",
    "deb http://vendor.example/apt stable-vendor main",
    "  deb  http://security.example/debian-security  bookworm-security  main",
    "deb cdrom:[disc]/ bookworm main",
  ].join("\n");
  const deb822 = [
    "Types: deb deb-src",
    "# a comment",
    "URIs: http://two.example/debian",
    "  http://three.example/debian",
    "Suites: trixie trixie-updates",
    "Components: main",
    "",
    "Enabled: no",
    "Types: deb",
    "URIs: http://off.example/debian",
    "Suites: trixie",
    "Components: main",
    "",
    "types: deb",
    "uris: http://contrib.example/debian",
    "suites: trixie",
    "components: contrib",
  ].join("\n");

  it("are read in both forms", () => {
    expect(parseSourceList(list)[0]).toEqual({
      uris: ["http://one.example/debian"],
      suites: ["bookworm"],
      components: ["main", "contrib"],
    });
    expect(parseDeb822Sources(deb822)[0]).toEqual({
      uris: ["http://two.example/debian", "http://three.example/debian"],
      suites: ["trixie", "trixie-updates"],
      components: ["main"],
    });
  });

  it("give the mirrors of Debian's main archive alone", () => {
    expect(debianMirrors([...parseSourceList(list), ...parseDeb822Sources(deb822)])).toEqual([
      "http://one.example/debian",
      "http://two.example/debian",
      "http://three.example/debian",
    ]);
  });
});

describe("apt's answers", () => {
  it("are read as packages", () => {
    const shown = [
      "Package: fio",
      "Version: 3.39-1",
      "Pre-Depends: init (>= 1)",
      "Depends: libaio1t64 (>= 0.3), libc6 | libc6.1:any, python3:any",
      "Size: 594872",
      "Description: a",
      " Depends: none of this",
      "",
      "",
      "Package: zlib1g",
      "Version: 1:1.3",
      "Size: 5",
    ].join("\n");
    expect(parsePackages(shown)).toEqual([
      { name: "fio", version: "3.39-1", depends: ["init", "libaio1t64", "libc6", "python3"], size: 594872 },
      { name: "zlib1g", version: "1:1.3", depends: [], size: 5 },
    ]);
  });

  it.each([
    [
      "W: GPG error: http://m trixie InRelease: couldn't be verified: NO_PUBKEY 6ED",
      "install a current debian-archive-keyring",
    ],
    ["E: Failed to fetch http://m  Temporary failure resolving 'm'", "no network"],
    ["E: Failed to fetch http://m  Could not connect to m:80", "no network"],
    ["E: The repository 'http://m trixie Release' does not have a Release file.", "does not carry this release"],
    ["E: Write error - write (28: No space left on device)", "no space left"],
    ["E: Unheard of", "apt: Unheard of"],
  ])("are explained: %s", (stderr, explanation) => {
    expect(explainAptFailure(stderr, "http://m")).toContain(explanation);
  });

  it("end with the way round", () => {
    const full = explainSystemError(Object.assign(new Error("write"), { code: "ENOSPC" }));
    expect(full).toBeInstanceOf(DebianGuestError);
    expect((full as Error).message).toMatch(/^no space left.*--kernel FILE --initrd FILE$/);
    expect((full as Error).message).not.toContain("\n");
    const other = new Error("something else");
    expect(explainSystemError(other)).toBe(other);
  });
});

describe("kernel modules", () => {
  const add = (path: string, name: string, depends = "", alias: string[] = []): void =>
    write(`modules/kernel/${path}`, kernelModule({ name, depends, alias }));
  add("a/top-mod.ko.gz", "top_mod", "middle,left", ["pci:top*", "fs-top"]);
  add("b/middle.ko.gz", "middle", "bottom");
  add("b/left.ko", "left", "bottom");
  add("c/bottom.ko", "bottom");
  add("c/unwanted.ko", "unwanted");
  for (const path of ["a/top-mod", "b/middle"]) {
    const place = join(folder, "modules/kernel", `${path}.ko.gz`);
    writeFileSync(place, gzipSync(readFileSync(place)));
  }
  write("modules/modules.builtin", "kernel/x/built-in.ko\n");
  const select = (wanted: string[]) =>
    selectModules(join(folder, "modules"), wanted, (path) => decompress(path, readFileSync(path), join(folder, "deb")));

  it("come with what they depend on, decompressed", async () => {
    const entries = await select(["top-mod", "built_in"]);
    expect(entries.map(({ path }) => path)).toEqual([
      "modules.dep",
      "modules.alias",
      "modules.builtin",
      "kernel/c/bottom.ko",
      "kernel/b/left.ko",
      "kernel/b/middle.ko",
      "kernel/a/top-mod.ko",
    ]);
    for (const entry of entries.slice(3)) expect(entry.kind === "file" && text(entry.data.subarray(1, 4))).toBe("ELF");
  });

  it("are indexed so that modprobe loads the deepest first", async () => {
    const [dep, alias] = (await select(["top_mod"])).map((entry) => (entry.kind === "file" ? text(entry.data) : ""));
    expect(dep.split("\n")).toEqual([
      "kernel/c/bottom.ko:",
      "kernel/b/left.ko: kernel/c/bottom.ko",
      "kernel/b/middle.ko: kernel/c/bottom.ko",
      "kernel/a/top-mod.ko: kernel/b/middle.ko kernel/b/left.ko kernel/c/bottom.ko",
      "",
    ]);
    expect(alias).toBe("alias pci:top* top_mod\nalias fs-top top_mod\n");
  });

  it("must be there", async () => {
    await expect(select(["no-such"])).rejects.toThrow("has no module no_such");
  });
});

describe("the tools disk", () => {
  it("guesses the package of a shared object", () => {
    expect(likelyPackages("libnuma.so.1")).toContain("libnuma1");
    expect(likelyPackages("libaio.so.1t64")).toContain("libaio1t64");
    expect(likelyPackages("libnl-3.so.200")).toContain("libnl-3-200");
    expect(likelyPackages("libgcc_s.so.1")).toContain("libgcc-s1");
  });

  it("takes what the loader needs, package by package, and no more", async () => {
    const program = (needed: string[]) => sharedObject({ needed, interpreter: "/lib/ld.so.1" });
    const library = (soname: string, needed: string[] = [], runPath?: string) =>
      sharedObject({ needed, soname, runPath });
    const LIB = "usr/lib/riscv64-linux-gnu";
    write("fio/usr/bin/fio", program(["liba.so.1", "libodd.so.1"]));
    write("fio/usr/bin/script", "#!/bin/sh\n");
    for (const name of ["stress-ng", "iperf3", "rt-tests"]) write(`${name}/usr/bin/${name}`, program(["libc.so.6"]));
    write(`liba1/${LIB}/liba.so.1`, library("liba.so.1", ["libc.so.6", "libdeep.so.2"], "/usr/lib/private"));
    write(`liba1/${LIB}/libplugin.so`, library("libplugin.so", ["libllvm.so.19"]));
    write("libdeep2/usr/lib/private/libdeep.so.2", library("libdeep.so.2"));
    write(`strangely-named/${LIB}/nothing`, "");
    write(`libstrange/${LIB}/libodd.so.1`, library("libodd.so.1"));
    write(`libc6/${LIB}/libc.so.6`, library("libc.so.6"));
    write("libc6/usr/lib/ld.so.1", library("ld.so.1"));
    const depends: Record<string, string[]> = {
      fio: ["liba1", "libc6", "libstrange", "python3"],
      liba1: ["libdeep2", "libc6", "libllvm19"],
    };
    const fetched: string[] = [];
    const { image, paths } = await buildToolsDisk(async (names) => {
      fetched.push(...names);
      return new Map(names.map((name) => [name, { folder: join(folder, name), depends: depends[name] ?? ["libc6"] }]));
    });
    expect(paths).toEqual([
      "usr/bin/fio",
      "usr/bin/iperf3",
      "usr/bin/rt-tests",
      "usr/bin/stress-ng",
      "usr/lib/ld.so.1",
      "usr/lib/private/libdeep.so.2",
      `${LIB}/liba.so.1`,
      `${LIB}/libc.so.6`,
      `${LIB}/libodd.so.1`,
    ]);
    expect(fetched).not.toContain("python3");
    expect(fetched).not.toContain("libllvm19");
    expect(volumeName(image)).toBe("paravane-tools");
  });
});

describe("dpkg-deb as a decompressor", () => {
  const missing = ["dpkg-deb", "xz"].filter((name) => spawnSync(name, ["--version"]).error);
  it.skipIf(missing.length > 0)("gives back what xz packed", async () => {
    const data = Buffer.from("module ".repeat(10_000));
    const packed = execFileSync("xz", ["-c"], { input: data });
    const content = await decompress("x.ko.xz", packed, join(folder, "scratch.deb"));
    expect(Buffer.compare(Buffer.from(content), data)).toBe(0);
    await expect(decompress("x.ko.xz", packed.subarray(0, 50), join(folder, "scratch.deb"))).rejects.toThrow(
      DebianGuestError,
    );
  });
});

describe("the cache", () => {
  it("lies where the user wants it", () => {
    expect(defaultCacheDir({ PARAVANE_CACHE: "/p", XDG_CACHE_HOME: "/x" })).toBe("/p");
    expect(defaultCacheDir({ XDG_CACHE_HOME: "/x" })).toBe("/x/paravane");
    expect(defaultCacheDir({})).toMatch(/\/\.cache\/paravane$/);
  });

  it("lets one at a time build", async () => {
    const lock = join(folder, "lock");
    let inside = 0;
    let waited = 0;
    const work = async (): Promise<number> => {
      inside++;
      expect(inside).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside--;
      return 1;
    };
    const all = Array.from({ length: 3 }, () => withLock(lock, () => waited++, work));
    expect(await Promise.all(all)).toEqual([1, 1, 1]);
    expect(waited).toBe(2);
    await expect(
      withLock(
        lock,
        () => {},
        () => Promise.reject(new Error("failed")),
      ),
    ).rejects.toThrow("failed");
    expect(statSync(lock, { throwIfNoEntry: false })).toBeUndefined();
  });

  it("takes over from a process that died", async () => {
    const lock = join(folder, "dead");
    mkdirSync(lock);
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(lock, longAgo, longAgo);
    expect(
      await withLock(
        lock,
        () => {},
        async () => "mine",
      ),
    ).toBe("mine");
  });

  it("takes over from a process of this machine that is gone, before its lock is old, and from no other", async () => {
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    /** Whether a lock that `holder` took and has not touched for `age` ms goes to us before it is free. */
    const takesOver = async (holder: string, age: number): Promise<boolean> => {
      const lock = join(folder, `held-${Math.random()}`);
      write(join(basename(lock), "holder"), holder);
      const then = new Date(Date.now() - age);
      utimesSync(lock, then, then);
      let isFree = false;
      const free = setTimeout(() => {
        isFree = true;
        rmSync(lock, { recursive: true });
      }, 500);
      await withLock(
        lock,
        () => {},
        async () => clearTimeout(free),
      );
      expect(statSync(lock, { throwIfNoEntry: false })).toBeUndefined();
      return !isFree;
    };
    expect(await takesOver(`${hostname()} ${gone}`, 10_000)).toBe(true);
    expect(await takesOver(`${hostname()} ${gone}`, 0)).toBe(false);
    expect(await takesOver(`${hostname()} ${process.pid}`, 10_000)).toBe(false);
    expect(await takesOver(`not-${hostname()} ${gone}`, 10_000)).toBe(false);
    expect(await takesOver("who?", 10_000)).toBe(false);
    const own = join(folder, "own");
    const holder = async () => readFileSync(join(own, "holder"), "utf8");
    expect(await withLock(own, () => {}, holder)).toBe(`${hostname()} ${process.pid}`);
  });

  it("offers a build only if it is whole and of this recipe", () => {
    const record: BuildRecord = {
      recipe: "r",
      release: "trixie",
      kernelVersion: "6",
      packages: {},
      files: { Image: 3 },
    };
    write("builds/0123456789abcdef/guest.json", JSON.stringify(record));
    write("builds/0123456789abcdef/Image", "abc");
    const builds = join(folder, "builds");
    expect(currentBuild(builds, "r")).toBeUndefined();
    write("builds/current.json", JSON.stringify({ recipe: "r", id: "0123456789abcdef" }));
    expect(currentBuild(builds, "r")?.record).toEqual(record);
    expect(currentBuild(builds, "other")).toBeUndefined();
    write("builds/0123456789abcdef/Image", "ab");
    expect(currentBuild(builds, "r")).toBeUndefined();
    write("builds/current.json", JSON.stringify({ recipe: "r", id: "../../etc" }));
    expect(currentBuild(builds, "r")).toBeUndefined();
  });
});

describe("the Debian guest in the cache", () => {
  const guest = cachedDebianGuest();
  const whole = guest ?? {
    kernel: "",
    initrd: "",
    toolsDisk: "",
    opensbi: { dynamic: "", jump: "" },
    uboot: "",
    version: "",
  };

  it.skipIf(!guest)("has a kernel that says Image and the firmware beside it", () => {
    expect(text(readFileSync(whole.kernel).subarray(0x38, 0x3c))).toBe("RSC\x05");
    for (const path of [whole.opensbi.dynamic, whole.opensbi.jump, whole.uboot]) {
      expect(statSync(path).size).toBeGreaterThan(100_000);
    }
  });

  it.skipIf(!guest)("has an initrd with busybox, the agent and drivers for the machine's devices", () => {
    const entries = new Map([...readCpio(readFileSync(whole.initrd))].map((entry) => [entry.path, entry]));
    const busybox = entries.get("usr/bin/busybox");
    expect(busybox?.kind === "file" && busybox.mode).toBe(0o755);
    expect(busybox?.kind === "file" && text(busybox.data.subarray(1, 4))).toBe("ELF");
    expect(entries.get("usr/bin/sh")).toMatchObject({ kind: "symlink", target: "busybox" });
    expect(entries.get("init")).toMatchObject({ kind: "file", mode: 0o755 });
    const modules = [...entries.keys()].filter((path) => path.endsWith(".ko"));
    expect(modules.every((path) => path.startsWith(`usr/lib/modules/${whole.version}/kernel/`))).toBe(true);
    for (const name of ["virtio_mmio", "virtio_blk", "virtio-rng", "nvme", "nvme-core", "erofs", "libcrc32c", "ext4"]) {
      expect(
        modules.filter((path) => path.endsWith(`/${name}.ko`)),
        name,
      ).toHaveLength(1);
    }
  });

  it.skipIf(!guest)("has a disk that says what it is", () => {
    expect(volumeName(readFileSync(whole.toolsDisk))).toBe("paravane-tools");
  });
});
