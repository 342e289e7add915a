// Zkr: the seed CSR (Scalar Cryptography 1.0.1, chapter 4).
import { describe, expect, test } from "vitest";
import { Ext } from "../../assembly/abi/ext.ts";
import { BootMode } from "../../assembly/abi/layout.ts";
import { Register } from "../../src/engine/exports.ts";
import { ALL_EXTENSIONS } from "../../src/machine/cpu.ts";
import { Assembler } from "./generator/assembler.ts";
import { type EngineOptions, startEngine } from "./generator/machines.ts";
import { prologue, toSupervisor, toUser } from "./generator/prologue.ts";

const [SEED, MSECCFG, MCAUSE] = [0x15, 0x747, 0x342];
const [USEED, SSEED] = [1 << 8, 1 << 9];
const ES16 = 0x8000_0000n;

/** Bytes 0, 1, 2, ... on every call, which is counted. */
class Entropy {
  calls = 0;
  fill = (bytes: Uint8Array): void => {
    this.calls++;
    for (let i = 0; i < bytes.length; i++) bytes[i] = i + this.calls;
  };
}

/** Runs a program in M-mode; traps are counted in s10, and it goes on behind them. */
function run(write: (asm: Assembler) => void, options: EngineOptions = {}, steps = 2000) {
  const asm = new Assembler(0x2_0000);
  prologue(asm);
  write(asm);
  asm.label("end");
  asm.to("jal", "end", { rd: 0 });
  const engine = startEngine(asm.finish(), options);
  engine.exports.run(steps);
  return { engine, x: (n: number) => BigInt.asUintN(64, engine.exports.getReg(0, n)) };
}

const poll = (asm: Assembler, rd: number) => asm.op("csrrw", { rd, rs1: 0, imm: SEED });

describe("seed", () => {
  test("gives sixteen bits of the host's entropy a read, a call of the host for many", () => {
    const entropy = new Entropy();
    const { x } = run(
      (asm) => {
        asm.li(11, 0x8001_0000);
        asm.li(12, 100);
        asm.label("loop");
        poll(asm, 6);
        asm.store("sw", 6, 0, 11);
        asm.i("addi", 11, 11, 4);
        asm.i("addi", 12, 12, -1);
        asm.to("bne", "loop", { rs1: 12, rs2: 0 });
        poll(asm, 0); // to nowhere is a read all the same
        asm.op("csrrsi", { rd: 7, uimm: 1, imm: SEED });
        asm.op("csrrc", { rd: 8, rs1: 11, imm: SEED });
      },
      { entropy: entropy.fill },
    );
    expect(x(26)).toBe(0n);
    expect(x(6) & ~0xffffn).toBe(ES16);
    for (const n of [6, 7, 8]) expect([x(n) >> 16n, (x(n) & 0xffffn) !== 0n]).toEqual([ES16 >> 16n, true]);
    expect(new Set([x(6), x(7), x(8)]).size).toBe(3);
    expect(entropy.calls).toBe(2); // 103 reads of 2 bytes, 128 bytes a call
  });

  test("never gives the same bits again, and leaves none behind", () => {
    const entropy = new Entropy();
    const { engine, x } = run((asm) => poll(asm, 6), { entropy: entropy.fill });
    const bits = Number(x(6) & 0xffffn);
    const left = engine.bytes.subarray(0x1180, 0x1200);
    expect(left.subarray(0, 126).every((byte, i) => byte === i + 1)).toBe(true);
    expect([...left.subarray(126)]).toEqual([0, 0]);
    expect(bits).toBe(127 | (128 << 8));
  });

  test("is read only by what also writes it", () => {
    for (const access of [
      (asm: Assembler) => asm.csrr(6, SEED),
      (asm: Assembler) => asm.op("csrrc", { rd: 6, rs1: 0, imm: SEED }),
      (asm: Assembler) => asm.op("csrrsi", { rd: 6, uimm: 0, imm: SEED }),
    ]) {
      const entropy = new Entropy();
      const { engine, x } = run(access, { entropy: entropy.fill });
      expect([x(26), x(6), entropy.calls]).toEqual([1n, 0n, 0]);
      expect(engine.exports.getReg(0, Register.CSR + MCAUSE)).toBe(2n);
    }
  });

  test("is not there for a debugger, which would use it up", () => {
    const entropy = new Entropy();
    const { exports } = startEngine(new Uint8Array(4096), { entropy: entropy.fill });
    expect([exports.getReg(0, Register.CSR + SEED), entropy.calls]).toEqual([0n, 0]);
  });

  test.each([
    ["S", toSupervisor, SSEED],
    ["U", toUser, USEED],
  ])("is %s-mode's only where mseccfg says so", (_mode, enter, bit) => {
    const traps = (allowed: number) =>
      run((asm) => {
        asm.li(5, allowed);
        asm.csrw(MSECCFG, 5);
        enter(asm);
        poll(asm, 6);
      }).x(26);
    expect([traps(0), traps(bit), traps(USEED | SSEED), traps((USEED | SSEED) & ~bit)]).toEqual([1n, 0n, 0n, 1n]);
  });

  test("does not exist without Zkr, nor do the bits that grant it", () => {
    const { x } = run(
      (asm) => {
        asm.li(5, -1);
        asm.csrw(MSECCFG, 5);
        asm.csrr(6, MSECCFG);
        poll(asm, 7);
      },
      { extensions: ALL_EXTENSIONS & ~(1n << BigInt(Ext.ZKR)) },
    );
    expect([x(6), x(7), x(26)]).toEqual([0n, 0n, 1n]);
  });

  test("a kernel and its programs may read it where no firmware could grant it", () => {
    const asm = new Assembler(4096);
    poll(asm, 6);
    asm.csrw(0x141, 0); // sepc
    asm.label("end");
    asm.to("jal", "end", { rd: 0 });
    const { exports } = startEngine(asm.finish(), { boot: BootMode.PARAVIRT });
    exports.run(10);
    expect(BigInt.asUintN(64, exports.getReg(0, 6)) >> 31n).toBe(1n);
    expect(exports.getReg(0, Register.CSR + MSECCFG)).toBe(BigInt(USEED | SSEED));
  });
});
