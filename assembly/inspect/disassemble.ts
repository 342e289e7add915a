// Assembly text of an instruction word, from the instruction table's operand columns.
// Registers go by their ABI names; a compressed instruction shows as what it stands for.
import { Decoded } from "../isa/entry";
import { decode } from "../isa/decode.gen";
import { Op } from "../isa/op.gen";
import { HartAt } from "../abi/layout";
import * as names from "./names.gen";
import { csrName } from "./csr-names";

const X: string[] = [
  "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4", "a5",
  "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
];
const F: string[] = [
  "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2", "fa3", "fa4", "fa5",
  "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];
const RM: string[] = ["rne", "rtz", "rdn", "rup", "rmm", "5", "6", "dyn"];

const scratch = memory.data(16);

function register(address: u16): string {
  if (address == <u16>HartAt.X_SINK) return "zero";
  if (address >= <u16>HartAt.F) return F[(address - <u16>HartAt.F) >> 3];
  return X[(address - <u16>HartAt.X) >> 3];
}

/** ABI names of registers 0 to 31. */
export function integerName(n: u32): string {
  return X[n & 31];
}
export function floatName(n: u32): string {
  return F[n & 31];
}

function rounding(e: Decoded): string {
  return e.rm == 7 ? "" : ", " + RM[e.rm];
}

function hex(value: u64): string {
  return "0x" + value.toString(16);
}

/** Text of `word` at the address given in halves: its low 16 bits alone if they encode a compressed instruction. */
export function disassemble(pcLow: u32, pcHigh: u32, word: u32): string {
  const e = changetype<Decoded>(scratch);
  memory.fill(scratch, 0, 16);
  decode(word, e, ~(<u64>0));
  if (e.op == <u16>Op.ILLEGAL) return (word & 3) == 3 ? "unimp  # " + hex(word) : "c.unimp  # " + hex(word & 0xffff);
  const target = (<u64>pcLow | (<u64>pcHigh << 32)) + <u64>(<i64>e.imm);
  const text = operands(e, target);
  const name = names.nameOf(e.op);
  return text == "" ? name : name + " " + text;
}

function operands(e: Decoded, target: u64): string {
  const imm = e.imm.toString();
  switch (names.shapeOf(e.op)) {
    case names.RD_IMM: return register(e.rd) + ", " + hex(<u64>(<u32>e.imm >> 12));
    case names.RD_TARGET: return register(e.rd) + ", " + hex(target);
    case names.RD_IMM_RS1: return register(e.rd) + ", " + imm + "(" + register(e.rs1) + ")";
    case names.FD_IMM_RS1: return register(e.rd) + ", " + imm + "(" + register(e.rs1) + ")";
    case names.RS2_IMM_RS1: return register(e.rs2) + ", " + imm + "(" + register(e.rs1) + ")";
    case names.FS2_IMM_RS1: return register(e.rs2) + ", " + imm + "(" + register(e.rs1) + ")";
    case names.RS1_RS2_TARGET: return register(e.rs1) + ", " + register(e.rs2) + ", " + hex(target);
    case names.RD_RS1_IMM: return register(e.rd) + ", " + register(e.rs1) + ", " + imm;
    case names.RD_RS1_RS2: return register(e.rd) + ", " + register(e.rs1) + ", " + register(e.rs2);
    case names.RD_RS1: return register(e.rd) + ", " + register(e.rs1);
    case names.RD_RS2_RS1_MEMORY: return register(e.rd) + ", " + register(e.rs2) + ", (" + register(e.rs1) + ")";
    case names.RD_RS1_MEMORY: return register(e.rd) + ", (" + register(e.rs1) + ")";
    case names.RS1_MEMORY: return "(" + register(e.rs1) + ")";
    case names.RS1_RS2: return register(e.rs1) + ", " + register(e.rs2);
    case names.FD_FS1_FS2_FS3_RM:
      return register(e.rd) + ", " + register(e.rs1) + ", " + register(e.rs2) + ", " + register(e.rs3) + rounding(e);
    case names.FD_FS1_FS2_RM: return register(e.rd) + ", " + register(e.rs1) + ", " + register(e.rs2) + rounding(e);
    case names.FD_FS1_FS2:
    case names.RD_FS1_FS2: return register(e.rd) + ", " + register(e.rs1) + ", " + register(e.rs2);
    case names.FD_FS1_RM:
    case names.RD_FS1_RM:
    case names.FD_RS1_RM: return register(e.rd) + ", " + register(e.rs1) + rounding(e);
    case names.RD_FS1:
    case names.FD_RS1: return register(e.rd) + ", " + register(e.rs1);
    case names.RD_CSR_RS1: return register(e.rd) + ", " + csrName(<u32>e.imm & 0xfff) + ", " + register(e.rs1);
    case names.RD_CSR_UIMM: return register(e.rd) + ", " + csrName(<u32>e.imm & 0xfff) + ", " + (e.imm >> 12).toString();
  }
  return "";
}
