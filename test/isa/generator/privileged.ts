// Random cases for the monitor: accesses and fetches in every mode through hostile page tables,
// with and without PMP, MPRV, SUM and MXR; changes of page tables and the fences they need;
// interrupts; CSR fields; instruction words at random.

import { compressedInstructions, instructions } from "../../../src/isa/table.ts";
import { AddressSpaces, fillData, fillStubs, harmless, LEAVES, type Space, stubOffset } from "./address-spaces.ts";
import { hardInteger } from "./blocks.ts";
import { DATA, Monitor, TABLES } from "./monitor.ts";
import type { Random } from "./random.ts";

const enum Csr {
  SSTATUS = 0x100,
  SIE = 0x104,
  STVEC = 0x105,
  SEPC = 0x141,
  SATP = 0x180,
  MSTATUS = 0x300,
  MEDELEG = 0x302,
  MIDELEG = 0x303,
  MIE = 0x304,
  MTVEC = 0x305,
  MCOUNTEREN = 0x306,
  MENVCFG = 0x30a,
  SCOUNTEREN = 0x106,
  MIP = 0x344,
  PMPCFG0 = 0x3a0,
  PMPADDR0 = 0x3b0,
  MSECCFG = 0x747,
}

const SEED = 0x15;
const MIE = 1 << 3;
const SIE = 1 << 1;
const FS = 3 << 13;
const MPRV = 1 << 17;
const SUM = 1 << 18;
const MXR = 1 << 19;
const TVM = 1 << 20;
const TW = 1 << 21;
const TSR = 1 << 22;
const STATUS_SET = SUM | MXR | TVM | TW | TSR | MPRV | MIE | SIE | (1 << 5) | (1 << 7) | (1 << 8) | (3 << 11);
/** menvcfg.ADUE: QEMU 7.2 always updates A and D itself, and ignores the bit. PBMTE. */
const ENVIRONMENT = 3n << 61n;
/** Exceptions that cases may delegate: all but ecalls from S-mode, which end cases. */
const DELEGABLE = 0xb1ff;
const BODIES_FOR_USER = 0x4000_0000;

export type Scenario = keyof typeof scenarios;

export interface Privileged {
  image: Uint8Array;
  /** What each case does, for people. */
  descriptions: string[];
}

class Maker {
  readonly monitor = new Monitor();
  readonly spaces: AddressSpaces;
  readonly random: Random;
  notes: string[] = [];
  /** S-mode with SUM: once QEMU 7.2 has loaded from a user page it lets S-mode execute there. */
  noJumps = false;
  /** With PMP: QEMU asks it about physical addresses behind the page's end, where the access does not go. */
  noCrossing = false;

