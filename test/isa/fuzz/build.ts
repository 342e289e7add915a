// Lays a program out in memory: trap entry, code with its twin pages, tables of the services, data, page tables.
import { Assembler } from "../generator/assembler.ts";
import { BASES, SCRATCH_BEFORE } from "../generator/records.ts";
import { writeFunctions } from "./code.ts";
import { CODE, CODE_PAGES, DATA, DATA_PAGES, IMAGE_SIZE, RAM, TABLES, TWIN } from "./map.ts";
import { buildSpaces, leafAddress, leafFor } from "./page-tables.ts";
import { FUEL, type Spec, SUM } from "./spec.ts";
import { MARKERS, RECORDS, statusOf, Table, writeTrapEntry } from "./trap-entry.ts";

export interface Built {
  image: Uint8Array;
  /** Addresses of what was laid out, by name: f0, f0p1 and so on. */
  labels: Map<string, number>;
  /** Where the code ends. */
  end: number;
}

export function build(spec: Spec): Built {
  const asm = new Assembler(IMAGE_SIZE, RAM);
  writeTrapEntry(asm, spec);
  asm.pc = CODE;
  const markers = writeFunctions(asm, spec);
  const end = asm.pc;
  if (end > CODE + CODE_PAGES * 4096) throw new Error("the program is too long");
  const image = asm.finish();
  const { view } = asm;
  const wide = (address: number, value: bigint | number) =>
    view.setBigUint64(address - RAM, BigInt.asUintN(64, BigInt(value)), true);

  spec.registers.x.forEach((value, n) => {
    wide(TABLES + Table.REGISTERS + 8 * n, value);
  });
  BASES.forEach((base, n) => {
    wide(TABLES + Table.REGISTERS + 8 * base, DATA + 2 * 4096 + (n === 1 ? 4096 - 16 : 0) + SCRATCH_BEFORE);
  });
  wide(TABLES + Table.REGISTERS + 8 * FUEL, spec.fuel);
  wide(TABLES + Table.REGISTERS + 8 * SUM, 0);
  spec.registers.f.forEach((value, n) => {
    wide(TABLES + Table.REGISTERS + 256 + 8 * n, value);
  });
  for (let at = 0; at < DATA_PAGES * 4096; at++) view.setUint8(DATA - RAM + at, (at * 29 + (at >> 3) * 101) & 0xff);

  image.copyWithin(TWIN - RAM, CODE - RAM, CODE - RAM + CODE_PAGES * 4096);
  for (const at of markers) {
    const twin = at + TWIN - CODE + 2 - RAM;
    view.setUint16(twin, view.getUint16(twin, true) ^ 0x0550, true);
  }
  for (let n = 0; n < MARKERS; n++) {
    wide(TABLES + Table.MARKERS + 32 * n, markers[n % markers.length] + 2);
    wide(TABLES + Table.MARKERS + 32 * n + 8, 0x10 << (n % 8));
  }

  const roots = buildSpaces(view, spec);
  for (let n = 0; n < RECORDS; n++) {
    const context = spec.contexts[n % spec.contexts.length];
    const { clear, set } = statusOf(context.mode, context.status);
    const at = TABLES + Table.CONTEXTS + 32 * n;
    const translated = context.space >= 0 && context.mode !== 3;
    wide(at, context.space < 0 ? 0 : roots[context.space].satp);
    wide(at + 8, clear);
    wide(at + 16, set);
    wide(at + 24, translated && context.other ? spec.window : RAM);
  }
  spec.edits.forEach((edit, n) => {
    const root = roots[edit.space];
    const space = spec.spaces[edit.space];
    const at = TABLES + Table.EDITS + 32 * n;
    const page = "data" in edit.page ? (DATA - RAM) / 4096 + edit.page.data : (CODE - RAM) / 4096 + edit.page.code;
    const leaf = leafAddress(root, edit.other, page);
    if (leaf === 0) return;
    const flags = "data" in edit.page ? edit.flags : 0;
    const to = "data" in edit.page ? DATA + 4096 * edit.to : TWIN + 4096 * edit.page.code;
    wide(at, leaf);
    wide(at + 8, leafFor(to, space.user, flags, !("data" in edit.page)));
    wide(at + 16, (edit.other ? spec.window : BigInt(RAM)) + BigInt(4096 * page));
    wide(at + 24, edit.fence);
  });
  return { image, labels: asm.labels, end };
}
