// A small machine-mode monitor for privileged tests. It runs cases one after the other: each is
// set up in M-mode, then enters a body in some mode. Every trap appends an entry to a log:
//
//   0 case << 4 | kind   1 vector slot (DIRECT: not vectored)   2 cause   3 epc   4 tval   5 status
//
// and goes on behind the instruction that trapped. A case ends with `ecall` and a7 = END, with
// an interrupt, with a fetch that faults, with any trap from M-mode, or with one trap too many;
// then x8 to x14 are logged.
//
//   0x8000_0000  monitor, its variables at +0x1000      0x8060_0000  set-up code
//   0x8010_0000  page tables                            0x8080_0000  bodies
//   0x8040_0000  data pages, at +1 MiB code pages       0x80a0_0000  log
import { Assembler } from "./assembler.ts";

export const TABLES = 0x8010_0000;
export const DATA = 0x8040_0000;
export const DATA_PAGES = 16;
export const STUBS = 0x8050_0000;
export const STUB_PAGES = 4;
const SETUP = 0x8060_0000;
const BODIES = 0x8080_0000;
const LOG = 0x80a0_0000;
const LOG_ENTRIES = 60_000;
const ENTRY_SIZE = 64;
export const IMAGE_SIZE = LOG - 0x8000_0000 + LOG_ENTRIES * ENTRY_SIZE;
const VARIABLES = 0x8000_1000;
const FINISHER = 0x10_0000;
const CLINT_MSIP = 0x200_0000;
const CLINT_MTIMECMP = 0x200_4000;

export const END = 0x5a;
export const DIRECT = 99;
const VECTORS = 12;
const MOST_TRAPS = 24;

export enum Kind {
  MACHINE = 0,
  REGISTERS = 1,
  SUPERVISOR = 2,
  VALUE = 3,
}

const enum At {
  LOG = 0,
  CONTINUE = 8,
  CASE = 16,
  TRAPS = 24,
  MACHINE_SAVE = 32,
  SUPERVISOR_SAVE = 64,
}

interface TrapCsrs {
  kind: Kind;
  name: string;
  status: number;
  scratch: number;
  epc: number;
  cause: number;
  tval: number;
  save: number;
}
const MACHINE: TrapCsrs = {
  kind: Kind.MACHINE,
  name: "m",
  status: 0x300,
  scratch: 0x340,
  epc: 0x341,
  cause: 0x342,
  tval: 0x343,
  save: At.MACHINE_SAVE,
};
const SUPERVISOR: TrapCsrs = {
  kind: Kind.SUPERVISOR,
  name: "s",
  status: 0x100,
  scratch: 0x140,
  epc: 0x141,
  cause: 0x142,
  tval: 0x143,
  save: At.SUPERVISOR_SAVE,
};

const MPRV = 1 << 17;
const SUM = 1 << 18;
const MXR = 1 << 19;

export class Monitor {
  readonly asm = new Assembler(IMAGE_SIZE);
  #bodyPc = BODIES;
  #cases = 0;
  /** Vectored tables, whose addresses tests give to mtvec and stvec; direct entries. */
  readonly vectors: Record<"m" | "s" | "mDirect" | "sDirect", number>;

  constructor() {
    const { asm } = this;
    asm.to("jal", "begin", { rd: 0 });
    this.vectors = {
      m: this.#vectors(MACHINE),
      s: this.#vectors(SUPERVISOR),
      mDirect: asm.labels.get("m-direct")!,
      sDirect: asm.labels.get("s-direct")!,
    };
    this.#common(MACHINE);
    this.#common(SUPERVISOR);
    asm.label("begin");
    asm.li(31, VARIABLES);
    asm.li(5, LOG);
    asm.store("sd", 5, At.LOG, 31);
    asm.li(6, CLINT_MTIMECMP); // QEMU's is 0 after reset, so that the timer interrupt is pending
    asm.li(7, -1);
    asm.store("sd", 7, 0, 6);
    asm.li(5, SETUP);
    asm.i("jalr", 0, 5, 0);
    if (asm.pc > VARIABLES) throw new Error("the monitor has grown into its variables");
    asm.pc = SETUP;
  }

