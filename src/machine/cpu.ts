// The guest's processor: which ISA extensions it has. The one list of their names, what each
// needs, and where it stands in the ISA string (Unprivileged Architecture, ISA naming conventions).
import { Ext } from "../../assembly/abi/ext.ts";
import { OptionError } from "../errors.ts";

/** The machine's interrupt controller: SiFive PLIC, or APLIC and IMSICs of the Advanced Interrupt Architecture. */
export type IrqchipKind = "plic" | "aia";

type Name = keyof typeof Ext;

interface Extension {
  bit: Ext;
  /** As in --cpu, the ISA string and the device tree. */
  name: string;
  needs: Name[];
  description: string;
}

// In the order of the ISA string. A bit of Ext that is missing or wrong here does not compile.
const EXTENSIONS: { [K in Name]: Extension & { bit: (typeof Ext)[K] } } = {
  I: { bit: Ext.I, name: "i", needs: [], description: "base integer instructions" },
  M: { bit: Ext.M, name: "m", needs: [], description: "multiplication and division" },
  A: { bit: Ext.A, name: "a", needs: [], description: "atomic memory operations, LR/SC" },
  F: { bit: Ext.F, name: "f", needs: ["ZICSR"], description: "single-precision floating point" },
  D: { bit: Ext.D, name: "d", needs: ["F"], description: "double-precision floating point" },
  C: { bit: Ext.C, name: "c", needs: [], description: "compressed instructions" },
  ZICBOM: { bit: Ext.ZICBOM, name: "zicbom", needs: [], description: "cache-block clean, flush, invalidate" },
  ZICBOP: { bit: Ext.ZICBOP, name: "zicbop", needs: [], description: "cache-block prefetch hints" },
  ZICBOZ: { bit: Ext.ZICBOZ, name: "zicboz", needs: [], description: "cache-block zero" },
  ZICNTR: { bit: Ext.ZICNTR, name: "zicntr", needs: ["ZICSR"], description: "cycle, time and instret" },
  ZICSR: { bit: Ext.ZICSR, name: "zicsr", needs: [], description: "control and status registers" },
  ZIFENCEI: { bit: Ext.ZIFENCEI, name: "zifencei", needs: [], description: "fence.i" },
  ZIHINTPAUSE: { bit: Ext.ZIHINTPAUSE, name: "zihintpause", needs: [], description: "pause" },
  ZIHPM: { bit: Ext.ZIHPM, name: "zihpm", needs: ["ZICSR"], description: "hardware performance counters" },
  ZBA: { bit: Ext.ZBA, name: "zba", needs: [], description: "address generation" },
  ZBB: { bit: Ext.ZBB, name: "zbb", needs: [], description: "basic bit manipulation" },
  ZBS: { bit: Ext.ZBS, name: "zbs", needs: [], description: "single-bit instructions" },
  ZKR: { bit: Ext.ZKR, name: "zkr", needs: ["ZICSR"], description: "entropy source" },
  SMAIA: { bit: Ext.SMAIA, name: "smaia", needs: ["ZICSR"], description: "advanced interrupts; with --irqchip aia" },
  SSAIA: { bit: Ext.SSAIA, name: "ssaia", needs: ["S"], description: "the same for supervisor level" },
  SSTC: { bit: Ext.SSTC, name: "sstc", needs: ["S"], description: "supervisor timer compare" },
  SVADU: { bit: Ext.SVADU, name: "svadu", needs: ["S"], description: "page table A and D bits set by the hart" },
  SVINVAL: { bit: Ext.SVINVAL, name: "svinval", needs: ["S"], description: "fine-grained translation invalidation" },
  SVNAPOT: { bit: Ext.SVNAPOT, name: "svnapot", needs: ["S"], description: "naturally aligned power-of-two pages" },
  SVPBMT: { bit: Ext.SVPBMT, name: "svpbmt", needs: ["S"], description: "page-based memory types" },
  SVVPTC: { bit: Ext.SVVPTC, name: "svvptc", needs: ["S"], description: "a page made valid is seen without a fence" },
  SV48: { bit: Ext.SV48, name: "sv48", needs: ["S"], description: "48-bit virtual addresses" },
  SV57: { bit: Ext.SV57, name: "sv57", needs: ["SV48"], description: "57-bit virtual addresses" },
  S: { bit: Ext.S, name: "s", needs: ["U", "ZICSR"], description: "supervisor mode" },
  U: { bit: Ext.U, name: "u", needs: [], description: "user mode" },
};

const ROWS: Extension[] = Object.values(EXTENSIONS);

/** What no kernel that this machine boots can do without. */
const ALWAYS: Ext[] = [Ext.I, Ext.ZICSR, Ext.S, Ext.U];

/** The address-translation modes and privilege modes are no part of an ISA string. */
const NOT_IN_STRING: Ext[] = [Ext.S, Ext.U, Ext.SV48, Ext.SV57];

export function hasExtension(extensions: bigint, ext: Ext): boolean {
  return ((extensions >> BigInt(ext)) & 1n) === 1n;
}

/** Every extension: what a machine has unless --cpu says otherwise. Bit n is Ext n. */
export const ALL_EXTENSIONS: bigint = ROWS.reduce((bits, row) => bits | (1n << BigInt(row.bit)), 0n);

