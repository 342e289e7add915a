// The kernel module of addons/linux: built against Debian's headers with this machine's cross compiler, loaded into a booted
// Debian, and used by a program there to call functions of this file.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGuest, defineHypercall, type Guest } from "../../../src/index.ts";
import { Apt } from "../../../src/platform/node/debian/apt.ts";
import { PackageStore } from "../../../src/platform/node/debian/package-store.ts";
import { run } from "./file-disks.ts";

const CROSS = "riscv64-linux-gnu-";
const hasCompiler = [`${CROSS}gcc`, "make"].every((tool) => spawnSync(tool, ["--version"]).status === 0);
const EID = 0x0a00_0001;
/** Names that Debian and Node give this machine. */
const HOSTS: Partial<Record<string, { architecture: string; loader: string; libraries: string }>> = {
  x64: { architecture: "amd64", loader: "usr/lib64/ld-linux-x86-64.so.2", libraries: "usr/lib/x86_64-linux-gnu" },
  arm64: { architecture: "arm64", loader: "usr/lib/ld-linux-aarch64.so.1", libraries: "usr/lib/aarch64-linux-gnu" },
};
const host = HOSTS[arch()];

const hypercalls = [
  defineHypercall({ eid: EID, fid: 0, name: "double", args: { n: "u64" }, handler: ({ n }) => 2n * n }),
  defineHypercall({
    eid: EID,
    fid: 1,
    name: "reverse",
    args: { from: "buffer-in", to: "buffer-out" },
    handler({ from, to }) {
      to.set(from.toReversed());
      return from.length;
    },
  }),
  defineHypercall({
    eid: EID,
    fid: 2,
    name: "later",
    args: { n: "u32" },
    async handler({ n }) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return n + 1;
    },
  }),
  defineHypercall({ eid: EID, fid: 3, name: "never", handler: () => expect.unreachable("it is denied") }),
];

const start = (shared: string, boot: "paravirt" | "firmware") =>
  createGuest({
    guest: "debian",
    exec: true,
    boot,
    firmware: boot === "firmware" ? "opensbi" : undefined,
    shares: [{ path: shared, tag: "shared" }],
    ...(boot === "paravirt" ? { hypercalls, policy: { calls: { deny: ["never"] } } } : {}),
  });

async function mount(guest: Guest): Promise<void> {
  await guest.ready();
  const { status, output } = await run(
    guest,
    "mkdir -p /s && modprobe 9pnet_virtio && modprobe 9p && mount -t 9p -o trans=virtio,version=9p2000.L shared /s",
  );
  if (status !== 0) throw new Error(output);
}

/** Builds the module for the kernel of this version, in `folder`. */
async function build(version: string, folder: string): Promise<string> {
  const { architecture, loader, libraries } = host as NonNullable<typeof host>;
  const apt = async (of: string) => {
    const client = new Apt({
      folder: join(folder, `apt-${of}`),
      release: "trixie",
      architecture: of,
      progress: () => {},
    });
    await client.update();
    return new PackageStore(client, join(folder, of));
  };
  const root = join(folder, "root");
  const unpack = async (store: PackageStore, ...names: string[]) => {
    for (const { folder: from } of (await store.fetch(names)).values())
      cpSync(from, root, { recursive: true, verbatimSymlinks: true });
  };
  const common = version.replace(/-riscv64$/, "");
  await unpack(await apt("riscv64"), `linux-headers-${version}`, `linux-headers-${common}-common`);
  // What runs while a module is built is this machine's, with the C library of the release that it comes from.
  await unpack(await apt(architecture), `linux-kbuild-${common}`, "libc6");
  const headers = join(root, "usr/src", `linux-headers-${version}`);
  const makefile = join(headers, "Makefile");
  writeFileSync(makefile, readFileSync(makefile, "utf8").replaceAll("/usr/src/", `${join(root, "usr/src")}/`));
  // Type information for BPF would need pahole, and is left out where there is no kernel to compare with.
  rmSync(join(headers, "vmlinux"), { force: true });
  // Debian's modpost only chooses the program for the target's word size and byte order.
  const modpost = join(root, "usr/lib", `linux-kbuild-${common}`, "scripts/mod/modpost");
  writeFileSync(
    modpost,
    `#!/bin/sh\nexec "${join(root, loader)}" --library-path "${join(root, libraries)}" "${modpost}.real-lsb-64" "$@"\n`,
  );
  const source = join(folder, "module");
  cpSync(fileURLToPath(new URL("../../../addons/linux", import.meta.url)), source, { recursive: true });
  const compiler = [`KDIR=${headers}`, "ARCH=riscv", `CROSS_COMPILE=${CROSS}`, `CC=${CROSS}gcc`];
  execFileSync("make", ["-C", source, ...compiler], { stdio: ["ignore", "ignore", "pipe"] });
  return join(source, "paravane.ko");
}

describe.skipIf(!hasCompiler || host === undefined)("/dev/paravane", () => {
  let folder: string;
  let shared: string;
  let guest: Guest;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "paravane-module-"));
    shared = mkdtempSync(join(folder, "shared-"));
    guest = await start(shared, "paravirt");
    await mount(guest);
    const version = (await run(guest, "uname -r")).output.trim();
    cpSync(await build(version, folder), join(shared, "paravane.ko"));
    const client = fileURLToPath(new URL("hypercall-client.c", import.meta.url));
    const include = fileURLToPath(new URL("../../../addons/linux", import.meta.url));
    execFileSync(`${CROSS}gcc`, [
      "-static",
      "-O2",
      "-Wall",
      "-Werror",
      "-I",
      include,
      "-o",
      join(shared, "client"),
      client,
    ]);
  }, 1_800_000);

  afterAll(() => {
    guest?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("lets a program call what the host defined, and nothing else", async () => {
    expect(await run(guest, "insmod /s/paravane.ko")).toMatchObject({ status: 0 });
    expect((await run(guest, "ls -l /dev/paravane")).output).toMatch(/^crw-------/);
    const { status, output } = await run(guest, "/s/client");
    expect(output.trimEnd().split("\n")).toEqual([
      "null: 0 0",
      "double: 0 42",
      "later: 0 9",
      "denied: -4 0",
      "unknown: -2 0",
      "system reset: errno 1",
      "multicall: errno 1",
      "reverse: 0 300000",
      "olleh 0",
      "overlapping buffers: errno 22",
      "a buffer without a register: errno 22",
      "a large buffer: errno 22",
      "a buffer that is not there: errno 14",
      "another ioctl: -1 25",
    ]);
    expect(status).toBe(0);
    expect(await run(guest, "rmmod paravane && ! test -e /dev/paravane")).toMatchObject({ status: 0 });
  });

  it("is not there in a firmware boot, where the kernel's ecalls end in the guest's own firmware", async () => {
    const other = await start(shared, "firmware");
    try {
      await mount(other);
      const { status, output } = await run(other, "insmod /s/paravane.ko 2>&1; test -e /dev/paravane");
      expect(status).not.toBe(0);
      expect(output).toMatch(/No such device/);
    } finally {
      other.close();
    }
  }, 600_000);
});
