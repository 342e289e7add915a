// A translated region for people: what it is, its blocks, how it was left, its WebAssembly.
import type { RegionBlock, RegionExit, TranslatedRegion } from "../engine/regions.ts";
import { wasmText } from "./wasm-text.ts";

export { wasmText };

export interface RegionTextOptions {
  /** How often things happened. */
  counts: boolean;
  /** `symbol+0x12` for an address, or "". */
  symbolize(address: bigint): string;
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

function place(address: bigint, { symbolize }: RegionTextOptions): string {
  const symbol = symbolize(address);
  return symbol === "" ? hex(address) : `${hex(address)} <${symbol}>`;
}

function title(region: TranslatedRegion, options: RegionTextOptions): string[] {
  const { mode, state, flags, length, wasmBytes, minimumSteps } = region;
  const pages = region.pages.map(({ virtual, physical }) =>
    virtual === physical ? hex(virtual) : `${hex(virtual)} at ${hex(physical)}`,
  );
  const bytes = length > 0 ? ` (${(wasmBytes / length).toFixed(1)} an instruction)` : "";
  return [
    `region ${place(region.pc, options)}, mode ${mode}${options.counts ? `, ${state}` : ""}`,
    `  ${length} instructions, ${wasmBytes} bytes of Wasm${bytes}, entered with ${minimumSteps} steps left or more`,
    `  page${pages.length > 1 ? "s" : ""} ${pages.join(", ")}${flags.length > 0 ? `; ${flags.join(", ")}` : ""}`,
    ...(options.counts ? [`  ran ${region.runs} times, ${region.steps} instructions`] : []),
  ];
}

function blockText({ pc, runs, isLoop, instructions }: RegionBlock, options: RegionTextOptions): string[] {
  const symbol = options.symbolize(pc);
  const facts = [
    ...(symbol === "" ? [] : [`<${symbol}>`]),
    ...(isLoop ? ["loop"] : []),
    ...(options.counts ? [`${runs} times`] : []),
  ];
  return [
    `  block ${hex(pc)}${facts.length > 0 ? ` ${facts.join(", ")}` : ""}`,
    ...instructions.map((it) => {
      const isCompressed = (it.word & 3) !== 3;
      const word = (isCompressed ? it.word & 0xffff : it.word).toString(16).padStart(isCompressed ? 4 : 8, "0");
      return `    ${it.pc.toString(16)}  ${word.padEnd(8)}  ${it.text}`;
    }),
  ];
}

const CAUSES: Record<RegionExit["cause"], string> = {
  jump: "left for",
  "jump-register": "left",
  return: "returned",
  budget: "no steps left",
  call: "left to call",
  "returned-elsewhere": "call returned elsewhere",
  interpreter: "left to the interpreter",
  "float-state": "floating point not as translated",
};

function exitText(region: TranslatedRegion, options: RegionTextOptions): string[] {
  const { exits } = region;
  if (exits.length === 0) return ["  never left"];
  const texts = textsOf(region);
  const width = String(exits[0].count).length;
  return exits.map(({ cause, at, to, isDirect, count }) => {
    const where = [
      ...(to === undefined ? [] : [place(to, options)]),
      ...(at === undefined ? [] : [`at ${hex(at)}: ${texts.get(at) ?? "?"}`]),
    ].join(", ");
    const onward =
      cause === "jump" || cause === "jump-register" ? (isDirect ? ", translated" : ", not translated") : "";
    return `  ${String(count).padStart(width)}  ${CAUSES[cause]} ${where}${onward}`;
  });
}

/** What its instructions say, by address. */
export function textsOf(region: TranslatedRegion): Map<bigint, string> {
  return new Map(region.blocks.flatMap(({ instructions }) => instructions.map(({ pc, text }) => [pc, text])));
}

function engineText(region: TranslatedRegion): string[] {
  const texts = textsOf(region);
  return region.engineSteps.map(
    ({ at, count }) => `  ${count}  done by the engine at ${hex(at)}: ${texts.get(at) ?? "?"}`,
  );
}

export function regionText(region: TranslatedRegion, options: RegionTextOptions): string {
  const { code } = region;
  const lines = [
    ...title(region, options),
    "",
    ...region.blocks.flatMap((block) => blockText(block, options)),
    "",
    ...(options.counts ? [...exitText(region, options), ...engineText(region), ""] : []),
    ...(code === undefined ? ["  no Wasm yet"] : wasmText(code, { counts: options.counts }).map((line) => `  ${line}`)),
  ];
  return `${lines.join("\n")}\n`;
}
