// What a driver matches on, as the catalogue writes it ("pci:1af4:1041", "pci:class:010802",
// "virtio:1", "sbi:TIME", "isa:sstc", else a string of the device tree), read into parts, and as
// the modalias that Linux's buses make of it (scripts/mod/file2alias.c).
import { SbiExtension } from "../../assembly/abi/sbi.ts";

export type HardwareId =
  | { bus: "of"; compatible: string }
  | { bus: "pci"; vendor: number; device: number }
  | { bus: "pci-class"; class: number }
  | { bus: "virtio"; device: number }
  | { bus: "sbi"; extension: string; eid: number }
  | { bus: "isa"; extension: string };

/** Extensions of SBI that the catalogue names. */
const EXTENSIONS: Record<string, number> = {
  TIME: SbiExtension.TIME,
  IPI: SbiExtension.IPI,
  RFENCE: SbiExtension.RFENCE,
  HSM: SbiExtension.HSM,
  SRST: SbiExtension.SRST,
  PMU: SbiExtension.PMU,
  DBCN: SbiExtension.DBCN,
  SUSP: SbiExtension.SUSP,
  STA: SbiExtension.STA,
};

export function parseHardwareId(text: string): HardwareId {
  const parts = /^(pci|virtio|sbi|isa):(\w+)(?::(\w+))?$/.exec(text);
  if (parts === null) return { bus: "of", compatible: text };
  const [, bus, first, second] = parts;
  switch (bus) {
    case "pci":
      if (first === "class") return { bus: "pci-class", class: Number.parseInt(second, 16) };
      return { bus, vendor: Number.parseInt(first, 16), device: Number.parseInt(second, 16) };
    case "virtio":
      return { bus, device: Number(first) };
    case "sbi":
      return { bus, extension: first, eid: EXTENSIONS[first] ?? 0 };
    default:
      return { bus: "isa", extension: first };
  }
}

const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, "0");

/** The modalias under which Linux looks for a module, or undefined where no bus does. */
export function modalias(id: HardwareId): string | undefined {
  switch (id.bus) {
    case "of":
      return `of:NdeviceT(null)C${id.compatible}`;
    case "pci":
      return `pci:v${hex(id.vendor, 8)}d${hex(id.device, 8)}sv00000000sd00000000bc00sc00i00`;
    case "pci-class": {
      const [base, sub, programming] = [id.class >> 16, (id.class >> 8) & 0xff, id.class & 0xff];
      return `pci:v00000000d00000000sv00000000sd00000000bc${hex(base, 2)}sc${hex(sub, 2)}i${hex(programming, 2)}`;
    }
    case "virtio":
      return `virtio:d${hex(id.device, 8)}v00001AF4`;
    default:
      return undefined;
  }
}

/** Most characters of an alias that is looked at: Linux's own are shorter. */
const MOST_ALIAS = 1024;

/** Whether `text` fits `pattern`, in which * stands for any characters and ? for one (fnmatch(3) as depmod uses it). */
export function aliasMatches(pattern: string, text: string): boolean {
  if (pattern.length > MOST_ALIAS || text.length > MOST_ALIAS) return false;
  let [p, t] = [0, 0];
  // Where the last star is, and what it stands for so far: only that one is ever taken back.
  let [star, taken] = [-1, 0];
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++;
      taken = t;
    } else if (pattern[p] === "[") {
      const end = pattern.indexOf("]", p);
      const fits = end > 0 && inRange(pattern.slice(p + 1, end), text[t]);
      if (fits) [p, t] = [end + 1, t + 1];
      else if (star >= 0) [p, t] = [star + 1, ++taken];
      else return false;
    } else if (p < pattern.length && (pattern[p] === "?" || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) [p, t] = [star + 1, ++taken];
    else return false;
  }
  while (pattern[p] === "*") p++;
  return p === pattern.length;
}

/** "0-9A-F" */
function inRange(ranges: string, character: string): boolean {
  for (let i = 0; i < ranges.length; i++) {
    if (ranges[i + 1] === "-" && i + 2 < ranges.length) {
      if (character >= ranges[i] && character <= ranges[i + 2]) return true;
      i += 2;
    } else if (ranges[i] === character) return true;
  }
  return false;
}
