// An instruction of the region that is being translated, and a basic block of them.
import { HartAt } from "../abi/layout";
import { Op } from "../isa/op.gen";
import { BLOCKS, BLOCK_SIZE, INSNS, INSN_SIZE } from "./buffers";

/** Begins with what the decoder gives (Decoded of isa/entry.ts). */
@unmanaged
export class Insn {
  op: u16;
  rd: u16;
  rs1: u16;
  rs2: u16;
  imm: i32;
  rs3: u16;
  size: u8;
  rm: u8;
  pc: u64;
  kind: u32; // Kind
  /** Number in the order of discovery. */
  index: u32;
  /** The access whose check covers this one, too: its number + 1, 0 if it has none yet (address.ts). */
  leader: u32;
  /** Of a leader: what its check covers, in bytes from the base register, and is any of it a store? */
  low: i32;
  high: i32;
  writes: u32;
  /** Where it lies in memory, whatever its address: see placeOf(). */
  place: u32;
}

/** A number other than 0 for the instruction at `pc`, on the page with this index in the code map. */
export function placeOf(index: u32, pc: u64): u32 {
  return (index << 12) | (<u32>pc & 0xfff) | 1;
}

// @ts-ignore: decorator
@inline
export function insnAt(index: u32): Insn {
  return changetype<Insn>(INSNS + <usize>index * INSN_SIZE);
}

// @ts-ignore: decorator
@inline
export function lengthOf(i: Insn): u64 {
  return <u64>i.size;
}

/** How a block ends. */
export const enum End {
  /** Goes on with its only successor: the next instruction, or the target of a plain jump. */
  JUMP,
  /** To the first successor if the branch is taken, else to the second. */
  BRANCH,
  /** A call, to a known address or to a register's; goes on with its successor when it has returned. */
  CALL,
  CALL_REGISTER,
  /** Has the engine do its last instruction, and goes on with its successor. */
  SYSTEM,
  /** To a register's address: observed targets are successors. */
  JUMP_REGISTER,
  RETURN,
  /** Leaves for an address outside the region. */
  LEAVE,
  /** Leaves for an instruction that the interpreter must do. */
  STOP,
}

@unmanaged
export class Block {
  /** Address of its first instruction; where a block without instructions leaves to. */
  pc: u64;
  first: u32; // instruction
  /** Instructions, that at its end included. */
  count: u32;
  end: u32; // End
  successors: u32; // first in the list
  successorCount: u32;
  predecessors: u32;
  predecessorCount: u32;
  /** Number in reverse postorder, from 0; ~0 if it is not reached. */
  order: u32;
  dominator: u32; // block
  /** Dominated children, in a list. */
  child: u32;
  sibling: u32;
  /** Has an edge from a block that is not before it. */
  isLoop: u32;
  /** Lies in a loop: the number of the head of one + 1. */
  loop: u32;
  /** Is reached by several edges from before. */
  isMerge: u32;
  /** Most steps from here to where the budget is next looked at. */
  length: u32;

  // Registers, a bit each: x1 to x31, then f0 to f31 from bit 32 on.
  /** May hold something else than the hart's block in memory does. */
  dirtyIn: u64;
  dirtyOut: u64;
  /** Must be in locals. */
  live: u64;
}

// @ts-ignore: decorator
@inline
export function blockAt(index: u32): Block {
  return changetype<Block>(BLOCKS + <usize>index * BLOCK_SIZE);
}

/** The bit of the register at `address` in the hart's block; 0 for x0 and the sink. */
export function registerBit(address: u32): u64 {
  if (address > <u32>HartAt.X && address < <u32>HartAt.X_SINK) return <u64>1 << ((address - <u32>HartAt.X) >> 3);
  if (address >= <u32>HartAt.F && address < <u32>HartAt.FFLAGS) return <u64>1 << (((address - <u32>HartAt.F) >> 3) + 32);
  return 0;
}

/** Registers that it reads, without those of a `rs` field that it does not have (which is 0). */
export function usesOf(i: Insn): u64 {
  return registerBit(i.rs1) | registerBit(i.rs2) | registerBit(i.rs3);
}

/** The register that it writes. Fences have rd and rs1 as reserved fields, which they ignore. */
export function definesOf(i: Insn): u64 {
  return i.op == <u16>Op.FENCE ? 0 : registerBit(i.rd);
}
