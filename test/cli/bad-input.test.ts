// Bad input that errors.test.ts does not have: files of other machines, damaged files, options
// that contradict the machine, and a program that ends nowhere. One line, what to do, a status.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeCpio } from "../../src/image/cpio.ts";
import { file, symlink } from "../../src/image/file-tree.ts";
import { elf, linuxImage, RAM_SEGMENT } from "../machine/images.ts";
import { collect, paravane, start } from "./cli.ts";

let folder: string;
const at = (name: string) => join(folder, name);
/** An argument `@name` stands for the file of that name. */
const named = (args: string[]) => args.map((arg) => (arg.startsWith("@") ? at(arg.slice(1)) : arg));

/** A signature at its place in a file that is zeros otherwise. */
function marked(offset: number, signature: string): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(Buffer.from(signature, "latin1"), offset);
  return bytes;
}

/** An ELF program that begins with these instructions, its segment at 0x8000_0000. */
function program(...instructions: number[]): Uint8Array {
  const bytes = elf({ entry: RAM_SEGMENT.physical });
  const view = new DataView(bytes.buffer);
  for (const [i, word] of instructions.entries()) view.setUint32(bytes.length - RAM_SEGMENT.bytes + 4 * i, word, true);
  return bytes;
}

const SPIN = 0x0000_006f; // j .
const LUI_A0 = 0x1234_5537; // lui a0, 0x12345
const JUMP_A0 = 0x0005_0067; // jalr zero, 0(a0)
/** lui a0, 0x10000 (the UART); addi a1, zero, '!'; sb a1, 0(a0) */
const PRINT = [0x1000_0537, 0x0210_0593, 0x00b5_0023];

