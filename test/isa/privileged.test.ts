// Traps, translation, protection, delegation, interrupts and CSR fields, case by case against
// QEMU's system mode. Where QEMU 7.2 is known to differ from the manual, or the manual leaves a
// choice, the comparison says so below; privileged-directed.test.ts holds us to the manual there.
// PARAVANE_LONG=1 runs many more.
import { describe, expect, test } from "vitest";
import { Tier } from "../../assembly/abi/layout.ts";
import { runEngine, runQemu } from "./generator/machines.ts";
import { Kind, type LogEntry, readLog } from "./generator/monitor.ts";
import { privilegedProgram, type Scenario, scenarios } from "./generator/privileged.ts";
import { Random } from "./generator/random.ts";
import { LONG, missing, QEMU_SYSTEM } from "./generator/requirements.ts";

const unavailable = missing(QEMU_SYSTEM);
const CASES = 1000;
const PROGRAMS = LONG ? 40 : 1;

/** Bits of CSRs on which both must agree, where that is not all of them. */
const COMPARABLE = new Map<number, bigint>([
  // No vectors and no guests here (VS, GVA, MPV), so SD follows FS alone; UXL is always 64 bits. QEMU 7.2 lets MPP be 2.
  [0x100, ~((1n << 63n) | (3n << 32n) | (3n << 9n))],
  [0x300, ~((1n << 63n) | (3n << 38n) | (3n << 32n) | (3n << 9n) | (3n << 11n))],
  [0x106, 0xffff_ffffn], // counters 0 to 31 exist
  [0x306, 0xffff_ffffn],
  [0x141, ~1n], // QEMU 7.2 lets bit 0 of xEPC be set
  [0x341, ~1n],
  [0x302, 0xb3ffn], // exceptions and interrupts that exist without the hypervisor extension
  [0x104, 0x222n],
  [0x144, 0x222n],
  [0x303, 0x222n],
  [0x304, 0xaaan],
  [0x344, 0x222n],
]);
/** The same of the status that a trap entry holds; a trap leaves a mode that exists in MPP. */
const STATUS = COMPARABLE.get(0x300)! | (3n << 11n);

const isAtomic = (image: Uint8Array, address: number) => {
  const offset = address - 0x8000_0000;
  return offset >= 0 && offset < image.length && (image[offset] & 0x7f) === 0x2f;
};

/** `theirs` as it would be without known differences from `ours`. */
function reconcile(ours: LogEntry, theirs: LogEntry, image: Uint8Array): LogEntry {
  const words = [...theirs.words];
  if (ours.kind === Kind.VALUE) {
    const mask = COMPARABLE.get(Number(ours.words[0]));
    if (mask !== undefined && ((ours.words[1] ^ words[1]) & mask) === 0n) words[1] = ours.words[1];
  } else if (ours.kind === Kind.MACHINE || ours.kind === Kind.SUPERVISOR) {
    const cause = ours.words[1];
    words[4] = (words[4] & STATUS) | (ours.words[4] & ~STATUS);
    // xTVAL after ebreak is the address or 0; after an illegal instruction it is the instruction or 0.
    if (cause === 3n || (cause === 2n && words[3] === 0n)) words[3] = ours.words[3];
    // Access faults of a misaligned access: QEMU names the aligned part that failed.
    if ((cause === 5n || cause === 7n) && (ours.words[3] ^ words[3]) < 8n) words[3] = ours.words[3];
    // Of a page-crossing access whose first page leads to no memory and whose second is not mapped, QEMU reports the
    // second; which goes first is nobody's business but the implementation's.
    if ((cause === 5n || cause === 7n) && words[1] === cause + 8n && words[3] === (ours.words[3] | 0xfffn) + 1n) {
      [words[1], words[3]] = [cause, ours.words[3]];
    }
    // QEMU 7.2 does an AMO's load first, and reports a fault as a load's: 4, 5, 13 instead of 6, 7, 15.
    const asLoad = [6n, 7n, 15n].includes(cause) && words[1] === cause - 2n;
    if (asLoad || (cause === 15n && words[1] === 5n)) {
      const pc = Number(BigInt.asUintN(32, ours.words[2]));
      if (isAtomic(image, pc) || isAtomic(image, pc + 0x4000_0000)) words[1] = cause;
    }
  }
  return { kind: theirs.kind, words };
}

const show = (entry?: LogEntry) =>
  entry === undefined ? "nothing" : `${Kind[entry.kind]} ${entry.words.map((w) => `0x${w.toString(16)}`).join(" ")}`;

/** The first cases whose logs differ, in words. */
function compare(scenario: Scenario, seed: number, tier: Tier): string[] {
  const { image, descriptions } = privilegedProgram(new Random(seed), CASES, [scenario]);
  const ours = readLog(runEngine(image, { tier }));
  const theirs = readLog(runQemu(image));
  const found: string[] = [];
  descriptions.forEach((description, n) => {
    const [a, b] = [ours[n] ?? [], theirs[n] ?? []];
    for (let i = 0; i < Math.max(a.length, b.length); i++) {
      const expected = a[i] && b[i] ? reconcile(a[i], b[i], image) : b[i];
      if (show(a[i]) === show(expected)) continue;
      found.push(`seed ${seed} case ${n}: ${description}\n  entry ${i}: ${show(a[i])}\n  QEMU:    ${show(b[i])}`);
      return;
    }
  });
  expect(ours.length, "cases that left a log").toBe(CASES);
  return found.slice(0, 3);
}

describe.skipIf(unavailable !== undefined)("random cases against QEMU", () => {
  (Object.keys(scenarios) as Scenario[]).forEach((scenario, n) => {
    // Translated: the monitor, and whatever else runs more than once.
    const tiers = [
      [scenario, Tier.AUTO],
      [`${scenario}, translated`, Tier.TRANSLATOR],
    ] as const;
    test.each(tiers)("%s", { timeout: 1_800_000 }, (_, tier) => {
      for (let p = 0; p < PROGRAMS; p++) expect(compare(scenario, 100_000 * (n + 1) + p, tier)).toEqual([]);
    });
  });
});
