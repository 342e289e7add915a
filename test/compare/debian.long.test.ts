// On the virtual clock two comparisons on Debian agree in all but `machine` and `host`: kernel,
// interrupts, harts, disks, consoles, links to the host and timers repeat to the instruction. Every
// boot but those with networks, twice; and what exits an operation takes in each form.
import { expect, it } from "vitest";
import { BRIEF, type Comparison, failures, runCompare, SUITES } from "../../src/compare/index.ts";
import { repeatable, testHost } from "./host.ts";

/** The causes of exits that nearly each operation has. */
function often({ rows }: Comparison, workload: string, device: string): string[] {
  const paths = rows.filter((row) => row.workload === workload).flatMap((row) => row.paths);
  const found = paths.find((path) => path.device === device);
  if (found === undefined) throw new Error(`no ${workload} on ${device}`);
  return Object.entries(found.causes)
    .filter(([, count]) => count >= 0.8)
    .map(([cause]) => cause)
    .sort();
}

it("a comparison on Debian repeats, and counts each form's exits", async () => {
  const options = { guest: "debian", version: "test", machine: {}, clock: "virtual", amounts: BRIEF } as const;
  const first = await runCompare({ ...options, host: testHost() });
  expect(failures(first)).toEqual([]);
  const second = await runCompare({ ...options, host: testHost() });
  expect(repeatable(second)).toEqual(repeatable(first));

  // Every function that needs no network, and the forms that its kernel has no driver for.
  expect([...new Set(first.rows.map((row) => row.function))]).toEqual(SUITES.filter((suite) => suite !== "network"));
  expect(first.rows.flatMap((row) => row.absent.map(({ device }) => device))).toEqual([
    "SBI DBCN",
    "virtio-rtc",
    "virtio-mem",
  ]);

  const exits = (workload: string, device: string) => often(first, workload, device);
  const wake = "waking a process on the other hart";
  expect(exits(wake, "CLINT, OpenSBI")).toEqual(["aclint write 0x0", "aclint write 0x4"]);
  expect(exits(wake, "SBI IPI, RFENCE")).toEqual(["sbi ipi 0"]);
  expect(exits(wake, "IMSIC")).toEqual(["imsic write 0x0"]);
  const fence = "mprotect of a page that both harts use";
  expect(exits(fence, "SBI IPI, RFENCE")).toEqual(["sbi rfence 2"]);
  expect(exits(fence, "IMSIC")).toEqual(["imsic write 0x0"]);
  const read = "4 KiB read from NVMe";
  expect(exits(read, "AIA, MSI-X")).toEqual(["nvme write 0x1008", "nvme write 0x100c"]);
  expect(exits(read, "PLIC, INTx").filter((cause) => cause.startsWith("plic"))).toHaveLength(3);
  expect(exits("reading the wall clock", "goldfish RTC")).toEqual(["rtc read 0x0", "rtc read 0x4"]);
  expect(exits("reading the wall clock", "time CSR (vDSO)")).toEqual([]);
  expect(exits("random bytes", "Zkr seed CSR")).toEqual([]);
  expect(exits("random bytes", "virtio-rng (/dev/hwrng)")).toContain("virtio-rng write 0x50");
  expect(exits("4 KiB random read, depth 1", "virtio-pmem")).toEqual([]);
  expect(exits("4 KiB random read, depth 1", "nvme dbbuf")).not.toContain("nvme write 0x100c");
  expect(exits("128 KiB sequential read", "ext4 on virtio-blk")).toEqual(["virtio-blk write bar 4 0x3000"]);
  expect(exits("128 KiB sequential read", "ext4 with DAX on virtio-pmem")).toEqual([]);
  expect(exits("round trip of 1 byte", "virtio-vsock")).toEqual(["virtio-vsock write bar 4 0x3004"]);
});
