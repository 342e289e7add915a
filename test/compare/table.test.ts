// How a comparison reads: ratios whose direction is in the words, and a conclusion from the figures.
import { describe, expect, it } from "vitest";
import { type Comparison, failures, formatComparison, type Path, SCHEMA } from "../../src/compare/index.ts";
import { conclusion, figure } from "../../src/compare/table.ts";

function path(form: Path["form"], device: string, value: number | null, exits: number, instructions: number): Path {
  const host = { cpuMicroseconds: 12.345, wallMicroseconds: 20 };
  return { form, device, boot: 0, value, operations: 10, exits, instructions, causes: {}, host };
}

const comparison: Comparison = {
  schema: SCHEMA,
  machine: {},
  guest: { name: "debian", version: "trixie", clock: "host", boots: ["a boot", "another"] },
  rows: [
    {
      function: "block",
      workload: "reads",
      unit: "IOPS",
      operation: "read",
      paths: [
        path("emulated", "nvme", 2000, 6, 25_000),
        { ...path("paravirt", "virtio-blk", 5000, 7, 20_000), boot: 1 },
      ],
      absent: [{ form: "direct", device: "ext4 dax", reason: "the kernel was built without it" }],
    },
    {
      function: "timer",
      workload: "wake-up",
      unit: "us",
      operation: "expiry",
      paths: [
        path("emulated", "CLINT", 100, 4, 9000),
        path("paravirt", "SBI TIME", 300, 1, 8000),
        path("direct", "Sstc", 102, 0, 7000),
      ],
      absent: [],
    },
  ],
};

/** The table's line with `device` in it. */
function line(device: string, text = formatComparison(comparison)): string {
  return text.split("\n").find((it) => it.includes(device)) ?? "";
}

describe("the comparison's table", () => {
  it("says which way a ratio goes, for throughput and for latency", () => {
    expect(line("virtio-blk")).toMatch(/5,000 IOPS {2}2\.5x faster/);
    expect(line("SBI TIME")).toMatch(/300 us {2}3\.0x later/);
    expect(line("Sstc")).toContain("the same within 5 %");
    expect(line("nvme")).not.toMatch(/faster|slower/);
  });

  it("names the boot of each path, and all boots below", () => {
    expect(line("nvme")).toMatch(/\[1\]$/);
    expect(line("virtio-blk")).toMatch(/\[2\]$/);
    expect(formatComparison(comparison)).toMatch(/^\[2\] another$/m);
  });

  it("keeps columns aligned", () => {
    const lines = ["nvme", "virtio-blk", "CLINT", "SBI TIME"].map((device) => line(device));
    expect(new Set(lines.map((it) => it.length)).size).toBe(1);
  });

  it("shows a failed path with its reason", () => {
    const [row] = comparison.rows;
    const paths = [row.paths[0], { ...path("paravirt", "virtio-blk", null, 0, 0), error: "the disk is gone" }];
    const text = formatComparison({ ...comparison, rows: [{ ...row, paths }] });
    expect(line("virtio-blk", text)).toMatch(/virtio-blk {2}paravirtual +failed/);
    expect(text).toContain("failed: reads, virtio-blk: the disk is gone");
  });

  it("says why a form is not driven, and counts it nowhere", () => {
    expect(line("ext4 dax")).toMatch(/^ +ext4 dax +direct +not driven: the kernel was built without it$/);
    expect(failures(comparison)).toEqual([]);
  });

  it("names each function once, above its rows", () => {
    const rules = formatComparison(comparison)
      .split("\n")
      .filter((it) => it.startsWith("-- "));
    expect(rules.map((it) => it.replace(/-/g, "").trim())).toEqual(["block", "timer"]);
  });

  it("concludes from the figures", () => {
    expect(conclusion(comparison)).toBe(
      "Of 3 paths beside an emulated one, 1 did better, 1 worse, 1 the same; 2 took fewer exits and 3 fewer guest " +
        "instructions. Most was gained in reads by virtio-blk (2.5x faster than nvme).",
    );
    expect(conclusion({ ...comparison, rows: [] })).toMatch(/No path/);
  });

  it("writes figures short", () => {
    expect([0, 0.354, 12.34, 123.4, 60_169.2].map(figure)).toEqual(["0", "0.35", "12.3", "123", "60,169"]);
  });
});