const shell = [file("bin/busybox", "", 0o755), symlink("bin/sh", "busybox")];
const FILES: Record<string, Uint8Array> = {
  Image: (() => {
    const bytes = linuxImage({ imageSize: 0x3000n });
    new DataView(bytes.buffer).setUint32(0, SPIN, true);
    return bytes;
  })(),
  largeImage: linuxImage({ imageSize: 0x100_0000n }),
  Arm64Image: marked(0x38, "ARM\x64"),
  bzImage: marked(0x202, "HdrS"),
  x86: elf({ machine: 62 }),
  cutImage: linuxImage({ peSection: 0x2001 }),
  cutGzip: gzipSync(linuxImage()).subarray(0, 60),
  empty: new Uint8Array(0),
  text: Buffer.from("neither one thing nor another\n".repeat(20)),
  shell: writeCpio(shell),
  cutInitrd: writeCpio([file("large", new Uint8Array(8192))]).subarray(0, 4096),
  noShell: writeCpio([file("etc/motd", "hello")]),
  noShellPacked: gzipSync(writeCpio([file("bin/busybox", "")])),
  disk: new Uint8Array(4096),
  lost: program(LUI_A0, JUMP_A0),
  prints: program(...PRINT, SPIN),
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "paravane-bad-input-"));
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(at(name), bytes);
  mkdirSync(at("folder"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function expectFailure(args: string[], status: number, message: RegExp): Promise<void> {
  const outcome = await paravane(...named(args));
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^paravane: [^\n]+\n$/);
  expect(outcome).toMatchObject({ stdout: "", status });
}

/** What the machine cannot boot. */
const IMAGES: [string, string[], RegExp][] = [
  ["a kernel for ARM64", ["--kernel", "@Arm64Image"], /kernel \S+Arm64Image is an ARM64 kernel Image: give a RISC-V/],
  ["a program for x86-64", ["--kernel", "@x86"], /kernel \S+x86 is an ELF file for x86-64: give one built for 64-bit/],
  ["a kernel cut short", ["--kernel", "@cutImage"], /cutImage is truncated: it has 12288 bytes .*; fetch it again/],
  ["a packed kernel cut short", ["--kernel", "@cutGzip"], /cutGzip is a damaged or truncated gzip file: fetch it/],
  ["an empty kernel", ["--kernel", "@empty"], /kernel \S+empty is empty: fetch it again/],
  ["a folder for a kernel", ["--kernel", "@folder"], /folder is a directory: give the path of a file/],
  ["a text for a kernel", ["--kernel", "@text"], /text is neither a RISC-V Linux Image .*: give one of them/],
  ["firmware for ARM64", ["--kernel", "@Image", "--firmware", "@Arm64Image"], /firmware \S+ is an ARM64 .*: give a/],
  ["firmware for x86", ["--kernel", "@Image", "--firmware", "@bzImage"], /firmware \S+ is an x86 kernel .*: give a/],
  ["no firmware", ["--kernel", "@Image", "--firmware", "@none"], /firmware \S+ does not exist: give the path/],
  ["an initrd that is none", ["--kernel", "@Image", "--initrd", "@text"], /initrd \S+ is no cpio archive.*: make one/],
  [
    "an initrd cut short",
    ["--kernel", "@Image", "--initrd", "@cutInitrd"],
    /truncated or damaged .*: make or fetch it/,
  ],
  ["an empty initrd", ["--kernel", "@Image", "--initrd", "@empty"], /initrd \S+ is empty: leave it out or fetch it/],
  [
    "an initrd without a shell for exec",
    ["--kernel", "@Image", "--initrd", "@noShell", "--exec", "true"],
    /initrd \S+noShell has no \/bin\/sh, .*: add it .*, or run without exec/,
  ],
  [
    "a packed one",
    ["--kernel", "@Image", "--initrd", "@noShellPacked", "--exec", "true"],
    /initrd \S+noShellPacked has no \/bin\/sh, .*: add it/,
  ],
  [
    "too little memory for the kernel",
    ["--kernel", "@largeImage", "--memory", "8M"],
    /kernel ends at 0x8120_0000, past the end of RAM at 0x8080_0000: raise --memory to \d+M or more/,
  ],
];

/** What a machine cannot have attached. */
const DISKS: [string, string[], RegExp][] = [
  ["a folder", ["--disk", "@folder"], /disk \S+ is a directory: name a file or a block device/],
  ["an empty file", ["--disk", "@empty"], /holds less than one sector of 512 bytes: make it larger, for example/],
  // Written to by nobody, root included.
  [
    "a file for reading alone",
    ["--disk", "/sys/kernel/notes"],
    /cannot be written: allow writing, or attach it with "ro"/,
  ],
  ["no disk", ["--disk", "/dev/null"], /is neither a file nor a block device: name one/],
  [
    "eight virtio disks over mmio",
    Array(8).fill(["--disk", "@disk,ro,transport=mmio"]).flat(),
    /more than 7 virtio disks over mmio: attach the others with transport=pci/,
  ],
  [
    "five NVMe disks",
    Array(5).fill(["--disk", "@disk,if=nvme,ro"]).flat(),
    /more than 4 NVMe disks: attach the others/,
  ],
];

/** What commander or our parsers refuse. */
const OPTIONS: [string[], RegExp][] = [
  [["--memory", "9G"], /^paravane: memory "9G" is more than the machine can have: at most 3072M; see/],
  [["--memory", "1M"], /^paravane: memory "1M" is less than a guest needs: at least 4M; see/],
  [["--memory", "abc"], /^paravane: memory "abc" is not a size: write a number of MiB, or one with K, M or G/],
  [["--disk"], /--disk needs a value: write --disk <file/],
  [["--disk", ",ro"], /a disk needs a file: write --disk FILE,if=nvme or --disk FILE,if=ahci or --disk FILE,if=virtio/],
  [["--harts", "99"], /--harts 99: write a whole number from 1 to 8/],
  [["--timeout", "-1"], /--timeout -1: write a number of seconds above 0/],
  [["--seed", "99999999999999999999"], /--seed 99999999999999999999: write a whole number below 2\^64/],
  [["--cpu", "rv64,m=off,zbc=off"], /"zbc" is not known: the machine has i, m, a, f,/],
  [["--cpu", "rv64,f=off"], /d needs f, which is off: add d=off or leave f on/],
];

describe("an image that cannot work", () => {
  it.each(IMAGES)("%s", (_name, args, message) => expectFailure(["run", "--quiet", ...args], 1, message));
});

describe("a disk that cannot work", () => {
  it.each(DISKS)("%s", (_name, args, message) =>
    expectFailure(["run", "--quiet", "--kernel", "@Image", ...args], 1, message),
  );
});

describe("an option that cannot work", () => {
  it.each(OPTIONS)("%j", (args, message) => expectFailure(["run", ...args], 2, message));
});

describe("a program", () => {
  it("that jumps to nowhere, without a handler, is reported with pc, cause and disassembly", async () => {
    const message =
      /^paravane: the guest trapped and its handler at 0x0 cannot be fetched; hart 0, pc 0x12345000, cause 1 \(instruction access fault\), tval 0x12345000\n$/;
    await expectFailure(["run", "--kernel", "@lost"], 1, message);
  });

  it("that runs into what is no instruction is reported with its text", async () => {
    const message =
      /^paravane: the guest trapped .*, pc 0x80000004 \(.*unknown.*|.*, pc 0x8000000[04] \(.+\), cause 2 \(illegal instruction\)/;
    writeFileSync(at("illegal"), program(LUI_A0, 0xffff_ffff));
    await expectFailure(["run", "--kernel", "@illegal"], 1, message);
  });

  it.each(["ignore", "pipe"] as const)("that spins ends by Ctrl-C, stdin: %s", async (stdin) => {
    const child = start(named(["run", "--kernel", "@prints", "--disk", "@disk"]), { stdin });
    const outcome = collect(child);
    child.stdout.once("data", () => child.kill("SIGINT"));
    expect(await outcome).toEqual({ status: 130, stdout: "!", stderr: "" });
  });
});

describe("--json", () => {
  it.each([
    [
      "a crash",
      ["--kernel", "@lost"],
      1,
      { reason: "double-fault", status: 1, hart: 0, pc: "0x12345000", cause: "0x1", instructions: 2 },
    ],
    ["a timeout", ["--kernel", "@prints", "--timeout", "1"], 124, { reason: "timeout", status: 124 }],
    ["a mistake", ["--kernel", "@x86"], 1, { reason: "error", status: 1, error: expect.stringContaining("x86-64") }],
  ])("says on stdout alone how it ended: %s", async (_name, args, status, document) => {
    const outcome = await paravane(...named(["run", "--json", ...args]));
    expect(JSON.parse(outcome.stdout)).toMatchObject(document);
    expect(outcome.stderr).toMatch(/^!?paravane: [^\n]+\n$/);
    expect(outcome.status).toBe(status);
  });
});
