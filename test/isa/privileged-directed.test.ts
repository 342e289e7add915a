// What random comparison with QEMU leaves out, because QEMU 7.2 differs from the manual, does
// not have it, or the manual leaves a choice: small programs, held to the manual.
import { describe, expect, test } from "vitest";
import { CacheBlock } from "../../assembly/abi/ext.ts";
import { Register } from "../../src/engine/exports.ts";
import { runEngine, startEngine } from "./generator/machines.ts";
import { DATA, Kind, type LogEntry, Monitor, readLog, STUBS, TABLES } from "./generator/monitor.ts";

const [V, R, W, X, U, A, D] = [1n, 2n, 4n, 8n, 16n, 64n, 128n];
const RWXAD = V | R | W | X | A | D;
const SUM = 1 << 18;
const MPRV = 1 << 17;
const ADUE = 1n << 61n;
const LEVEL1 = TABLES + 0x1000;
const LEAVES = TABLES + 0x2000;
const WINDOW = 0xc000_0000;
const SATP = (8n << 60n) | BigInt(TABLES / 4096);
const FOR_USER = 0x4000_0000;

const pte = (physical: number, flags: bigint) => (BigInt(physical / 4096) << 10n) | flags;

/** One case under Sv39: bodies for U-mode at 0x4000_0000, all memory for S-mode, leaves at 0xc000_0000. */
class Directed {
  readonly m = new Monitor();

  constructor() {
    const { m } = this;
    this.table(TABLES, 1, pte(0x8000_0000, V | R | X | U | A | D));
    this.table(TABLES, 2, pte(0x8000_0000, RWXAD));
    this.table(TABLES, 3, pte(LEVEL1, V));
    this.table(LEVEL1, 0, pte(LEAVES, V));
    m.begin();
    m.set(0x305, m.vectors.mDirect);
    m.set(0x105, m.vectors.sDirect);
    m.set(0x3b0 + 15, -1);
    m.set(0x3a2, 0x1fn << 56n);
    m.asm.li(5, 3 << 13);
    m.asm.op("csrrs", { rd: 0, rs1: 5, imm: 0x300 });
    m.set(0x180, SATP);
  }

  table(at: number, index: number, value: bigint): void {
    this.m.asm.view.setBigUint64(at - 0x8000_0000 + 8 * index, value, true);
  }

  leaf(n: number, physical: number, flags: bigint): number {
    this.table(LEAVES, n, pte(physical, flags));
    return WINDOW + 4096 * n;
  }

  /** Runs `write`'s instructions in `mode`; the log, whose last two entries are the end. */
  run(mode: 0 | 1 | 3, write: () => void): LogEntry[] {
    const { m } = this;
    if (mode === 3) {
      write();
      m.endInMachineMode();
    } else {
      const body = m.body(write);
      m.enter(mode === 0 ? body - FOR_USER : body, mode);
    }
    return readLog(runEngine(m.finish()))[0];
  }

  /** Causes and values of the traps but the last, which ends the case. */
  traps(mode: 0 | 1 | 3, write: () => void): [cause: number, tval: number][] {
    const entries = this.run(mode, write).filter((e) => e.kind === Kind.MACHINE || e.kind === Kind.SUPERVISOR);
    const list = entries.map(({ words }): [number, number] => [Number(words[1]), Number(words[3])]);
    expect([8, 9, 11]).toContain(list.pop()?.[0]);
    return list;
  }
}

/** What x8 holds at the end of the case. */
const result = (entries: LogEntry[]) => entries.find((e) => e.kind === Kind.REGISTERS)!.words[0];

