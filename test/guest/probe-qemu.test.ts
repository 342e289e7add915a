// The probe under QEMU: another implementation of every device it drives, so a fault of the probe cannot hide behind
// a fault of ours. Each way of entering it does the same workloads, and what it reports is computed again here from
// the disk images and the text.
import { execFile, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const qemu = "qemu-system-riscv64";
const elf = fileURLToPath(new URL("../../bench/probe/probe.elf", import.meta.url));
const reason = spawnSync(qemu, ["--version"]).error
  ? `${qemu} is not installed (Debian: qemu-system-misc opensbi)`
  : undefined;
if (reason && !process.env.CI) console.warn(`skipped: ${reason}`);

const DISK_BYTES = 4 << 20;
const SECTOR = 512;

// QEMU 7.2 enters 0x8000_0000 whatever the ELF says: auipc t0, 0x200; jr t0 leads to 0x8020_0000.
const jump = ["-device", "loader,addr=0x80000000,data=0x0002806700200297,data-len=8"];
const entries: Record<string, { mode: string; image: string; timers: string[]; args: (flat: string) => string[] }> = {
  "in M-mode": {
    mode: "m",
    image: "0x80200000",
    timers: ["clint", "sstc"],
    args: () => ["-bios", "none", "-kernel", elf, ...jump],
  },
  "in M-mode, its bytes moved to 0x8000_0000": {
    mode: "m",
    image: "0x80000000",
    timers: ["clint"],
    args: (flat) => ["-bios", "none", "-kernel", flat],
  },
  "in S-mode by OpenSBI": {
    mode: "s",
    image: "0x80200000",
    timers: ["sbi", "sstc"],
    args: () => ["-bios", "default", "-kernel", elf],
  },
};

let folder: string;
const at = (name: string) => join(folder, name);

function xorshift32(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** FNV-1a over 32-bit little-endian words, the last one padded with zeros. */
function checksum(bytes: Uint8Array): string {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  let sum = 0x811c9dc5;
  for (let i = 0; i < padded.length; i += 4) sum = Math.imul(sum ^ view.getUint32(i, true), 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}

function randomBlocks(disk: Uint8Array, seed: number, blockSize: number, count: number): Uint8Array {
  const next = xorshift32(seed);
  const read = new Uint8Array(blockSize * count);
  for (let i = 0; i < count; i++) {
    const offset = (next() % (disk.length / blockSize)) * blockSize;
    read.set(disk.subarray(offset, offset + blockSize), i * blockSize);
  }
  return read;
}

function writtenBlock(seed: number, offset: number, blockSize: number): Uint8Array {
  const words = new BigUint64Array(blockSize / 8);
  for (let i = 0; i < words.length; i++) {
    words[i] =
      i % 64 === 0
        ? (BigInt(seed) << 32n) ^ BigInt(offset / SECTOR + i / 64)
        : (BigInt(i + 1) * 0x9e3779b97f4a7c15n) ^ BigInt(seed);
  }
  return new Uint8Array(words.buffer);
}

function text(bytes: number): string {
  const characters = Array.from({ length: bytes }, (_, i) =>
    i % 64 === 63 || i === bytes - 1 ? "\n" : String.fromCharCode(48 + ((Math.floor(i / 64) + i) % 75)),
  );
  return characters.join("");
}

/** The one PT_LOAD segment of the ELF, for a loader that places bytes and knows no ELF. */
function segment(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const header = Number(view.getBigUint64(0x20, true));
  expect(view.getUint16(0x38, true), "program headers").toBe(1);
  const offset = Number(view.getBigUint64(header + 8, true));
  return file.subarray(offset, offset + Number(view.getBigUint64(header + 0x20, true)));
}

interface Run {
  status: number;
  output: string;
}

function run(bootargs: string, args: string[]): Promise<Run> {
  const disks = ["nvme", "virtio"].flatMap((name) => [
    "-drive",
    `file=${at(`${name}.img`)},format=raw,if=none,id=${name}`,
  ]);
  const machine = [
    ["-machine", "virt", "-m", "128", "-display", "none", "-monitor", "none", "-serial", "stdio"],
    ["-global", "virtio-mmio.force-legacy=false", ...disks],
    ["-device", "nvme,drive=nvme,serial=probe", "-device", "virtio-blk-device,drive=virtio"],
    ["-chardev", `file,id=port,path=${at("port.txt")}`, "-device", "virtio-serial-pci,disable-legacy=on"],
    ["-device", "virtconsole,chardev=port"],
    ["-append", bootargs],
  ].flat();
  return new Promise((resolve, reject) => {
    execFile(qemu, [...machine, ...args], { timeout: 60_000, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      const status = error ? error.code : 0;
      if (typeof status === "number") resolve({ status, output: stdout.replaceAll("\r", "") });
      else reject(new Error(`${qemu} did not end: ${error?.message}\n${stderr}\n${stdout.slice(-2000)}`));
    });
  });
}

/** `ticks=1 errors=0` of the result line with this number, as an object. */
function result(output: string, number: number): Record<string, string> {
  const line = output.split("\n").find((candidate) => candidate.startsWith(`probe: result ${number} `));
  if (!line) throw new Error(`no result ${number} in:\n${output}`);
  return Object.fromEntries(
    line
      .split(" ")
      .filter((word) => word.includes("="))
      .map((word) => word.split("=") as [string, string]),
  );
}

function between(output: string, number: number): string {
  const begin = `probe: begin ${number}\n`;
  return output.slice(output.indexOf(begin) + begin.length, output.indexOf(`probe: end ${number}\n`));
}

function markers(output: string): string[] {
  return output.split("\n").filter((line) => /^probe: (begin|end) /.test(line));
}

const original = new Uint8Array(DISK_BYTES);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "probe-"));
  const next = xorshift32(2463534242);
  new Uint32Array(original.buffer).forEach((_, i, words) => {
    words[i] = next();
  });
  writeFileSync(at("original.img"), original);
  writeFileSync(at("probe.bin"), segment(readFileSync(elf)));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function freshDisks(): void {
  for (const name of ["nvme", "virtio"]) copyFileSync(at("original.img"), at(`${name}.img`));
}

describe.skipIf(reason !== undefined && !process.env.CI)("the probe under QEMU", { timeout: 120_000 }, () => {
  describe.each(Object.entries(entries))("entered %s", (_, { mode, image, timers, args }) => {
    const go = (bootargs: string) => {
      freshDisks();
      return run(bootargs, args(at("probe.bin")));
    };

    test("says where it runs, and brackets each workload with markers", async () => {
      const { status, output } = await go("calibrate=markers; calibrate=markers");
      expect(output).toMatch(
        new RegExp(
          `^probe: hello version=1 mode=${mode} hart=0 image=${image} memory=0x80000000\\+0x8000000 timebase=10000000 ` +
            `control=(uart|dbcn) sstc=(listed|no) workloads=2$`,
          "m",
        ),
      );
      expect(markers(output)).toEqual(["probe: begin 1", "probe: end 1", "probe: begin 2", "probe: end 2"]);
      expect(output).toMatch(/^probe: done workloads=2 errors=0$/m);
      expect(status).toBe(0);
    });

    test.each(["nvme", "virtio"])("reads %s, by interrupt and by polling", async (device) => {
      const { output } = await go(
        `block=${device} op=randread bs=4096 count=60 seed=7; block=${device} op=randread bs=512 count=90 seed=8 wait=poll; ` +
          `block=${device} op=read bs=131072 count=12 offset=131072; block=${device} op=read bs=8192 count=4 wait=poll`,
      );
      const expected = [
        randomBlocks(original, 7, 4096, 60),
        randomBlocks(original, 8, 512, 90),
        original.subarray(131072, 13 * 131072),
        original.subarray(0, 4 * 8192),
      ];
      expected.forEach((bytes, i) => {
        const row = result(output, i + 1);
        expect(row).toMatchObject({ errors: "0", bytes: String(bytes.length), checksum: checksum(bytes) });
        expect(Number(row.ticks)).toBeGreaterThan(0);
      });
      expect(output).toMatch(/^probe: done workloads=4 errors=0$/m);
    });

    test.each(["nvme", "virtio"])("writes %s, and the bytes are in the file", async (device) => {
      const { output } = await go(
        `block=${device} op=write bs=131072 count=5 seed=3; block=${device} op=randwrite bs=4096 count=40 seed=4 wait=poll`,
      );
      const disk = original.slice();
      for (let i = 0; i < 5; i++) disk.set(writtenBlock(3, i * 131072, 131072), i * 131072);
      expect(result(output, 1)).toMatchObject({ errors: "0", checksum: checksum(disk.subarray(0, 5 * 131072)) });
      const next = xorshift32(4);
      for (let i = 0; i < 40; i++) {
        const offset = (next() % (DISK_BYTES / 4096)) * 4096;
        disk.set(writtenBlock(4, offset, 4096), offset);
      }
      expect(result(output, 2)).toMatchObject({ errors: "0", checksum: checksum(randomBlocks(disk, 4, 4096, 40)) });
      expect(readFileSync(at(`${device}.img`)).equals(disk)).toBe(true);
      expect(readFileSync(at(`${device === "nvme" ? "virtio" : "nvme"}.img`)).equals(original)).toBe(true);
    });

    test("writes text to both consoles", async () => {
      const { output } = await go(
        "control=uart; console=uart bytes=3000; console=uart bytes=130 chunk=1 wait=poll; " +
          "console=virtio bytes=5000 chunk=4096; console=virtio bytes=700 chunk=33 wait=irq",
      );
      expect(between(output, 1)).toBe(text(3000));
      expect(between(output, 2)).toBe(text(130));
      expect(readFileSync(at("port.txt"), "latin1")).toBe(text(5000) + text(700));
      [3000, 130, 5000, 700].forEach((bytes, i) => {
        const sum = checksum(new TextEncoder().encode(text(bytes)));
        expect(result(output, i + 1)).toMatchObject({ errors: "0", bytes: String(bytes), checksum: sum });
      });
      expect(result(output, 3).ops).toBe("2");
    });

    test("loads itself in beats, and says how late they ended", async () => {
      const { output } = await go(
        "load=none period=2000 count=40 work=100; load=disk period=0 count=50 burst=2; load=register count=20 burst=3",
      );
      const [none, disk, register] = [1, 2, 3].map((n) => result(output, n));
      expect(none).toMatchObject({ ops: "40", errors: "0" });
      expect(Number(none.ticks)).toBeGreaterThanOrEqual(40 * 2000);
      expect(disk).toMatchObject({ ops: "100", errors: "0" });
      expect(register).toMatchObject({ ops: "60", errors: "0" });
      for (const row of [none, disk, register]) {
        expect(Number(row.p50)).toBeLessThanOrEqual(Number(row.p99));
        expect(Number(row.p99)).toBeLessThanOrEqual(Number(row.max));
        expect(Number(row.max)).toBeGreaterThan(0);
      }
    });

    test.each(timers)("waits for timer %s", async (device) => {
      const { output } = await go(`timer=${device} count=40 period=2000; timer=${device} count=40 period=0`);
      const row = result(output, 1);
      expect(row).toMatchObject({ ops: "40", errors: "0" });
      expect(Number(row.ticks)).toBeGreaterThanOrEqual(40 * 2000);
      expect(Number(row.late_max)).toBeLessThanOrEqual(Number(row.late_sum));
      expect(result(output, 2)).toMatchObject({ ops: "40", errors: "0" });
    });
  });

  test("reports a workload that the machine cannot do, does the others and ends with a failure", async () => {
    freshDisks();
    const { status, output } = await run(
      "timer=sbi; block=nvme offset=4194304; calibrate=markers; console=dbcn",
      entries["in M-mode"].args(""),
    );
    expect(output).toMatch(/^probe: error 1 timer sbi: no SBI: this run is in M-mode$/m);
    expect(output).toMatch(/^probe: error 2 block nvme: the disk ends before offset \+ bs$/m);
    expect(output).toMatch(/^probe: error 4 console dbcn: no SBI debug console$/m);
    expect(markers(output)).toEqual(["probe: begin 3", "probe: end 3"]);
    expect(output).toMatch(/^probe: done workloads=4 errors=3$/m);
    expect(status).toBe(1);
  });

  test.each([
    ["foo=1", 'unknown key: "foo" at character 0'],
    ["console", 'not of the form key=value: "console" at character 0'],
    ["block=floppy", 'unknown value: "block=floppy" at character 0'],
    ["block=nvme bs=1000", 'number out of range: "bs=1000" at character 11'],
    ["block=nvme count=1e3", 'not a decimal number: "count=1e3" at character 11'],
    ["timer=clint count=1 count=2", 'said twice: "count=2" at character 20'],
    ["load=none bytes=5", 'not a parameter of this workload: "bytes=5" at character 10'],
    ["load=all", 'unknown value: "load=all" at character 0'],
    ["timer=clint bs=512", 'not a parameter of this workload: "bs=512" at character 12'],
    ["console=dbcn wait=irq", 'not a parameter of this workload: "wait=irq" at character 13'],
    ["bytes=5", 'an item begins with a setting or a workload: "bytes=5" at character 0'],
    ["control=uart bytes=5", 'a setting takes no parameters: "b" at character 13'],
    ["control=uart", 'no workload: "control=uart" at character 0'],
    ["timer=clint;", 'an item is missing: "" at character 12'],
  ])("refuses the bootargs %s", async (bootargs, error) => {
    freshDisks();
    const { status, output } = await run(bootargs, entries["in M-mode"].args(""));
    expect(output).toBe(`probe: error bootargs: ${error}\n`);
    expect(status).toBe(2);
  });

  test("prints a trap that nobody expects and ends with a failure", async () => {
    // A device tree in which the PLIC lies where nothing is.
    const tree = at("virt.dtb");
    spawnSync(qemu, ["-machine", `virt,dumpdtb=${tree}`, "-m", "128", "-display", "none"]);
    const bytes = readFileSync(tree);
    const plic = bytes.indexOf(Buffer.from("000000000c0000000000000000600000", "hex"));
    expect(plic).toBeGreaterThan(0);
    bytes.writeUInt32BE(0x08000000, plic + 4);
    writeFileSync(tree, bytes);
    freshDisks();
    const { status, output } = await run("console=uart", [...entries["in M-mode"].args(""), "-dtb", tree]);
    expect(output).toMatch(/^probe: trap cause=0x7 epc=0x8020[0-9a-f]{4} tval=0x8000028$/m);
    expect(status).toBe(4);
  });
});
