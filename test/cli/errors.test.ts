// Bad input ends as one line on stderr that says what to do, nothing on stdout, and a status.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { paravane } from "./cli.ts";

let folder: string;
const path = (name: string) => join(folder, name);

/** The smallest kernel that passes for one: the header of a RISC-V Image of 4 KiB. */
function image(): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x0000006f, true); // j .
  view.setBigUint64(8, 0x20_0000n, true);
  view.setBigUint64(16, 4096n, true);
  bytes.set(new TextEncoder().encode("RISCV\0\0\0RSC\x05"), 0x30);
  return bytes;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-cli-"));
  writeFileSync(path("Image"), image());
  const x86 = new Uint8Array(4096);
  x86.set(new TextEncoder().encode("HdrS"), 0x202);
  writeFileSync(path("bzImage"), x86);
  writeFileSync(path("cut"), image().subarray(0, 60));
  writeFileSync(path("initrd"), "");
  truncateSync(path("initrd"), 80 * 1024 * 1024);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function expectFailure(args: string[], status: number, message: RegExp): Promise<void> {
  const outcome = await paravane(...args);
  expect(outcome.stdout).toBe("");
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^paravane: [^\n]+\n$/);
  expect(outcome.status).toBe(status);
}

describe("mistakes of usage end with status 2", () => {
  it.each([
    [["run", "--memry", "1G"], /unknown option '--memry'; did you mean --memory\?; see `paravane run --help`/],
    [["rum"], /unknown command 'rum'; did you mean run\?/],
    [["run", "--memory", "9G"], /more than the machine can have: at most 3072M/],
    [["run", "--memory", "lots"], /is not a size/],
    [["run", "--harts", "9"], /whole number from 1 to 8/],
    [["run", "--cpu", "rv64,sstc=maybe"], /write NAME=on or NAME=off/],
    [["run", "--cpu", "rv64,avx=on"], /"avx" is not known/],
    [["run", "--disk", "x.img,if=scsi"], /"if=scsi" is not known/],
    [["compare", "--noisy", "1"], /--noisy is for --overtax: give both/],
    [["compare", "--overtax", "--noisy", "0"], /--noisy 0: write a whole number from 1 to 16/],
    [["compare", "--svg", "/tmp/x.svg"], /--svg draws what --overtax finds: give both/],
    [["compare", "--overtax", "--suite", "timer"], /--overtax has a guest and workloads of its own/],
    [["serve", "--socket", "/tmp/x", "--cores", "0"], /--cores 0: write a whole number from 1 to 1024/],
    [["compare", "--guest", "probe", "--irqchip", "aia"], /the probe drives a PLIC alone/],
    [["run", "--irqchip", "apic"], /--irqchip apic: write plic or aia;/],
    [["run", "--net", "nowhere"], /network "nowhere" is not known: write/],
    [["run", "--net", "none,modle=virtio"], /setting "modle" is not known: write/],
    [["run", "--pmem", "x.img,if=nvme"], /"if=nvme" is not known: write ro, overlay/],
    [["run", "--serial", "talk,tcp=1"], /serial setting "tcp=1" is not known: write socket=PATH or file=PATH/],
    [["run", "--hotplug-memory", "3M"], /cannot be: write a multiple of 2M/],
    [["guest", "kernel", "--config", "huge"], /--config huge: write paravirt or small;/],
    [["guest", "kernel", "--release", "bookworm"], /--release bookworm: write trixie or sid;/],
    [["guest", "kernel", "--root"], /guest kernel has no --root: leave it out, or write guest debian/],
    [["guest", "debian", "--config", "small"], /guest debian has no --config: leave it out, or write guest kernel/],
    [["run", "--console", "vga"], /--console vga: write ns16550a, virtio or sbi;/],
    [["run", "--timeout", "soon"], /write a number of seconds/],
    [["run", "--seed", "-1"], /write a whole number/],
    [["run", "--guest", "debian", "--kernel", "Image"], /exclude each other/],
    [["run", "--boot", "paravirt", "--firmware", "x"], /leave --boot paravirt out/],
    [["run", "surplus"], /run takes options alone, and got 1 argument more/],
    [["explain", "main", "other"], /explain takes 1 argument, and got 2/],
    [["explain", "--top", "0"], /whole number from 1/],
    [["run", "--prefer", "virtual"], /--prefer virtual: write paravirt, emulated or direct;/],
    [["run", "--require", "direct"], /--require direct: write paravirt or emulated;/],
    [["check", "--guest", "debian", "--kernel", "Image"], /exclude each other/],
    [["check", "surplus"], /check takes options alone/],
    [["addons", "initrd"], /nothing to add: write --add/],
    [
      ["addons", "initrd", "--add", "9p", "--output", "./initrd"],
      /is the input itself: name another file, or say --in-place/,
    ],
    [["guest", "arch"], /guest "arch" is not known: write debian or kernel;/],
  ])("%j", (args, message) => expectFailure(args, 2, message));
});

