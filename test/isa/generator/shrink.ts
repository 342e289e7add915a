// Finds the smallest part of a block on which two runs still disagree. Every round tries many
// shorter versions at once, as the blocks of one program.
import type { Block } from "./blocks.ts";
import { describeDifference, outcome, program } from "./records.ts";

export type Run = (image: Uint8Array) => Uint8Array;

/** Index and differences of every block that ends differently. */
export function disagreements(blocks: readonly Block[], ours: Run, theirs: Run, passes = 2): Map<number, string[]> {
  const { image } = program(blocks, passes);
  const [a, b] = [ours(image), theirs(image)];
  const found = new Map<number, string[]>();
  for (let i = 0; i < blocks.length; i++) {
    const lines = describeDifference(outcome(a, i), outcome(b, i));
    if (lines.length > 0) found.set(i, lines);
  }
  return found;
}

/** `block` without items whose absence leaves the disagreement. */
export function shrink(block: Block, ours: Run, theirs: Run, passes = 2): Block {
  let best = block;
  while (best.items.length > 1) {
    const shorter = versions(best);
    const first = disagreements(shorter, ours, theirs, passes).keys().next().value;
    if (first === undefined) return best;
    best = shorter[first];
  }
  return best;
}

/** The block without its halves, quarters, and so on down to single items. */
function versions(block: Block): Block[] {
  const { items } = block;
  const list: Block[] = [];
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < items.length; from += size) {
      list.push({ ...block, items: items.filter((_, i) => i < from || i >= from + size) });
    }
  }
  return list.filter((b) => b.items.length > 0);
}