describe("instructions", () => {
  test("ctzw looks at the low word alone", () => {
    const d = new Directed();
    const entries = d.run(3, () => {
      d.m.asm.li(6, 0x7f00_0000_0000n);
      d.m.asm.op("ctzw", { rd: 8, rs1: 6 });
    });
    expect(result(entries)).toBe(32n);
  });

  test("minstret counts every instruction once", () => {
    const d = new Directed();
    const entries = d.run(3, () => {
      const { asm } = d.m;
      asm.csrr(6, 0xb02);
      for (let n = 0; n < 20; n++) asm.i("addi", 7, 7, 1);
      asm.csrr(8, 0xb02);
      asm.r("sub", 8, 8, 6);
    });
    expect(result(entries)).toBe(21n);
  });

  test("steps that trap retire nothing, the first fetch of a slice included", () => {
    const { exports } = startEngine(new Uint8Array(4096));
    exports.startHart(0, 0n, 0n, 0n, 0n, 3); // no memory there
    exports.setReg(0, Register.CSR + 0x305, 0x8000_0000n); // zeros, which are illegal
    exports.run(100);
    expect(exports.retired()).toBe(0);
  });

  test("ecall, ebreak and wfi in U-mode with TW, and Svinval's fences, trap with what they should", () => {
    const d = new Directed();
    d.m.asm.li(5, 1 << 21);
    d.m.asm.op("csrrs", { rd: 0, rs1: 5, imm: 0x300 });
    const traps = d.traps(0, () => {
      const { asm } = d.m;
      asm.op("ecall");
      for (const name of ["wfi", "sfence.w.inval", "sfence.inval.ir", "sfence.vma", "sinval.vma", "sret", "mret"])
        asm.op(name);
    });
    expect(traps.map(([cause]) => cause)).toEqual([8, 2, 2, 2, 2, 2, 2, 2]);
    expect(traps[1][1]).toBe(0x1050_0073);
  });

  test("AMOs fault as stores, LR as a load", () => {
    const d = new Directed();
    const readable = d.leaf(0, DATA, V | R | U | A | D);
    const none = d.leaf(1, DATA, 0n);
    const nowhere = d.leaf(2, 0xf000_0000, V | R | W | U | A | D);
    const traps = d.traps(0, () => {
      const { asm } = d.m;
      const at = (address: number, name: string) => {
        asm.li(5, address);
        asm.op(name, { rd: 6, rs1: 5 });
      };
      at(readable, "amoadd.w");
      at(readable, "sc.w");
      at(readable, "lr.w");
      at(none, "lr.d");
      at(none, "amoswap.d");
      at(nowhere, "lr.w");
      at(nowhere, "amoor.w");
      at(readable + 2, "lr.w");
      at(readable + 4, "amoor.d");
    });
    expect(traps).toEqual([
      [15, readable],
      [15, readable],
      [13, none],
      [15, none],
      [5, nowhere],
      [7, nowhere],
      [4, readable + 2],
      [6, readable + 4],
    ]);
  });

  test("cache-block operations obey menvcfg and senvcfg, and fault as stores", () => {
    const d = new Directed();
    const good = d.leaf(0, DATA, V | R | W | A | D);
    const readable = d.leaf(1, DATA, V | R | A | D);
    const none = d.leaf(2, DATA, 0n);
    d.m.asm.view.setBigUint64(DATA - 0x8000_0000 + 72, ~0n, true);
    const cbo = (name: string, address: number) => {
      d.m.asm.li(5, address);
      d.m.asm.op(name, { rs1: 5 });
    };
    d.m.set(0x30a, 1 << 6);
    const entries = d.run(1, () => {
      cbo("cbo.zero", good + 72);
      cbo("cbo.inval", good);
      cbo("cbo.clean", readable);
      cbo("cbo.flush", none);
      d.m.asm.li(5, good + 72);
      d.m.asm.load("ld", 8, 0, 5);
    });
    const machine = entries.filter((e) => e.kind === Kind.MACHINE).map((e) => Number(e.words[1]));
    expect(machine).toEqual([2, 2, 15, 9]);
    expect(result(entries)).toBe(2n ** 64n - 1n);
  });

  test("cbo.zero clears its whole block and nothing else", () => {
    const size = CacheBlock.ZERO;
    const d = new Directed();
    d.leaf(0, DATA, RWXAD);
    d.leaf(1, DATA + 4096, RWXAD);
    const last = d.leaf(2, DATA + 8192, RWXAD);
    const readable = d.leaf(3, DATA, V | R | A | D);
    const bytes = d.m.asm.bytes.subarray(DATA - 0x8000_0000, DATA - 0x8000_0000 + 3 * 4096);
    bytes.fill(0xff);
    d.m.set(0x30a, 1 << 7);
    const middle = last - size;
    const entries = d.run(1, () => {
      const { asm } = d.m;
      asm.li(5, middle + size / 2 + 8);
      asm.op("cbo.zero", { rs1: 5 });
      asm.li(6, readable + 72);
      asm.op("cbo.zero", { rs1: 6 });
      asm.li(5, middle);
      asm.load("ld", 8, -8, 5); // before the block
      asm.load("ld", 9, 0, 5);
      asm.li(5, last);
      asm.load("ld", 10, -8, 5);
      asm.load("ld", 11, 0, 5); // behind it
    });
    const ones = 2n ** 64n - 1n;
    expect(entries.find((e) => e.kind === Kind.REGISTERS)!.words.slice(0, 4)).toEqual([ones, 0n, 0n, ones]);
    expect(Number(entries[0].words[1])).toBe(15);
    expect(Number(entries[0].words[3]) - readable).toBeOneOf([72, 72 - (72 % size)]);
  });
});