describe("files that cannot work end with status 1", () => {
  it("a symbol where there are none", () =>
    expectFailure(["explain", "main", "--kernel", path("Image")], 1, /no symbols to find "main" among: give --kernel/));
  it("a kernel that is not there", () => expectFailure(["run", "--kernel", path("none")], 1, /does not exist/));
  it("a kernel for x86", () => expectFailure(["run", "--kernel", path("bzImage")], 1, /x86 kernel/));
  it("a truncated kernel", () => expectFailure(["run", "--kernel", path("cut")], 1, /truncated/));
  it("an initrd that does not fit", () =>
    expectFailure(
      ["run", "--kernel", path("Image"), "--initrd", path("initrd"), "--memory", "64M"],
      1,
      /initrd of 80\.0 MiB does not fit .* raise --memory to/,
    ));
  it("a file for the serial port that cannot be written", () =>
    expectFailure(
      ["run", "--serial", "talk,file=/none/x"],
      1,
      /serial \/none\/x cannot be written .*: name another file/,
    ));

  it("a disk that is not there", () =>
    expectFailure(["run", "--kernel", path("Image"), "--disk", path("none")], 1, /does not exist: create it/));
  it("a hardware model that is not there, or is none", async () => {
    await expectFailure(
      ["check", "--kernel", path("Image"), "--hardware", path("none")],
      1,
      /hardware model .* does not exist/,
    );
    await expectFailure(["run", "--kernel", path("Image"), "--hardware", path("bzImage")], 1, /is no JSON/);
  });
  it("a root file system that is not there, or is none", async () => {
    await expectFailure(["check", "--root", path("none")], 1, /root .* does not exist/);
    await expectFailure(
      ["check", "--root", path("Image")],
      1,
      /holds no file system that is known here: give an image with ext4 .*, EROFS or squashfs/,
    );
    await expectFailure(["check", "--root", folder], 1, /there is no kernel to look at/);
  });
  it("exec without an initrd", () =>
    expectFailure(["run", "--kernel", path("Image"), "--exec", "true"], 1, /exec needs an initrd/));
});

describe("help and version", () => {
  it("prints the package's version", async () => {
    expect(await paravane("--version")).toEqual({ status: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });

  it.each([[[]], [["--help"]], [["run", "--help"]], [["explain", "--help"]], [["guest", "--help"]]])(
    "%j goes to stdout with status 0",
    async (args) => {
      const outcome = await paravane(...args);
      expect(outcome).toMatchObject({ status: 0, stderr: "" });
      expect(outcome.stdout).toMatch(/^Usage: paravane/);
    },
  );
});

describe("a kernel that spins", () => {
  it("is ended by --timeout with status 124", () =>
    expectFailure(["run", "--kernel", path("Image"), "--timeout", "1"], 124, /timed out after 1 s/));
});