  constructor(random: Random) {
    this.random = random;
    const { view } = this.monitor.asm;
    fillData(view, random);
    fillStubs(view);
    this.spaces = new AddressSpaces(view, random);
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** Common to all cases: no interrupts, everything permitted, as chosen: address space, delegation, status bits. */
  setUp({ space, mode, status: wanted = 0, delegated = 0, vectored = false }: SetUp): void {
    const { monitor: m } = this;
    this.noJumps = (wanted & SUM) !== 0 && mode === 1;
    const status = delegated === 0 && this.random.oneIn(4) ? wanted | TSR : wanted;
    m.asm.li(5, STATUS_SET);
    m.asm.op("csrrc", { rd: 0, rs1: 5, imm: Csr.MSTATUS });
    m.set(Csr.MENVCFG, ENVIRONMENT);
    m.set(Csr.PMPADDR0 + 7, -1);
    m.set(Csr.PMPCFG0, 0x1fn << 56n);
    m.set(Csr.MCOUNTEREN, 0);
    m.set(Csr.MIDELEG, 0);
    m.set(Csr.MEDELEG, delegated);
    m.set(Csr.MTVEC, vectored ? m.vectors.m + 1 : m.vectors.mDirect);
    m.set(Csr.STVEC, vectored ? m.vectors.s + 1 : m.vectors.sDirect);
    m.set(Csr.SATP, space?.satp ?? 0);
    m.asm.li(5, status | FS);
    m.asm.op("csrrs", { rd: 0, rs1: 5, imm: Csr.MSTATUS });
    this.note(`satp ${hex(space?.satp ?? 0n)} mstatus ${hex(status)} medeleg ${hex(delegated)}`);
  }

  enter(body: number, mode: number, space: Space | undefined): void {
    const pc = mode === 0 && space !== undefined ? body - BODIES_FOR_USER : body;
    this.noJumps = false;
    this.note(`mode ${mode} at ${hex(pc)}`);
    this.monitor.enter(pc, mode);
  }

  someSpace(): Space | undefined {
    return this.random.oneIn(10) ? undefined : this.random.pick(this.spaces.spaces);
  }

  someStatus(): number {
    const { random } = this;
    let status = 0;
    for (const bit of [SUM, MXR]) if (random.oneIn(2)) status |= bit;
    if (random.oneIn(8)) status |= TVM;
    return status | TW; // WFI would sleep for ever
  }

  /** Sometimes none, and SRET is then forbidden at times; the S-mode trap entry needs it. */
  someDelegation(): number {
    const { random } = this;
    if (random.oneIn(3)) return 0;
    const chosen = (random.oneIn(2) ? ~0 : random.word()) & DELEGABLE;
    // All faults of loads and stores or none: QEMU 7.2 takes an AMO's for a load's.
    const data = (1 << 4) | (1 << 5) | (1 << 6) | (1 << 7) | (1 << 13) | (1 << 15);
    return random.oneIn(2) ? chosen | data : chosen & ~data;
  }

  /** One load, store, atomic or jump to a page of the space, its address in x5. */
  access(page: bigint, kinds = 8): void {
    const { asm } = this.monitor;
    const { random } = this;
    const near = random.oneIn(4) && !this.noCrossing ? 4096 - random.between(1, 8) : random.below(4089);
    const kind = random.below(this.noJumps ? 6 : kinds);
    const rd = random.between(8, 14);
    if (kind < 3) {
      const name = random.pick(["lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "flw", "fld"]);
      this.address(page + BigInt(near), name);
      asm.load(name, name[0] === "f" ? 1 : rd, 0, 5);
    } else if (kind < 5) {
      const name = random.pick(["sb", "sh", "sw", "sd"]);
      this.address(page + BigInt(near), name);
      asm.li(6, harmless(random));
      asm.store(name, 6, 0, 5);
    } else if (kind === 5) {
      const name = random.pick(["amoor.w", "amoswap.d", "amomaxu.w", "amoand.d", "lr.w", "lr.d"]);
      asm.li(6, harmless(random));
      const aligned = BigInt((near & -8) + (random.oneIn(8) ? 1 : 0));
      this.address(page + aligned, name);
      asm.op(name, { rd, rs1: 5, rs2: name.startsWith("lr") ? undefined : 6 });
    } else {
      const at = page + BigInt(stubOffset(random));
      this.address(at, "jump to");
      asm.i("jalr", 1, 5, 0);
    }
  }

  address(at: bigint, what: string): void {
    this.note(`${what} ${hex(BigInt.asUintN(64, at))}`);
    this.monitor.asm.li(5, at);
  }
}

interface SetUp {
  space?: Space;
  /** In which bodies run. */
  mode?: number;
  status?: number;
  delegated?: number;
  vectored?: boolean;
}

const hex = (v: bigint | number) => `0x${v.toString(16)}`;

const READABLE = [0x100, 0x105, 0x140, 0x180, 0x300, 0x304, 0x344, 0xc00, 0xc02, 0xf14, 0x5a8, 0x7c0, 0x106];

/** An instruction of the system kind, from S- or U-mode. */
function systemStep(k: Maker, mode: number): void {
  const { asm } = k.monitor;
  const { random } = k;
  switch (random.below(8)) {
    case 0:
      k.note("ecall");
      asm.op("ecall");
      return;
    case 1:
      k.note("ebreak");
      asm.op("ebreak");
      return;
    case 2:
      k.note("sfence.vma");
      asm.op("sfence.vma", { rs1: random.pick([0, 5]), rs2: 0 });
      return;
    case 3:
      k.note("mret");
      asm.op("mret");
      return;
    case 4:
      k.note("wfi");
      asm.op("wfi");
      return;
    case 5: {
      // To a register that is not logged: whether it traps is the question. No harm comes of writes, which all trap.
      const writes = random.oneIn(2);
      const csr = random.pick(writes ? [0x300, 0x304, 0x344, 0xc00, 0xf14, 0x7c0, 0x5a8] : READABLE);
      k.note(`csr ${hex(csr)}`);
      asm.op(writes ? "csrrwi" : "csrrs", { rd: 7, rs1: 0, uimm: 0, imm: csr });
      return;
    }
    case 6: {
      if (mode !== 1) {
        asm.op("sret"); // illegal, like mret
        return;
      }
      const bit = k.noJumps ? random.pick([SUM, MXR]) : MXR;
      k.note(`sstatus ^ ${hex(bit)}`);
      asm.li(7, bit);
      asm.op(random.oneIn(2) ? "csrrs" : "csrrc", { rd: 0, rs1: 7, imm: Csr.SSTATUS });
      return;
    }
    default: {
      const illegal = random.pick([
        0,
        0xffff_ffff,
        0x0000_0073 | (0x7ff << 20),
        0x3020_0073 ^ (1 << 25),
        0x1000_0053 | (5 << 12),
      ]);
      k.note(`word ${hex(illegal >>> 0)}`);
      asm.word(illegal >>> 0);
      return;
    }
  }
}

function accesses(k: Maker, space: Space | undefined, mode: number, steps: number): number {
  return k.monitor.body(() => {
    for (let n = 0; n < steps; n++) {
      if (k.random.oneIn(6)) systemStep(k, mode);
      else k.access(k.random.pick(space?.pages ?? k.spaces.spaces[0].pages));
    }
  });
}

export const scenarios = {
  translation(k: Maker) {
    const space = k.someSpace();
    const mode = k.random.below(2);
    k.setUp({ space, mode, status: k.someStatus(), delegated: k.someDelegation(), vectored: k.random.oneIn(4) });
    k.enter(accesses(k, space, mode, 10), mode, space);
  },

  /** M-mode loads and stores as another mode. */
  borrowedPrivilege(k: Maker) {
    const space = k.someSpace();
    const mpp = k.random.pick([0, 1]);
    k.setUp({ space, status: k.someStatus() | MPRV | (mpp << 11) });
    k.note(`MPRV with MPP ${mpp}`);
    for (let n = 0; n < 3; n++) k.access(k.random.pick(space?.pages ?? [BigInt(DATA)]), 6);
    k.monitor.endInMachineMode();
  },

  /** Entries of 4 KiB granularity over data, code and one page table. */
  protection(k: Maker) {
    const { random, monitor: m } = k;
    const space = k.someSpace();
    const mode = random.below(2);
    k.setUp({ space, mode, status: k.someStatus(), delegated: k.someDelegation() });
    let config = 0x1fn << 56n;
    // Regions take two entries: a TOR entry ends where its own address says, and begins at the one before.
    for (let n = 0; n < 6; n += 2) {
      const table = random.oneIn(12) ? space?.leaves : undefined;
      const page = table ?? k.spaces.physicalPage();
      const size = !table && random.oneIn(3) ? 1 << random.below(3) : 1;
      const from = Math.floor(page / (4096 * size)) * 4096 * size;
      const napot = random.oneIn(2);
      // A table that may be read but not written: QEMU 7.2 sets A and D in it all the same.
      const access = random.pick(table ? [0, 3, 4, 7] : [0, 1, 3, 4, 5, 7]);
      m.set(Csr.PMPADDR0 + n, from / 4);
      m.set(Csr.PMPADDR0 + n + 1, napot ? from / 4 + 512 * size - 1 : from / 4 + 1024 * size);
      config |= BigInt(random.oneIn(8) ? 0 : access | (napot ? 0x18 : 8)) << BigInt(8 * (n + 1));
      k.note(`pmp ${hex(from)} +${hex(4096 * size)} ${napot ? "napot" : "tor"} ${access}`);
    }
    m.set(Csr.PMPCFG0, config);
    m.asm.op("sfence.vma", { rs1: 0, rs2: 0 });
    k.noCrossing = true;
    const body = m.body(() => {
      for (let n = 0; n < 8; n++)
        k.access(random.oneIn(3) || !space ? BigInt(k.spaces.physicalPage()) : random.pick(space.pages));
    });
    k.noCrossing = false;
    k.enter(body, mode, space);
  },

  /** A leaf changes, and the fence that the change needs follows; both before and after are looked at. */
  changedTable(k: Maker) {
    const { random, monitor: m } = k;
    const space = random.pick(k.spaces.spaces);
    k.setUp({ space, mode: 1, status: k.someStatus() & ~TVM, delegated: k.someDelegation() });
    const n = random.below(LEAVES);
    const page = space.window + BigInt(n << 12);
    const pte = k.spaces.leaf(k.spaces.physicalPage(), false);
    const how = random.below(3);
    const body = m.body(() => {
      k.access(page);
      k.note(`leaf ${n} = ${hex(BigInt.asUintN(64, pte))}, fence ${how}`);
      m.asm.li(6, pte);
      m.asm.li(7, space.leaves + 8 * n);
      m.asm.store("sd", 6, 0, 7);
      m.asm.li(5, page);
      if (how === 0) m.asm.op("sfence.vma", { rs1: 0, rs2: 0 });
      else if (how === 1) m.asm.op("sfence.vma", { rs1: 5, rs2: 0 });
      else {
        m.asm.op("sfence.w.inval");
        m.asm.op("sinval.vma", { rs1: 5, rs2: 0 });
        m.asm.op("sfence.inval.ir");
      }
      for (let i = 0; i < 3; i++) k.access(page);
    });
    k.enter(body, 1, space);
  },

  /** S-mode goes from one address space to another, whose ASID differs: no fence is needed. */
  switchedSpaces(k: Maker) {
    const { random, monitor: m } = k;
    const levels = random.between(3, 5);
    const same = k.spaces.spaces.filter((s) => s.levels === levels);
    k.setUp({ space: same[0], mode: 1, status: k.someStatus() & ~TVM, delegated: k.someDelegation() });
    const body = m.body(() => {
      for (let n = 0; n < 6; n++) {
        const space = random.pick(same);
        k.note(`satp ${hex(space.satp)}`);
        m.asm.li(5, space.satp);
        m.asm.csrw(Csr.SATP, 5);
        k.access((4n << 30n) + BigInt(random.below(LEAVES) << 12));
        k.access(random.pick(space.pages));
      }
    });
    k.enter(body, 1, same[0]);
  },

  /** Software interrupts of all levels, raised before they are enabled. */
  interrupts(k: Maker) {
    const { random, monitor: m } = k;
    const mode = random.pick([0, 1, 3]);
    k.setUp({ status: k.someStatus(), vectored: random.oneIn(2) });
    const delegated = random.word() & 0x222;
    const enabled = random.word() & 0x22a;
    // One at a time: QEMU 7.2 takes the lowest number first, not the order of the manual.
    const raised = 1 << random.pick([1, 5, 9]);
    m.set(Csr.MIDELEG, delegated);
    if (raised !== 2 && random.oneIn(3)) {
      k.note("msip");
      m.raiseMsip();
    }
    m.set(Csr.MIP, raised);
    m.set(Csr.MIE, enabled);
    const status = (random.oneIn(2) ? MIE : 0) | (random.oneIn(2) ? SIE : 0);
    k.note(`mideleg ${hex(delegated)} mip ${hex(raised)} mie ${hex(enabled)} mstatus ${hex(status)} mode ${mode}`);
    const work = () => {
      for (let n = 0; n < 4; n++) m.asm.i("addi", 8, 8, 1);
      m.asm.li(5, SIE);
      if (mode !== 0) m.asm.op("csrrs", { rd: 0, rs1: 5, imm: Csr.SSTATUS });
      for (let n = 0; n < 4; n++) m.asm.i("addi", 8, 8, 1);
      if (mode !== 0) m.asm.op("csrrsi", { rd: 0, uimm: 2, imm: 0x144 });
      for (let n = 0; n < 4; n++) m.asm.i("addi", 8, 8, 1);
    };
    if (mode === 3) {
      m.asm.li(5, status);
      m.asm.op("csrrs", { rd: 0, rs1: 5, imm: Csr.MSTATUS });
      work();
      m.endInMachineMode();
      return;
    }
    // mret moves MPIE to MIE; SIE counts as it stands.
    m.asm.li(5, ((status & MIE) << 4) | (status & SIE));
    m.asm.op("csrrs", { rd: 0, rs1: 5, imm: Csr.MSTATUS });
    k.enter(m.body(work), mode, undefined);
  },

  /** What stays of values written to CSRs: see `comparable` in privileged.test.ts. */
  registers(k: Maker) {
    const { random, monitor: m } = k;
    k.setUp({});
    for (let n = 0; n < 6; n++) {
      const csr = random.pick(WRITABLE);
      // Reserved vector modes leave mtvec as it was or change its other bits: our choice and QEMU's differ.
      const vector = csr === Csr.MTVEC || csr === Csr.STVEC;
      const value = csr === Csr.SATP ? satpValue(random) : hardInteger(random) & (vector ? ~2n : ~0n);
      const how = random.pick(["csrrw", "csrrs", "csrrc"]);
      k.note(`${how} ${hex(csr)} ${hex(value)}`);
      m.asm.li(5, value);
      m.asm.op(how, { rd: 0, rs1: 5, imm: csr });
      m.asm.csrr(5, csr);
      m.logValue(csr);
      // Interrupts must stay off, memory as it is, and the monitor in reach.
      m.set(Csr.MSTATUS, FS);
      m.set(Csr.MIE, 0);
      m.set(Csr.MIP, 0);
      m.set(Csr.MTVEC, m.vectors.mDirect);
      m.setScratch();
    }
    m.endInMachineMode();
  },

  /** Zkr's seed in S- and U-mode: whether an access traps; what it gives is random, and not looked at. */
  seed(k: Maker) {
    const { random, monitor: m } = k;
    const mode = random.below(2);
    const granted = random.below(4) << 8;
    k.setUp({});
    m.set(Csr.MSECCFG, granted);
    k.note(`mode ${mode}, mseccfg ${hex(granted)}`);
    const body = m.body(() => {
      for (let n = 0; n < 4; n++) {
        const [how, register] = [random.pick(["csrrw", "csrrs", "csrrc"]), random.pick([0, 5])];
        const immediate = random.oneIn(2);
        k.note(`${how}${immediate ? "i" : ""} ${register}`);
        const operands = immediate ? { uimm: register } : { rs1: register };
        m.asm.op(immediate ? `${how}i` : how, { rd: random.pick([0, 7]), imm: SEED, ...operands });
      }
    });
    k.enter(body, mode, undefined);
  },

  /** Any 32-bit words but jumps, in U-mode: what is legal, and what traps say of what is not. */
  words(k: Maker) {
    const { random, monitor: m } = k;
    const space = random.pick(k.spaces.spaces);
    k.setUp({ space, status: k.someStatus(), delegated: k.someDelegation() });
    const body = m.body(() => {
      for (let r = 1; r < 32; r++) m.asm.li(r, random.oneIn(2) ? random.pick(space.pages) : hardInteger(random));
      m.asm.i("addi", 17, 0, 0);
      for (let n = 0; n < 12; n++) {
        const word = randomWord(random);
        k.note(`word ${hex(word)}`);
        if ((word & 3) === 3) m.asm.word(word);
        else m.asm.half(word);
      }
      // Where the words left a7 alone or not, the end is the end.
      if (m.asm.pc & 2) m.asm.half(1);
    });
    k.enter(body, 0, space);
  },
};

const WRITABLE = [
  0x100, 0x104, 0x105, 0x106, 0x140, 0x141, 0x142, 0x143, 0x144, 0x180, 0x300, 0x302, 0x303, 0x304, 0x305, 0x306, 0x340,
  0x341, 0x342, 0x343, 0x344, 0x001, 0x002, 0x003,
];

function satpValue(random: Random): bigint {
  return (BigInt(random.below(16)) << 60n) | (BigInt(random.below(65536)) << 44n) | BigInt(TABLES >>> 12);
}

/**
 * Jumps could run anywhere, and SC depends on what is left of reservations. QEMU 7.2 is wrong about ctzw of
 * a register whose low word is 0, and about Svinval's fences in U-mode, which it does not refuse.
 */
function excluded(word: number): boolean {
  const wide = instructions.find((row) => row.length === 4 && (word & row.mask) >>> 0 === row.match);
  if ((word & 3) === 3) {
    if (wide === undefined) return false;
    return ["branch", "jal", "jalr"].includes(wide.kind) || /^(sc\.[wd]|ctzw|sfence\..*inval.*)$/.test(wide.name);
  }
  const narrow = compressedInstructions.find((row) => (word & row.mask) >>> 0 === row.match);
  return narrow !== undefined && ["jal", "jalr", "beq", "bne"].includes(narrow.base);
}

function randomWord(random: Random): number {
  while (true) {
    let word: number;
    if (random.oneIn(3)) word = random.below(0x10000) & ~(random.oneIn(2) ? 1 : 2);
    else {
      const row = random.pick(instructions);
      word = (row.match | (random.word() & ~row.mask)) >>> 0;
      if (random.oneIn(3)) word = (word ^ (1 << random.below(32))) >>> 0;
    }
    if ((word & 3) !== 3) word &= 0xffff;
    if ((word & 31) === 31 || excluded(word)) continue;
    return word;
  }
}

/** A program of `count` cases, each of a scenario that `names` lists. */
export function privilegedProgram(random: Random, count: number, names: readonly Scenario[]): Privileged {
  const k = new Maker(random);
  const descriptions: string[] = [];
  for (let n = 0; n < count; n++) {
    k.notes = [];
    k.monitor.begin();
    const name = random.pick(names);
    scenarios[name](k);
    descriptions.push(`${name}: ${k.notes.join("; ")}`);
  }
  return { image: k.monitor.finish(), descriptions };
}