  #vectors(t: TrapCsrs): number {
    const { asm } = this;
    const table = asm.align(64);
    for (let n = 0; n < VECTORS; n++) asm.to("jal", `${t.name}-${n}`, { rd: 0 });
    for (const n of [...Array(VECTORS).keys(), DIRECT]) {
      asm.label(n === DIRECT ? `${t.name}-direct` : `${t.name}-${n}`);
      asm.op("csrrw", { rd: 31, rs1: 31, imm: t.scratch });
      asm.store("sd", 30, t.save, 31);
      asm.i("addi", 30, 0, n);
      asm.to("jal", `${t.name}-common`, { rd: 0 });
    }
    return table;
  }

  #common(t: TrapCsrs): void {
    const { asm } = this;
    const end = `${t.name}-end`;
    const machine = t.kind === Kind.MACHINE;
    asm.label(`${t.name}-common`);
    asm.store("sd", 29, t.save + 8, 31);
    asm.store("sd", 28, t.save + 16, 31);
    asm.load("ld", 29, At.LOG, 31);
    asm.load("ld", 28, At.CASE, 31);
    asm.i("addi", 28, 28, t.kind);
    asm.store("sd", 28, 0, 29);
    asm.store("sd", 30, 8, 29);
    for (const [n, csr] of [t.cause, t.epc, t.tval, t.status].entries()) {
      asm.csrr(28, csr);
      asm.store("sd", 28, 16 + 8 * n, 29);
    }
    asm.i("addi", 29, 29, ENTRY_SIZE);
    asm.store("sd", 29, At.LOG, 31);
    asm.load("ld", 28, At.TRAPS, 31);
    asm.i("addi", 28, 28, -1);
    asm.store("sd", 28, At.TRAPS, 31);
    asm.to("blt", end, { rs1: 28, rs2: 0 });
    asm.csrr(28, t.cause);
    asm.to("blt", end, { rs1: 28, rs2: 0 });
    if (machine) {
      asm.csrr(30, t.status);
      asm.i("srli", 30, 30, 11);
      asm.i("andi", 30, 30, 3);
      asm.i("addi", 30, 30, -3);
      asm.to("beq", end, { rs1: 30, rs2: 0 });
    }
    asm.i("addi", 30, 0, 12);
    asm.to("beq", end, { rs1: 28, rs2: 30 });
    asm.i("addi", 30, 0, 1);
    asm.to("bgeu", end, { rs1: 30, rs2: 28 });
    asm.i("andi", 30, 28, -2);
    asm.i("addi", 30, 30, -8);
    asm.to("bne", `${t.name}-skip`, { rs1: 30, rs2: 0 });
    asm.i("addi", 30, 0, END);
    asm.to("beq", end, { rs1: 17, rs2: 30 });

    // The instruction's length decides where to go on; it is read as the trapped mode sees it.
    asm.label(`${t.name}-skip`);
    asm.li(30, machine ? MPRV | SUM | MXR : SUM | MXR);
    asm.op("csrrs", { rd: 29, rs1: 30, imm: t.status });
    asm.csrr(30, t.epc);
    asm.load("lhu", 28, 0, 30);
    asm.csrw(t.status, 29);
    asm.i("andi", 28, 28, 3);
    asm.i("sltiu", 28, 28, 3);
    asm.i("xori", 28, 28, 1);
    asm.i("slli", 28, 28, 1);
    asm.r("add", 30, 30, 28);
    asm.i("addi", 30, 30, 2);
    asm.csrw(t.epc, 30);
    asm.load("ld", 28, t.save + 16, 31);
    asm.load("ld", 29, t.save + 8, 31);
    asm.load("ld", 30, t.save, 31);
    asm.op("csrrw", { rd: 31, rs1: 31, imm: t.scratch });
    asm.op(machine ? "mret" : "sret");

    asm.label(end);
    if (!machine) {
      asm.i("addi", 17, 0, END);
      asm.op("ecall");
      return;
    }
    asm.load("ld", 29, At.LOG, 31);
    asm.load("ld", 28, At.CASE, 31);
    asm.i("addi", 28, 28, Kind.REGISTERS);
    asm.store("sd", 28, 0, 29);
    for (let n = 8; n < 15; n++) asm.store("sd", n, 8 * (n - 7), 29);
    asm.i("addi", 29, 29, ENTRY_SIZE);
    asm.store("sd", 29, At.LOG, 31);
    asm.load("ld", 28, At.CONTINUE, 31);
    asm.i("jalr", 0, 28, 0);
  }

  /** Begins case `n`: state that earlier cases may have left is cleared. */
  begin(): void {
    const { asm } = this;
    const n = this.#cases++;
    if (n > 0) asm.label(`case-${n}`);
    asm.li(31, VARIABLES);
    asm.li(5, n << 4);
    asm.store("sd", 5, At.CASE, 31);
    asm.li(5, MOST_TRAPS);
    asm.store("sd", 5, At.TRAPS, 31);
    asm.to("jal", `continue-${n}`, { rd: 5 });
    asm.to("jal", `case-${n + 1}`, { rd: 0 });
    asm.label(`continue-${n}`);
    asm.store("sd", 5, At.CONTINUE, 31);
    this.setScratch();
    asm.op("csrrw", { rd: 0, rs1: 0, imm: 0x304 }); // mie
    asm.op("csrrw", { rd: 0, rs1: 0, imm: 0x344 }); // mip
    asm.li(5, CLINT_MSIP);
    asm.store("sw", 0, 0, 5);
    for (let r = 8; r < 18; r++) asm.i("addi", r, 0, 0);
  }

  /** mscratch and sscratch as the trap entries need them. */
  setScratch(): void {
    this.asm.li(31, VARIABLES);
    for (const csr of [MACHINE.scratch, SUPERVISOR.scratch]) this.asm.csrw(csr, 31);
  }

  /** csr = value. */
  set(csr: number, value: bigint | number): void {
    this.asm.li(5, value);
    this.asm.csrw(csr, 5);
  }

  /** Raises the machine software interrupt through the CLINT. */
  raiseMsip(): void {
    this.asm.li(5, CLINT_MSIP);
    this.asm.i("addi", 6, 0, 1);
    this.asm.store("sw", 6, 0, 5);
  }

  /** Logs the value of x5 under `what`. */
  logValue(what: number): void {
    const { asm } = this;
    asm.li(31, VARIABLES);
    asm.load("ld", 29, At.LOG, 31);
    asm.load("ld", 28, At.CASE, 31);
    asm.i("addi", 28, 28, Kind.VALUE);
    asm.store("sd", 28, 0, 29);
    asm.li(28, what);
    asm.store("sd", 28, 8, 29);
    asm.store("sd", 5, 16, 29);
    asm.i("addi", 29, 29, ENTRY_SIZE);
    asm.store("sd", 29, At.LOG, 31);
  }

  /** Writes a body; returns its physical address. It ends by itself. */
  body(write: () => void): number {
    const { asm } = this;
    const resume = asm.pc;
    const start = this.#bodyPc;
    asm.pc = start;
    write();
    asm.i("addi", 17, 0, END);
    asm.op("ecall");
    this.#bodyPc = asm.align(4);
    asm.pc = resume;
    return start;
  }

  /** Leaves M-mode for `pc` in `mode`, keeping the other bits of mstatus. */
  enter(pc: number | bigint, mode: number): void {
    const { asm } = this;
    this.set(MACHINE.epc, pc);
    asm.li(6, 3 << 11);
    asm.op("csrrc", { rd: 0, rs1: 6, imm: MACHINE.status });
    asm.li(6, mode << 11);
    asm.op("csrrs", { rd: 0, rs1: 6, imm: MACHINE.status });
    asm.op("mret");
  }

  /** Ends a case that stays in M-mode. */
  endInMachineMode(): void {
    this.asm.li(5, MPRV);
    this.asm.op("csrrc", { rd: 0, rs1: 5, imm: MACHINE.status });
    this.asm.i("addi", 17, 0, END);
    this.asm.op("ecall");
  }

  finish(): Uint8Array {
    const { asm } = this;
    asm.label(`case-${this.#cases}`);
    asm.li(5, FINISHER);
    asm.li(6, 0x5555);
    asm.store("sw", 6, 0, 5);
    asm.label("stop");
    asm.to("jal", "stop", { rd: 0 });
    if (asm.pc > BODIES || this.#bodyPc > LOG) throw new Error("too many cases for one program");
    return asm.finish();
  }
}

export interface LogEntry {
  kind: Kind;
  words: bigint[];
}

/** The log of a finished run, by case. */
export function readLog(image: Uint8Array): LogEntry[][] {
  const view = new DataView(image.buffer, image.byteOffset);
  const end = Number(view.getBigUint64(VARIABLES - 0x8000_0000 + At.LOG, true)) - 0x8000_0000;
  const cases: LogEntry[][] = [];
  for (let at = LOG - 0x8000_0000; at < end; at += ENTRY_SIZE) {
    const tag = Number(view.getBigUint64(at, true));
    const words = Array.from({ length: 7 }, (_, n) => view.getBigUint64(at + 8 + 8 * n, true));
    cases[tag >> 4] ??= [];
    cases[tag >> 4].push({ kind: tag & 15, words });
  }
  return cases;
}
