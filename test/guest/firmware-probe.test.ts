// The probe as people run it: as a kernel, and in place of firmware, with nothing of Debian's.
// Each workload on disks in files; both disks end up with the same bytes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { paravane } from "../cli/cli.ts";

const PROBE = "bench/probe/probe.elf";
const SIZE = 4 * 1024 * 1024;
const blocks = [
  "op=write bs=262144 count=8",
  "op=randwrite bs=512 count=100 wait=poll seed=3",
  "op=randread bs=4096 count=100",
  "bs=131072 count=16 offset=65536",
];
const common = [
  "console=uart bytes=3000",
  "console=uart bytes=3000 wait=poll",
  "console=virtio bytes=3000",
  "console=virtio bytes=3000 wait=irq",
  "timer=sstc count=20",
  ...["nvme", "virtio"].flatMap((device) => blocks.map((block) => `block=${device} ${block}`)),
  "calibrate=markers",
];

describe.each([
  ["s", "--kernel", ["console=dbcn bytes=3000", "console=putchar bytes=3000", "timer=sbi count=20"]],
  ["m", "--firmware", ["timer=clint count=20"]],
] as const)("the probe in %s-mode", (mode, option, own) => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "paravane-probe-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("does every workload without error, into the disks' files", async () => {
    const [nvme, virtio] = ["nvme", "virtio"].map((name) => join(folder, name));
    for (const path of [nvme, virtio]) writeFileSync(path, new Uint8Array(SIZE));
    const workloads = [...common, ...own];
    const { status, stdout, stderr } = await paravane(
      ...["run", option, PROBE, "--append", workloads.join(";"), "--timeout", "50"],
      ...["--disk", `${nvme},if=nvme`, "--disk", `${virtio},if=virtio`],
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(`probe: hello version=1 mode=${mode} `);
    expect(stdout).toContain(`probe: done workloads=${workloads.length} errors=0`);
    const contents = readFileSync(nvme);
    expect(contents.subarray(0, 2 * 1024 * 1024).filter((byte) => byte === 0).length).toBeLessThan(100_000);
    expect(Buffer.compare(contents, readFileSync(virtio))).toBe(0);
  });

  it("ends with status 1 after a workload that cannot run", async () => {
    const { status, stdout, stderr } = await paravane("run", option, PROBE, "--append", "block=nvme");
    expect(status).toBe(1);
    expect(stdout).toMatch(/probe: error 1 block nvme: /);
    expect(stderr).toMatch(/switched itself off with status 1/);
  });
});