/** What the Advanced Interrupt Architecture is to a hart. */
const AIA: bigint = (1n << BigInt(Ext.SMAIA)) | (1n << BigInt(Ext.SSAIA));

/**
 * The extensions of a hart beside interrupt controller `irqchip`: with a PLIC those of the other one go.
 * @throws OptionError if the controller needs one that is off.
 */
export function withIrqchip(extensions: bigint, irqchip: IrqchipKind): bigint {
  if (irqchip === "plic") return extensions & ~AIA;
  if ((extensions & AIA) !== AIA)
    throw new OptionError(
      "irqchip aia needs cpu extensions smaia and ssaia, and one is off: leave them on, or take plic",
    );
  return extensions;
}

/** Names and descriptions, for help texts. */
export function listExtensions(): { name: string; description: string; removable: boolean }[] {
  return ROWS.map(({ bit, name, description }) => ({ name, description, removable: !ALWAYS.includes(bit) }));
}

/**
 * Bits of Ext that `text` asks for: `rv64`, then `name=on` or `name=off` for any extension,
 * all of which are on at first: `rv64,sstc=off,zbb=off`.
 * @throws OptionError for an unknown name, or for an extension left on without one that it needs.
 */
export function parseCpu(text: string): bigint {
  const [base, ...settings] = text.trim().toLowerCase().split(",");
  if (base !== "rv64")
    throw new OptionError(`cpu "${base}" is not known: write rv64, then extensions, as in rv64,sstc=off`);
  let extensions = ALL_EXTENSIONS;
  for (const setting of settings) {
    const match = /^([a-z0-9]+)=(on|off)$/.exec(setting);
    if (match === null)
      throw new OptionError(`cpu setting "${setting}" is not understood: write NAME=on or NAME=off, as in sstc=off`);
    const row = ROWS.find((candidate) => candidate.name === match[1]);
    if (row === undefined) {
      throw new OptionError(
        `cpu extension "${match[1]}" is not known: the machine has ${ROWS.map((r) => r.name).join(", ")}`,
      );
    }
    const mask = 1n << BigInt(row.bit);
    if (match[2] === "on") extensions |= mask;
    else if (ALWAYS.includes(row.bit))
      throw new OptionError(`cpu extension ${row.name} cannot be off: the machine needs it`);
    else extensions &= ~mask;
  }
  checkDependencies(extensions);
  return extensions;
}

function checkDependencies(extensions: bigint): void {
  for (const row of ROWS) {
    if (!hasExtension(extensions, row.bit)) continue;
    for (const needed of row.needs) {
      const { bit, name } = EXTENSIONS[needed];
      if (hasExtension(extensions, bit)) continue;
      throw new OptionError(
        `cpu extension ${row.name} needs ${name}, which is off: add ${row.name}=off or leave ${name} on`,
      );
    }
  }
}

/** The extensions by name in the order of the ISA string: ["i", "m", ..., "zicbom", ...]. */
export function isaExtensions(extensions: bigint): string[] {
  const names = ROWS.filter((r) => hasExtension(extensions, r.bit) && !NOT_IN_STRING.includes(r.bit)).map(
    (r) => r.name,
  );
  // Svade, the opposite of Svadu: a clear A or D bit is a page fault. It has no bit of its own.
  if (!hasExtension(extensions, Ext.SVADU)) {
    const next = names.findIndex((name) => name.startsWith("sv"));
    names.splice(next < 0 ? names.length : next, 0, "svade");
  }
  return names;
}

/** The ISA string: rv64imafdc_zicbom_... */
export function isaString(extensions: bigint): string {
  const names = isaExtensions(extensions);
  const single = names.filter((name) => name.length === 1).join("");
  return [`rv64${single}`, ...names.filter((name) => name.length > 1)].join("_");
}

/** The widest address-translation mode, as the device tree's mmu-type names it. */
export function mmuType(extensions: bigint): string {
  if (hasExtension(extensions, Ext.SV57)) return "riscv,sv57";
  return hasExtension(extensions, Ext.SV48) ? "riscv,sv48" : "riscv,sv39";
}

/** Address-translation modes, the narrowest first: sv39, sv48, sv57. */
export function translationModes(extensions: bigint): string[] {
  const wider = ([Ext.SV48, Ext.SV57] as const).filter((ext) => hasExtension(extensions, ext));
  return ["sv39", ...wider.map((ext) => (ext === Ext.SV48 ? "sv48" : "sv57"))];
}

/**
 * The text for parseCpu that asks for what `text` asks, and has of that only what `allowed` names; an extension goes with
 * what it needs. What no machine can be without stays.
 */
export function limitCpu(text: string, allowed: ReadonlySet<string>): string {
  let extensions = parseCpu(text);
  const given = extensions;
  const isAllowed = ({ bit, name }: Extension) => ALWAYS.includes(bit) || allowed.has(name);
  // What needs something that has gone goes too, until nothing does.
  for (let before = -1n; before !== extensions; ) {
    before = extensions;
    for (const row of ROWS) {
      const isWhole = row.needs.every((needed) => hasExtension(extensions, EXTENSIONS[needed].bit));
      if (!isAllowed(row) || !isWhole) extensions &= ~(1n << BigInt(row.bit));
    }
  }
  const gone = ROWS.filter(({ bit }) => hasExtension(given, bit) && !hasExtension(extensions, bit));
  return [text, ...gone.map(({ name }) => `${name}=off`)].join(",");
}