describe("translation", () => {
  test("bits 54 to 60 of an entry are reserved", () => {
    const d = new Directed();
    const leaves = [54n, 57n, 60n].map((bit, n) => d.leaf(n, DATA, RWXAD | (1n << bit)));
    d.table(LEVEL1, 1, pte(LEAVES, V | (1n << 54n)));
    const pages = [...leaves, WINDOW + 0x20_0000];
    const traps = d.traps(1, () => {
      for (const page of pages) {
        d.m.asm.li(5, page);
        d.m.asm.load("ld", 6, 0, 5);
      }
    });
    expect(traps).toEqual(pages.map((page) => [13, page]));
  });

  test("S-mode executes no user page, not even after a load that SUM allows", () => {
    const d = new Directed();
    const page = d.leaf(0, STUBS, V | R | X | U | A | D);
    d.m.asm.li(5, SUM);
    d.m.asm.op("csrrs", { rd: 0, rs1: 5, imm: 0x300 });
    const entries = d.run(1, () => {
      d.m.asm.li(5, page);
      d.m.asm.load("lw", 6, 0, 5);
      d.m.asm.i("jalr", 1, 5, 0);
    });
    expect([entries[0].words[1], entries[0].words[3]]).toEqual([12n, BigInt(page)]);
  });

  test("without ADUE a clear A or D is a page fault and stays clear; with it both are set", () => {
    for (const update of [false, true]) {
      const d = new Directed();
      const fresh = d.leaf(0, DATA, V | R | W);
      const clean = d.leaf(1, DATA, V | R | W | A);
      d.m.set(0x30a, update ? ADUE : 0);
      const traps = d.traps(1, () => {
        const { asm } = d.m;
        asm.li(5, fresh);
        asm.load("ld", 6, 0, 5);
        asm.li(5, clean);
        asm.load("ld", 6, 0, 5);
        asm.store("sd", 6, 0, 5);
        asm.li(5, LEAVES);
        asm.load("lbu", 8, 0, 5);
        asm.load("lbu", 9, 8, 5);
      });
      expect(traps).toEqual(
        update
          ? []
          : [
              [13, fresh],
              [15, clean],
            ],
      );
    }
  });

  test("setting A in a table that PMP protects from stores is an access fault", () => {
    const d = new Directed();
    const page = d.leaf(0, DATA, V | R | W);
    d.m.set(0x30a, ADUE);
    d.m.set(0x3b0, LEAVES / 4 + 511);
    d.m.set(0x3a0, 0x19);
    d.m.asm.op("sfence.vma", { rs1: 0, rs2: 0 });
    const traps = d.traps(1, () => {
      d.m.asm.li(5, page);
      d.m.asm.load("ld", 6, 0, 5);
    });
    expect(traps).toEqual([[5, page]]);
  });

  test("a store through one mapping changes the code seen through another", () => {
    const d = new Directed();
    const code = d.leaf(0, DATA, V | R | X | A | D);
    const alias = d.leaf(1, DATA, V | R | W | A | D);
    const entries = d.run(1, () => {
      const { asm } = d.m;
      asm.li(28, code);
      asm.li(29, alias);
      for (const [n, value] of [5, 7, 11].entries()) {
        asm.li(6, (0x0004_0413 | (value << 20)) >>> 0); // addi x8, x8, value
        asm.store("sw", 6, 4 * (n & 1), 29);
        asm.li(6, n & 1 ? 0x8067 : 0x0000_8067); // ret
        asm.store("sw", 6, 4 * (n & 1) + 4, 29);
        asm.op("fence.i");
        asm.i("jalr", 1, 28, 4 * (n & 1));
        asm.i("jalr", 1, 28, 4 * (n & 1));
      }
    });
    expect(result(entries)).toBe(2n * (5n + 7n + 11n));
  });

  test("an instruction whose second half lies on a page that is not there faults at that half", () => {
    const d = new Directed();
    const page = d.leaf(0, STUBS, V | R | X | A | D);
    d.m.asm.view.setUint16(STUBS - 0x8000_0000 + 4094, 0x8793, true);
    const entries = d.run(1, () => {
      d.m.asm.li(5, page + 4094);
      d.m.asm.i("jalr", 1, 5, 0);
    });
    expect(entries[0].words.slice(1, 4)).toEqual([12n, BigInt(page + 4094), BigInt(page + 4096)]);
  });
});

