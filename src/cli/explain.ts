// paravane explain: runs a guest as `paravane run` does, and tells what the translator made of
// its code. The guest's own output goes to stderr: stdout is the explanation's alone.
import { readFile } from "node:fs/promises";
import type { TranslatedRegion } from "../engine/regions.ts";
import type { Guest } from "../guest/guest.ts";
import { readSymbols } from "../image/elf-symbols.ts";
import { bySteps, regionTable } from "./region-table.ts";
import { type RunArguments, runGuest } from "./run.ts";
import { describe, RunReport } from "./run-report.ts";
import { Ending, Status, say } from "./status.ts";
import { type SymbolRange, SymbolTable } from "./symbol-table.ts";

export interface ExplainArguments extends RunArguments {
  /** Regions in the table. */
  top: number;
}

/** What is asked about: an address, or a symbol's code from `start` up to `end`. */
interface Target extends SymbolRange {
  address: bigint;
}

function offsetOf(text: string | undefined): bigint {
  return text === undefined ? 0n : BigInt(text);
}

/** Undefined if the symbol is not known. */
function targetOf(where: string, symbols: SymbolTable): Target | undefined {
  if (/^0x[0-9a-f]+$/i.test(where)) {
    const address = BigInt.asUintN(64, BigInt(where));
    return { address, start: address, end: address };
  }
  const [, name, offset] = /^(.*?)(?:\+(0x[0-9a-f]+|[0-9]+))?$/i.exec(where) ?? [];
  const range = symbols.find(name);
  if (range === undefined) return undefined;
  const address = range.start + offsetOf(offset);
  return offset === undefined ? { address, ...range } : { address, start: address, end: address };
}

/** Of the first ELF file with symbols that the guest starts from. */
async function elfSymbols({ kernel, firmware }: RunArguments): Promise<SymbolTable> {
  for (const file of [kernel, firmware]) {
    // A file that cannot be read is reported where it is read for good; firmware can be a name, too.
    const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined);
    const symbols = bytes && readSymbols(bytes);
    if (symbols) return SymbolTable.fromElf(symbols);
  }
  return SymbolTable.empty;
}

async function kernelSymbols(guest: Guest): Promise<SymbolTable> {
  const { stdout } = await guest.exec("cat /proc/kallsyms 2>/dev/null");
  return SymbolTable.fromKallsyms(new TextDecoder().decode(stdout));
}

function summary({
  pc,
  mode,
  state,
  flags,
  pages,
  length,
  minimumSteps,
  wasmBytes,
  runs,
  steps,
  exits,
  engineSteps,
}: TranslatedRegion) {
  return { pc, mode, state, flags, pages, length, minimumSteps, wasmBytes, runs, steps, exits, engineSteps };
}

/** Addresses as hexadecimal text, counts as numbers. */
function toJson(document: Record<string, unknown>): string {
  const addresses = new Set(["pc", "at", "to", "virtual", "physical"]);
  const replace = (key: string, value: unknown) =>
    typeof value !== "bigint" ? value : addresses.has(key) ? `0x${value.toString(16)}` : Number(value);
  return `${JSON.stringify(document, replace)}\n`;
}

async function print(
  options: ExplainArguments,
  guest: Guest,
  regions: TranslatedRegion[],
  symbols: SymbolTable,
  target: Target | undefined,
  facts: Record<string, unknown>,
): Promise<void> {
  const symbolize = (address: bigint) => symbols.nameOf(address);
  const named = (it: TranslatedRegion) => ({ symbol: symbolize(it.pc) || undefined, ...summary(it) });
  if (guest.regionsMissing > 0) say(`${guest.regionsMissing} later translations are missing: their log is full`);
  if (target === undefined) {
    if (options.json) process.stdout.write(toJson({ ...facts, regions: bySteps(regions).map(named) }));
    else process.stdout.write(regionTable(regions, guest.instructions, options.top, symbolize));
    return;
  }
  const { address, start, end } = target;
  const found = bySteps(regions.filter((it) => (it.pc >= start && it.pc < end) || it.contains(address)));
  // What makes text of WebAssembly is loaded for this alone.
  const { regionText, wasmText } = await import("./region-text.ts");
  if (options.json) {
    const full = found.map((it) => ({
      ...named(it),
      blocks: it.blocks,
      wasm: it.code && wasmText(it.code, { counts: true }),
    }));
    process.stdout.write(toJson({ ...facts, regions: full }));
    return;
  }
  const texts = found.map((it) => regionText(it, { counts: true, symbolize }));
  if (texts.length === 0) say(`nothing at 0x${address.toString(16)} was translated: it did not run often enough`);
  process.stdout.write(texts.join("\n"));
}

export async function explain(where: string | undefined, options: ExplainArguments): Promise<void> {
  let symbols = await elfSymbols(options);
  const unknown = (what: string) =>
    new Ending(
      Status.FAILURE,
      `there is no symbol "${where}" in ${what}: give another, or an address such as 0x80000000`,
    );
  if (where !== undefined && targetOf(where, symbols) === undefined) {
    if (symbols.size > 0) throw unknown("the program");
    if (options.exec === undefined) {
      throw new Ending(
        Status.FAILURE,
        `no symbols to find "${where}" among: give --kernel an ELF file with symbols, --exec a command, or an address`,
      );
    }
  }

  const report = new RunReport(false);
  let regions: TranslatedRegion[] | undefined;
  let failure: unknown;
  try {
    await runGuest({ ...options, json: false }, report, {
      output: process.stderr,
      logRegions: true,
      onCommandEnd: async (guest) => {
        regions = guest.regions();
        if (symbols.size === 0) symbols = await kernelSymbols(guest);
      },
    });
  } catch (error) {
    // What was translated until then is told all the same: a timeout is a way to end a guest.
    failure = error;
  }
  const { guest } = report;
  const isGone = failure instanceof Ending && failure.status === Status.BROKEN_PIPE;
  if (guest === undefined || isGone) throw failure;
  const target = where === undefined ? undefined : targetOf(where, symbols);
  if (where !== undefined && target === undefined) throw failure ?? unknown("the guest's kernel");
  const outcome = failure === undefined ? { status: Status.OK } : describe(failure);
  await print(options, guest, regions ?? guest.regions(), symbols, target, { ...outcome, ...report.facts() });
  if (failure !== undefined) throw failure;
}
