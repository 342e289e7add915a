// What guests cost each other: one short round with guests in workers, and what is made of figures. How much it is, is
// for the bench.

import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { overtaxHost } from "../../src/cli/overtax.ts";
import { NOISES, noiseArgs, noisePolicy, quietArgs } from "../../src/compare/overtax/guests.ts";
import { drawOvertax, formatOvertax, type Overtax, type QuietFigures, STEPS } from "../../src/compare/overtax/index.ts";
import { runRound } from "../../src/compare/overtax/run.ts";
import { parsePolicy } from "../../src/hypercall/policy.ts";
import { createHypervisor } from "../../src/index.ts";

const PROBE = fileURLToPath(new URL("../../bench/probe/probe.elf", import.meta.url));

function figures(throughputRatio: number, p99Ratio: number): QuietFigures {
  return { done: 1000, throughput: 5000 * throughputRatio, throughputRatio, p50: 200, p99: 400 * p99Ratio, p99Ratio };
}

const RESULT: Overtax = {
  ...{ schema: "paravane-overtax/1", machine: {}, cores: 2, noisyGuests: 2, quiet: "requests" },
  rows: NOISES.map(({ name, what, budget }) => ({
    ...{ noise: name, what, budget },
    steps: [0, ...STEPS].map((times) => ({
      times,
      withBudgets: figures(1 - times / 1000, 1 + times / 100),
      withoutBudgets: figures(1 - times / 20, 1 + times),
    })),
  })),
};

describe("overtax", () => {
  it("says what each guest is to do", () => {
    const [nulls, , disk] = NOISES;
    expect(noiseArgs(nulls, 10)).toBe("load=null burst=30000 period=10000 count=10000000");
    expect(noiseArgs(disk, 1)).toBe("load=disk burst=15 period=10000 count=10000000");
    expect(NOISES.map((noise) => parsePolicy(noisePolicy(noise)))).toEqual([
      { calls: { budgets: { paravane_null: { operations: { size: 30_000, refill_time: 10 } } } } },
      { calls: { budgets: { dbcn: { operations: { size: 200, refill_time: 10 } } } } },
      { devices: { disk0: { operations: { size: 150, refill_time: 10 } } } },
    ]);
    // The probe takes 32 workloads.
    const items = quietArgs({ warm: 1, settle: 2, closed: 3, open: 4 }, STEPS.length + 2).split("; ");
    expect(items.map((item) => /count=(\d)/.exec(item)?.[1]).join("")).toBe(`1${"234".repeat(STEPS.length + 2)}`);
    expect(items.length).toBeLessThanOrEqual(32);
  });

  it.each(NOISES)("measures a quiet guest beside $name, step by step", { timeout: 300_000 }, async (noise) => {
    const host = overtaxHost(PROBE);
    const events: string[] = [];
    const watched = {
      ...host,
      createHypervisor: () => {
        const hypervisor = createHypervisor({ cores: 1 });
        hypervisor.onEvent((event) => {
          if (event.type === "state") events.push(`${event.guest} ${event.state}`);
        });
        return hypervisor;
      },
    };
    try {
      const amounts = { warm: 20, settle: 20, closed: 200, open: 100 };
      const found = await runRound(watched, noise, { budgeted: true, noisyGuests: 1, steps: [1, 10], amounts });
      expect(found.map(({ times }) => times)).toEqual([0, 1, 10, 0]);
      for (const { throughput, p50, p99 } of found) {
        expect(throughput).toBeGreaterThan(0);
        expect(p99).toBeGreaterThanOrEqual(p50);
        // A request has some hundred thousand instructions.
        expect(p50).toBeGreaterThan(10);
      }
      expect(found.map(({ done }) => done > 0)).toEqual([false, true, true, false]);
      // Each rate had its turn, and stood still before and after it.
      for (const times of [1, 10]) {
        const states = events
          .filter((event) => event.startsWith(`noisy-${times}-0 `))
          .map((event) => event.split(" ")[1]);
        expect(states.slice(0, 5)).toEqual(["booting", "running", "paused", "running", "paused"]);
      }
    } finally {
      host.remove();
    }
  });

  it("writes a table, with what it comes to", () => {
    const text = formatOvertax(RESULT);
    expect(text).toContain("A quiet guest beside 2 noisy ones on 2 cores");
    expect(formatOvertax({ ...RESULT, noisyGuests: 1 })).toContain("A quiet guest beside a noisy one on 2 cores");
    expect(text).toMatch(/^10x +200,000 +1,000 +2,500 +50 % +#{10} +200 +4,400 +11\.00$/m);
    expect(text).toMatch(/^silent +5,000 +100 % +#{20} +200 +400 +1\.00$/m);
    expect(text).toContain(
      "beside 10 times the budget the quiet guest has 50 % of its throughput and 11.00 times its p99 without budgets, 99 % of its throughput and 1.10 times its p99 with them.",
    );
  });

  it("draws two panels a kind of noise, two lines in each, inside the picture", () => {
    const svg = drawOvertax(RESULT);
    const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)?.map(Number) ?? [];
    const lines = [...svg.matchAll(/<path d="M([^"]+)" fill="none" stroke="#[0-9a-f]{6}"/g)].map(([, points]) =>
      points.split("L").map((point) => point.split(" ").map(Number)),
    );
    expect(lines).toHaveLength(NOISES.length * 4);
    for (const line of lines) {
      expect(line).toHaveLength(STEPS.length + 1);
      for (const [x, y] of line) {
        expect(x >= 0 && x <= width && y >= 0 && y <= height).toBe(true);
      }
      // Rates grow from left to right.
      expect(line.map(([x]) => x)).toEqual(line.map(([x]) => x).sort((a, b) => a - b));
    }
    // The worst is drawn higher than the best: it is a latency.
    const [without, withBudgets] = [lines[2], lines[3]].map((line) => line[STEPS.length][1]);
    expect(without).toBeLessThan(withBudgets);
    expect(svg.match(/<(\w+)(?=[\s>])/g)?.length).toBe((svg.match(/<\/\w+>|\/>/g) ?? []).length);
  });
});
