// On the virtual clock two comparisons on Debian agree in all but `machine` and `host`:
// kernel, interrupts, disks, consoles and timers repeat to the instruction. All three boots, twice.
import { expect, it } from "vitest";
import { BRIEF, failures, runCompare } from "../../src/compare/index.ts";
import { repeatable, testHost } from "./host.ts";

it("a comparison on Debian repeats", async () => {
  const options = { guest: "debian", version: "test", machine: {}, clock: "virtual", amounts: BRIEF } as const;
  const first = await runCompare({ ...options, host: testHost() });
  expect(failures(first)).toEqual([]);
  const second = await runCompare({ ...options, host: testHost() });
  expect(repeatable(second)).toEqual(repeatable(first));
});
