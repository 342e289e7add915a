// Names for what is a number in translated code: locals, and addresses of the hart's state.
import { BasePage, HartAt, Jump, Layout, Machine, Tlb } from "../../assembly/abi/layout.ts";
import { FixedLocal, HartField, LocalKey, RegionLog } from "../../assembly/abi/translated.ts";
import type { Inspect } from "./inspect.ts";

const FIXED: Record<Exclude<FixedLocal, FixedLocal.COUNT>, string> = {
  [FixedLocal.STEPS]: "steps",
  [FixedLocal.DEPTH]: "depth",
  [FixedLocal.MOVED]: "moved",
  [FixedLocal.ADDRESS]: "address",
  [FixedLocal.A]: "a",
  [FixedLocal.B]: "b",
  [FixedLocal.C]: "c",
  [FixedLocal.HOST]: "host",
  [FixedLocal.LABEL]: "label",
  [FixedLocal.EXIT]: "exit",
};

const FIELDS: Record<Exclude<HartField, HartField.COUNT>, string> = {
  [HartField.TLB]: "tlb",
  [HartField.JUMPS]: "jumps",
  [HartField.FLOAT_READY]: "floatReady",
  [HartField.RESERVATION]: "reservation",
  [HartField.RESERVED_VALUE]: "reservedValue",
  [HartField.RESERVED_SIZE]: "reservedSize",
};

/** Of the TLB. */
const BANKS = ["tlbU", "tlbS", "tlbSum", "tlbOther"];
const WIDEST_GROUP = 1024;

/** What stands before a register's name in the name of a local. */
const LOCALS: Record<number, string> = {
  [LocalKey.X >> 5]: "",
  [LocalKey.F >> 5]: "",
  [LocalKey.SINGLE >> 5]: "single.",
};

/** Name of local `index`, which stands for `key`. */
export function localName(key: number, index: number, inspect: Inspect): string {
  if (key === LocalKey.FIXED) return FIXED[index as keyof typeof FIXED] ?? `local${index}`;
  if (key >= LocalKey.GROUP) return `group${key - LocalKey.GROUP}`;
  if (key >= LocalKey.F64_TEMP)
    return key < LocalKey.F32_TEMP ? `d${key - LocalKey.F64_TEMP}` : `s${key - LocalKey.F32_TEMP}`;
  // The others stand for something about a register each.
  const kind = LOCALS[key >> 5];
  return `${kind}${isFloat(key) ? inspect.floatName(key & 31) : inspect.integerName(key & 31)}`;
}

function isFloat(key: number): boolean {
  return key >> 5 === LocalKey.F >> 5 || key >> 5 === LocalKey.SINGLE >> 5;
}

/** Names of what translated code reads and writes at fixed addresses. */
export function addressNames(view: DataView, log: number, inspect: Inspect): Map<number, string> {
  const names = new Map<number, string>([
    [HartAt.FFLAGS, "fflags"],
    [HartAt.FRM, "frm"],
    [Machine.LAST_JUMP, "lastJump"],
    [Machine.LAST_JUMP_PC, "lastJumpPc"],
    [Machine.SITE_REPORT, "siteReport"],
    [Machine.REPORTER, "reporter"],
    [Machine.REPORTER_MOVED, "reporterMoved"],
  ]);
  for (let n = 0; n < 32; n++) {
    names.set(HartAt.X + 8 * n, inspect.integerName(n));
    names.set(HartAt.F + 8 * n, inspect.floatName(n));
  }
  for (let entry = 0; entry < (BasePage.TABLES * BasePage.TABLE) / BasePage.ENTRY; entry++) {
    const at = Layout.BASE_PAGES + entry * BasePage.ENTRY;
    const what = entry % 2 === 0 ? "read" : "write";
    const register = inspect.integerName((entry >> 1) % 32);
    names.set(at + BasePage.PAGE, `${what}Page.${register}`);
    names.set(at + BasePage.ADDEND, `${what}Addend.${register}`);
  }
  // Where there is one hart, its tables are at known places.
  for (let bank = 0; bank < Tlb.BANKS; bank++) {
    for (const [at, what] of [
      [0, "load"],
      [Tlb.WRITE_HALF, "store"],
    ] as const) {
      const entry = Layout.TLB + bank * Tlb.BANK + at;
      names.set(entry, `${BANKS[bank]}.${what}Page`);
      names.set(entry + Tlb.ADDEND, `${BANKS[bank]}.${what}Addend`);
    }
  }
  names.set(Layout.TRANSLATOR + Jump.TAG, "jump.tag");
  names.set(Layout.TRANSLATOR + Jump.FUNCTION, "jump.function");
  // Loads of M-mode that need no TLB, of a group that spans so much.
  for (let n = 0; n < WIDEST_GROUP; n++) names.set(Layout.RAM + n, n === 0 ? "ram" : `ram.${n}`);
  for (let field = 0; field < HartField.COUNT; field++) {
    names.set(view.getUint32(log + RegionLog.FIELDS + 4 * field, true), FIELDS[field as keyof typeof FIELDS]);
  }
  const sites = view.getUint32(log + RegionLog.SITES, true);
  const sitesEnd = sites + view.getUint32(log + RegionLog.SITES + 4, true);
  for (let at = sites; at < sitesEnd; at += 8) {
    names.set(at, "site");
    names.set(at + 4, "siteSteps");
  }
  return names;
}
