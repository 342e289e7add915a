// All translated regions on one page: those in which most was done, and how they were left.
import type { TranslatedRegion } from "../engine/regions.ts";
import { columns } from "./columns.ts";
import { textsOf } from "./region-text.ts";

const percent = (part: bigint, whole: number) => (whole > 0 ? `${((Number(part) / whole) * 100).toFixed(1)} %` : "");

/** Counts by a key, most frequent first. */
function ranked(counts: Iterable<[string, bigint]>): [string, bigint][] {
  const sums = new Map<string, bigint>();
  for (const [key, count] of counts) sums.set(key, (sums.get(key) ?? 0n) + count);
  return [...sums].sort(([, a], [, b]) => (a < b ? 1 : a > b ? -1 : 0));
}

/** Most instructions first. */
export function bySteps(regions: readonly TranslatedRegion[]): TranslatedRegion[] {
  const steps = new Map(regions.map((it) => [it, it.steps]));
  const of = (it: TranslatedRegion) => steps.get(it) ?? 0n;
  return [...regions].sort((a, b) => (of(a) < of(b) ? 1 : of(a) > of(b) ? -1 : 0));
}

function row(region: TranslatedRegion, instructions: number, symbolize: (address: bigint) => string): string[] {
  const { pc, mode, state, steps, runs, length, wasmBytes, exits } = region;
  const symbol = symbolize(pc);
  const address = `0x${pc.toString(16)}`;
  return [
    percent(steps, instructions),
    String(steps),
    String(runs),
    runs > 0n ? (Number(steps) / Number(runs)).toFixed(1) : "",
    String(length),
    String(wasmBytes),
    exits.length > 0 ? `${exits[0].cause} ${exits[0].count}` : "",
    `${mode} ${symbol === "" ? address : `${address} <${symbol}>`}${state === "live" ? "" : `, ${state}`}`,
  ];
}

/** `instructions` is what the guest did in all, `most` how many regions are shown. */
export function regionTable(
  regions: readonly TranslatedRegion[],
  instructions: number,
  most: number,
  symbolize: (address: bigint) => string,
): string {
  const sorted = bySteps(regions);
  const total = sorted.reduce((sum, { steps }) => sum + steps, 0n);
  const bytes = sorted.reduce((sum, { wasmBytes }) => sum + wasmBytes, 0);
  const isLive = (it: TranslatedRegion) => it.state !== "dropped";
  const shown = sorted.slice(0, most);

  const exits = sorted.filter(({ runs }) => runs > 0n).map((region) => ({ region, exits: region.exits }));
  const causes = ranked(
    exits.flatMap((it) =>
      it.exits.map(
        ({ cause, isDirect, count }) =>
          [`${cause}${isDirect && cause !== "return" ? ", on to translated code" : ""}`, count] as [string, bigint],
      ),
    ),
  );
  const interpreted = ranked(
    exits.flatMap((it) => {
      const found = it.exits.filter(({ cause }) => cause === "interpreter");
      if (found.length === 0) return [];
      const names = textsOf(it.region);
      return found.map(({ at, count }) => [names.get(at ?? 0n)?.split(" ")[0] ?? "?", count] as [string, bigint]);
    }),
  );

  const numbers = (list: [string, bigint][]) => {
    const width = Math.max(0, ...list.map(([, count]) => String(count).length));
    return list.map(([name, count]) => `  ${String(count).padStart(width)}  ${name}`);
  };
  return `${[
    `${sorted.length} regions, ${sorted.filter(isLive).length} in force; ${bytes} bytes of Wasm; ` +
      `${percent(total, instructions)} of ${instructions} instructions in them`,
    "",
    ...columns(
      [
        ["share", "instructions", "runs", "a run", "length", "Wasm", "left most often", "region"],
        ...shown.map((region) => row(region, instructions, symbolize)),
      ],
      (column) => column >= 6,
    ),
    "",
    "ways out of all regions",
    ...numbers(causes),
    "",
    "left to the interpreter, by instruction",
    ...numbers(interpreted),
  ].join("\n")}\n`;
}