describe("protection", () => {
  test("a locked entry binds M-mode and keeps its place", () => {
    const d = new Directed();
    d.m.set(0x3b0, DATA / 4 + 511);
    d.m.set(0x3a0, 0x99); // locked, NAPOT, read only
    d.m.set(0x3a0, 0);
    d.m.set(0x3b0, 0);
    const [first] = d.run(3, () => {
      const { asm } = d.m;
      asm.li(28, DATA);
      asm.load("ld", 8, 0, 28);
      asm.csrr(9, 0x3a0);
      asm.store("sd", 8, 0, 28);
    });
    expect([first.words[1], first.words[3]]).toEqual([7n, BigInt(DATA)]);
  });

  test("addresses and configurations keep to a grain of 4 KiB", () => {
    const d = new Directed();
    const entries = d.run(3, () => {
      const { asm } = d.m;
      d.m.set(0x3b0, -1);
      asm.csrr(8, 0x3b0); // OFF: the grain's bits read 0
      d.m.set(0x3a0, 0x10); // NA4 cannot be chosen
      asm.csrr(9, 0x3a0);
      d.m.set(0x3a0, 0x1a); // W without R is reserved
      asm.csrr(10, 0x3a0);
    });
    const [address, na4, reserved] = entries.find((e) => e.kind === Kind.REGISTERS)!.words;
    expect(address & 0x3ffn).toBe(0n);
    expect(na4 & 0x18n).not.toBe(0x10n);
    expect(reserved & 3n).not.toBe(2n);
  });

  test("MPRV reads with the permissions of MPP, and mret to less than M clears it", () => {
    const d = new Directed();
    const page = d.leaf(0, DATA, V | R | A | D);
    d.m.asm.li(5, MPRV | (1 << 11));
    d.m.asm.op("csrrs", { rd: 0, rs1: 5, imm: 0x300 });
    d.m.asm.li(5, page);
    d.m.asm.load("ld", 6, 0, 5);
    const [first] = d.run(1, () => d.m.asm.op("ebreak"));
    expect(first.words[1]).toBe(3n);
    expect(first.words[4] & BigInt(MPRV)).toBe(0n);
  });
});

describe("control and status registers", () => {
  const written = (csr: number, value: bigint | number) => {
    const d = new Directed();
    const entries = d.run(3, () => {
      d.m.set(csr, value);
      d.m.asm.csrr(8, csr);
      d.m.set(0x305, d.m.vectors.mDirect);
    });
    return result(entries);
  };
  test("mstatus.MPP never holds the mode that does not exist", () => {
    expect(written(0x300, 2 << 11) & (3n << 11n)).not.toBe(2n << 11n);
  });
  test("mepc is even", () => {
    expect(written(0x341, 0x1235)).toBe(0x1234n);
  });
  test("mtvec takes direct and vectored mode alone", () => {
    expect(written(0x305, 0x8000_0003) & 3n).toBeLessThan(2n);
  });
  test("satp ignores a write of a mode that does not exist", () => {
    expect(written(0x180, 1n << 60n)).toBe(SATP);
  });
  test("mideleg and medeleg leave what M-mode must keep", () => {
    expect(written(0x303, -1)).toBe(0x222n);
    expect(written(0x302, -1) & (1n << 11n)).toBe(0n);
  });
});

describe("interrupts", () => {
  const ORDER = [3, 9, 1, 5]; // MSI, SEI, SSI, STI: 3.1.9
  for (const [i, urgent] of ORDER.entries()) {
    for (const other of ORDER.slice(i + 1)) {
      for (const delegated of urgent === 3 ? [false] : [false, true]) {
        test(`${urgent} before ${other}${delegated ? ", delegated" : ""}`, () => {
          const d = new Directed();
          const bits = (1 << urgent) | (1 << other);
          if (urgent === 3) d.m.raiseMsip();
          d.m.set(0x303, delegated ? bits : 0);
          d.m.set(0x344, bits);
          d.m.set(0x304, bits);
          const entries = d.run(0, () => d.m.asm.op("ebreak"));
          expect(entries[0].kind).toBe(delegated ? Kind.SUPERVISOR : Kind.MACHINE);
          expect(Number(BigInt.asUintN(63, entries[0].words[1]))).toBe(urgent);
        });
      }
    }
  }
});
