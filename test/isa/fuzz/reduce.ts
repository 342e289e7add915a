// Makes a program that fails smaller, for as long as it still fails: parts are emptied, not taken out, so that what is
// left refers to the same others.
import type { Item } from "../generator/blocks.ts";
import type { Spec } from "./spec.ts";

export type Fails = (spec: Spec) => boolean;

/** `list` without its halves, quarters, and so on down to single elements. */
function* without<T>(list: readonly T[]): Generator<T[]> {
  for (let size = Math.ceil(list.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < list.length; from += size) yield list.filter((_, i) => i < from || i >= from + size);
  }
}

type Change = (spec: Spec) => void;

/** Ways to make the machine around the program simpler. */
const SIMPLER: Change[] = [
  (s) => (s.harts = 1),
  (s) => (s.switching = false),
  (s) => (s.warmUp = 0),
  (s) => (s.adue = true),
  (s) => (s.contexts = s.contexts.slice(0, 1)),
  (s) => (s.contexts = s.contexts.slice(1)),
  (s) => (s.contexts = s.contexts.map((c) => ({ ...c, status: 0 }))),
  (s) => (s.contexts = s.contexts.map((c) => ({ ...c, other: false }))),
  (s) => (s.contexts = s.contexts.map((c) => ({ ...c, space: -1 }))),
  (s) => (s.edits = []),
  (s) => (s.spaces = s.spaces.map((space) => ({ ...space, dataFlags: space.dataFlags.map(() => 0) }))),
  (s) => (s.spaces = s.spaces.map((space) => ({ ...space, codeFlags: space.codeFlags.map(() => 0) }))),
  (s) => (s.spaces = s.spaces.map((space) => ({ ...space, superpage: false }))),
  (s) => (s.functions = s.functions.map(({ pieces }) => ({ pieces }))),
  (s) => (s.virtualRate = 10),
  (s) => (s.codeCache = 16 << 20),
  (s) => (s.fuel = Math.ceil(s.fuel / 2)),
  (s) => (s.fuel = Math.ceil(s.fuel / 2)),
  (s) => (s.registers.fcsr = 0n),
];

export function reduce(spec: Spec, fails: Fails, milliseconds: number): Spec {
  const until = Date.now() + milliseconds;
  let best = spec;
  const attempt = (change: Change): boolean => {
    if (Date.now() > until) return false;
    const next = structuredCloneOf(best);
    change(next);
    if (next.contexts.length === 0 || next.functions.length === 0 || !fails(next)) return false;
    best = next;
    return true;
  };
  for (let changed = true; changed && Date.now() < until; ) {
    changed = false;
    for (let n = best.functions.length - 1; n > 0; n--) {
      if (best.functions[n].pieces.length > 0 && attempt((s) => (s.functions[n].pieces = []))) changed = true;
    }
    for (const simpler of SIMPLER) {
      const before = JSON.stringify(best, plain);
      if (attempt(simpler) && JSON.stringify(best, plain) !== before) changed = true;
    }
    for (let n = 0; n < best.functions.length; n++) {
      if (reducePieces(n)) changed = true;
    }
  }
  return best;

  function reducePieces(n: number): boolean {
    let changed = false;
    for (let k = best.functions[n].pieces.length - 1; k >= 0; k--) {
      if (best.functions[n].pieces[k].end.kind !== "fall") {
        if (attempt((s) => (s.functions[n].pieces[k].end = { kind: "fall" }))) changed = true;
      }
      for (let again = true; again; ) {
        again = false;
        for (const items of without<Item>(best.functions[n].pieces[k].items)) {
          if (!attempt((s) => (s.functions[n].pieces[k].items = items))) continue;
          again = true;
          changed = true;
          break;
        }
      }
    }
    return changed;
  }
}

/** Instructions are rows of the table, which are compared by identity, so they are kept. */
function structuredCloneOf(spec: Spec): Spec {
  return {
    ...spec,
    registers: { ...spec.registers },
    functions: spec.functions.map((f) => ({ ...f, pieces: f.pieces.map((p) => ({ ...p })) })),
    spaces: spec.spaces.map((s) => ({ ...s })),
    contexts: [...spec.contexts],
    edits: [...spec.edits],
  };
}

const plain = (_: string, value: unknown) => (typeof value === "bigint" ? value.toString() : value);
