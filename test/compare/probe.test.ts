// The comparison on the probe, with the engine itself: what is counted, that it repeats, and
// what is said of a path that fails.
import { beforeAll, describe, expect, it } from "vitest";
import { BRIEF, type Comparison, failures, formatComparison, type Path, runCompare } from "../../src/compare/index.ts";
import { repeatable, testHost } from "./host.ts";

const machine = { processor: "any" };
const common = { guest: "probe", version: "test", machine, clock: "virtual", amounts: BRIEF } as const;

describe("compare on the probe", () => {
  let comparison: Comparison;
  beforeAll(async () => {
    comparison = await runCompare({ ...common, host: testHost() });
  });

  const path = (workload: string, device: string): Path => {
    const found = comparison.rows.find((row) => row.workload === workload)?.paths.find((it) => it.device === device);
    if (found === undefined) throw new Error(`no ${workload} on ${device}`);
    return found;
  };

  it("measures every path", () => {
    expect(failures(comparison)).toEqual([]);
    expect(comparison.rows.map((row) => [row.function, row.paths.length])).toEqual([
      ["console", 3],
      ["block", 2],
      ["block", 2],
      ["block", 2],
      ["timer", 3],
      ["hypercalls", 3],
    ]);
    for (const row of comparison.rows) {
      for (const { value, instructions, operations } of row.paths) {
        expect(value).toBeGreaterThan(0);
        expect(instructions).toBeGreaterThan(10);
        expect(operations).toBeGreaterThan(0);
      }
    }
  });

  it("counts the exits of an operation, and nothing of the markers", () => {
    const read = "4 KiB random read, depth 1";
    // Two doorbells; the PLIC's claim, completion, and a claim that finds nothing more.
    expect(path(read, "nvme").causes).toEqual({
      "plic read 0x201004": 2,
      "nvme write 0x1008": 1,
      "nvme write 0x100c": 1,
      "plic write 0x201004": 1,
    });
    expect(path(read, "virtio-blk").causes).toEqual({
      "plic read 0x201004": 2,
      "plic write 0x201004": 1,
      "virtio-blk read 0x60": 1,
      "virtio-blk write 0x50": 1,
      "virtio-blk write 0x64": 1,
    });
    const timer = "interrupt latency, 1 ms ahead";
    expect(path(timer, "CLINT, M-mode").causes).toEqual({ "aclint write 0x4000": 1 });
    expect(path(timer, "SBI TIME").causes).toEqual({ "sbi time 0": 1 });
    expect(path(timer, "Sstc").causes).toEqual({});
    expect(path("text, 64 bytes a write", "SBI DBCN").causes).toEqual({ "sbi dbcn 0": 16 });
    const call = "a call that does nothing";
    expect(path(call, "ns16550a register read").causes).toEqual({ "ns16550a read 0x5": 1 });
    expect(path(call, "null call, in the engine").causes).toEqual({ "sbi paravane 0": 1 });
    expect(path(call, "call of a host function").exits).toBe(1);
    // A byte is a store; the rest is the driver's asking.
    expect(path("text, 64 bytes a write", "ns16550a").causes["ns16550a write 0x0"]).toBeGreaterThan(1000);
  });

  it("repeats on the virtual clock, but for machine and host", async () => {
    const again = await runCompare({ ...common, host: testHost(), machine: { processor: "another" } });
    expect(repeatable(again)).toEqual(repeatable(comparison));
    expect(again.machine).not.toEqual(comparison.machine);
  });

  it("runs the suites that are asked for", async () => {
    const timers = await runCompare({ ...common, host: testHost(), suites: ["timer"] });
    expect(timers.rows.map((row) => row.function)).toEqual(["timer"]);
    // What else runs in a boot moves figures by the caches' contents, but not exits.
    expect(timers.rows[0].paths.map((it) => it.exits)).toEqual(
      comparison.rows.filter((row) => row.function === "timer")[0].paths.map((it) => it.exits),
    );
  });

  it("names a path that fails, and keeps the others", async () => {
    const crippled = testHost((options) => ({ ...options, cpu: "rv64,sstc=off" }));
    const result = await runCompare({ ...common, host: crippled, suites: ["timer"] });
    expect(failures(result).map(({ device }) => device)).toEqual(["Sstc"]);
    const [clint, sbi, sstc] = result.rows[0].paths;
    expect([clint.value, sbi.value]).toEqual([expect.any(Number), expect.any(Number)]);
    expect(sstc.value).toBeNull();
    expect(sstc.error).toMatch(/sstc/i);
    expect(formatComparison(result)).toMatch(/failed: .*Sstc: .*sstc/i);
  });

  it("says what became of a guest that does not start", async () => {
    const broken = testHost((options) => ({ ...options, append: "nonsense" }));
    const result = await runCompare({ ...common, host: broken, suites: ["block"] });
    const errors = failures(result);
    expect(errors).toHaveLength(6);
    expect(errors[0].error).toMatch(/bootargs/);
  });
});
