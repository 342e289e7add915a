// What is compared with QEMU, and how a program that failed is shown.
import type { Built } from "./build.ts";
import type { Difference } from "./lockstep.ts";
import { CODE, DATA, DATA_PAGES, RAM, SAVE_SIZE, SAVES, Save } from "./map.ts";
import type { Spec } from "./spec.ts";

/** Text of the instruction word at an address, whose halves come low first. */
export type Disassemble = (pcLow: number, pcHigh: number, word: number) => string;

/** Where two memories of ended programs differ, in words: data, and what the exit stored. */
export function comparable(ours: Uint8Array, theirs: Uint8Array): string[] {
  const [a, b] = [ours, theirs].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
  const lines: string[] = [];
  const look = (name: string, from: number, to: number) => {
    for (let at = from - RAM; at < to - RAM && lines.length < 20; at += 8) {
      const [x, y] = [a.getBigUint64(at, true), b.getBigUint64(at, true)];
      if (x !== y)
        lines.push(`${name}+0x${(at - (from - RAM)).toString(16)}: 0x${x.toString(16)}, QEMU 0x${y.toString(16)}`);
    }
  };
  look("hash", SAVES + Save.HASH, SAVES + Save.WINDOW);
  look("registers", SAVES + Save.X, SAVES + SAVE_SIZE);
  look("data", DATA, DATA + 4096 * DATA_PAGES);
  return lines;
}

export function show(
  spec: Spec,
  { image, labels, end }: Built,
  { steps, budget, lines }: Difference,
  disassemble: Disassemble,
): string {
  const names = new Map([...labels].map(([name, at]) => [at, name]));
  const view = new DataView(image.buffer, image.byteOffset);
  const code: string[] = [];
  for (let pc = CODE; pc < end; ) {
    if (names.has(pc)) code.push(`${names.get(pc)}:`);
    const low = view.getUint16(pc - RAM, true);
    const wide = (low & 3) === 3;
    const word = wide ? view.getUint32(pc - RAM, true) : low;
    if (low !== 0) code.push(`  ${pc.toString(16)}  ${word.toString(16).padStart(8)}  ${disassemble(pc | 0, 0, word)}`);
    pc += wide ? 4 : 2;
  }
  const { functions, registers, ...rest } = spec;
  const machine = JSON.stringify(rest, (_, value) => (typeof value === "bigint" ? `0x${value.toString(16)}` : value));
  return [
    `seed ${spec.seed} differs after ${steps} steps (the last budget was ${budget}); made smaller:`,
    `fcsr 0x${registers.fcsr.toString(16)} fs ${registers.fs} ${machine}`,
    ...code,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
}
