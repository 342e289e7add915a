// The model of a single step with the hart's full state: page walks, devices, CSRs,
// traps. It is what the run loop falls back to, one instruction at a time.
import { Cause, Csr } from "../abi/csr";
import { BootMode, Machine } from "../abi/layout";
import { CacheBlock } from "../abi/ext";
import { atomicAddress, lastPhysical, readMemory, writeMemory, zeroBlock } from "../hart/access";
import { Access } from "../hart/access-kind";
import { EnvCfg, Status } from "../hart/bits";
import { csrAccessible, csrValue, readCsr, writeCsr } from "../hart/csr";
import { pollSeed, seedAllowed } from "../hart/seed";
import { currentHart, hart, Mode, pc } from "../hart/state";
import { flushAddress, flushAll, flushNonGlobal } from "../hart/tlb";
import { raise, returnFromMachine, returnFromSupervisor } from "../hart/trap";
import { Amo } from "../isa/a";
import { Compute } from "../isa/compute";
import { Entry, RS2, SINK_RD } from "../isa/entry";
import { sbiCall } from "../sbi/dispatch";
import { amo32, amo64 } from "./amo";
import { wordOf } from "../code/predecode";

// cbo.zero clears a whole page, which is what kernels clear: one instruction, not 64.
const ZERO_BLOCK: u32 = <u32>CacheBlock.ZERO;
const MANAGED_BLOCK: u64 = <u64>CacheBlock.MANAGED;

@unmanaged
export class Slow extends Compute {
  // @ts-ignore: decorator
  @inline pc(): i64 { return <i64>pc(); }

  // --- loads and stores ---
  ea(): u64 { return <u64>(this.rs1() + this.imm()); }
  storeEa(): u64 { return <u64>(this.rs1() + this.offset()); }

  // @ts-ignore: decorator
  @inline finish(value: i64): bool {
    if (hart().trapped) return false;
    this.setRd(value);
    return true;
  }

  loadS8(): bool { return this.finish(<i64>(<i8>readMemory(this.ea(), 1))); }
  loadS16(): bool { return this.finish(<i64>(<i16>readMemory(this.ea(), 2))); }
  loadS32(): bool { return this.finish(<i64>(<i32>readMemory(this.ea(), 4))); }
  load64(): bool { return this.finish(<i64>readMemory(this.ea(), 8)); }
  loadU8(): bool { return this.finish(<i64>readMemory(this.ea(), 1)); }
  loadU16(): bool { return this.finish(<i64>readMemory(this.ea(), 2)); }
  loadU32(): bool { return this.finish(<i64>readMemory(this.ea(), 4)); }
  store8(): bool { return writeMemory(this.storeEa(), 1, <u64>this.rs2()); }
  store16(): bool { return writeMemory(this.storeEa(), 2, <u64>this.rs2()); }
  store32(): bool { return writeMemory(this.storeEa(), 4, <u64>this.rs2()); }
  store64(): bool { return writeMemory(this.storeEa(), 8, <u64>this.rs2()); }

  loadFloat32(): bool {
    const value = <u32>readMemory(this.ea(), 4);
    if (hart().trapped) return false;
    this.setFdS(value);
    return true;
  }
  loadFloat64(): bool {
    const value = readMemory(this.ea(), 8);
    if (hart().trapped) return false;
    this.setFdD(value);
    return true;
  }
  storeFloat32(): bool { return writeMemory(this.storeEa(), 4, this.fs2D()); }
  storeFloat64(): bool { return writeMemory(this.storeEa(), 8, this.fs2D()); }

  // --- atomics ---
  loadReserved32(): bool { return this.loadReserved(4); }
  loadReserved64(): bool { return this.loadReserved(8); }

  loadReserved(size: u32): bool {
    const s = hart();
    const at = atomicAddress(<u64>this.rs1(), size, Access.LOAD);
    if (at == 0) return false;
    const value = size == 4 ? <u64>(<i64>(<i32>atomic.load<u32>(at))) : atomic.load<u64>(at);
    s.reservation = lastPhysical();
    s.reservedValue = value;
    s.reservedSize = size;
    this.setRd(<i64>value);
    return true;
  }

  storeConditional32(): bool { return this.storeConditional(4); }
  storeConditional64(): bool { return this.storeConditional(8); }

  // The store happens if memory still holds what LR read, at the same address and width
  // and with no SC in between: other harts' writes in shared memory show in the value.
  storeConditional(size: u32): bool {
    const s = hart();
    const at = atomicAddress(<u64>this.rs1(), size, Access.STORE);
    if (at == 0) return false;
    let done = s.reservation == lastPhysical() && s.reservedSize == size;
    if (done) {
      if (size == 4) done = atomic.cmpxchg<u32>(at, <u32>s.reservedValue, <u32>this.rs2()) == <u32>s.reservedValue;
      else done = atomic.cmpxchg<u64>(at, s.reservedValue, <u64>this.rs2()) == s.reservedValue;
    }
    s.reservation = ~(<u64>0);
    this.setRd(done ? 0 : 1);
    return true;
  }

  amo32(operation: Amo): bool {
    const at = atomicAddress(<u64>this.rs1(), 4, Access.STORE);
    if (at == 0) return false;
    this.setRd(amo32(at, operation, <u32>this.rs2()));
    return true;
  }
  amo64(operation: Amo): bool {
    const at = atomicAddress(<u64>this.rs1(), 8, Access.STORE);
    if (at == 0) return false;
    this.setRd(amo64(at, operation, <u64>this.rs2()));
    return true;
  }

  // --- CSRs ---
  uimm(): i64 { return (this.imm() >> 12) & 31; }
  csr(): u32 { return <u32>this.imm() & 0xfff; }
  rs1Named(): bool { return load<u8>(changetype<usize>(this), offsetof<Entry>("rs1")) != 0; }
  rdNamed(): bool { return load<u8>(changetype<usize>(this), offsetof<Entry>("rd")) != SINK_RD; }

  csrWrite(value: i64): void { this.csrAccess(this.rdNamed(), true, <u64>value, 0); }
  csrSet(mask: i64, writes: bool): void { this.csrAccess(true, writes, <u64>mask, 1); }
  csrClear(mask: i64, writes: bool): void { this.csrAccess(true, writes, <u64>mask, 2); }

  csrAccess(reads: bool, writes: bool, operand: u64, how: u32): void {
    const n = this.csr();
    if (n == <u32>Csr.SEED) {
      if (!writes || !seedAllowed()) return this.illegal();
      return this.setRd(<i64>pollSeed());
    }
    // Every other register of ours can be read without side effects, so reading also tells whether it exists.
    if (!csrAccessible(n, writes) || !readCsr(n)) return this.illegal();
    const old = csrValue;
    if (writes) {
      let value = operand;
      // SEIP is a wire and a bit; read-modify-write works on the bit (3.1.9).
      const base = n == Csr.MIP ? hart().mipSoft | (old & ~(<u64>1 << 9)) : old;
      if (how == 1) value = base | operand;
      else if (how == 2) value = base & ~operand;
      if (!writeCsr(n, value)) return this.illegal();
    }
    if (reads) this.setRd(<i64>old);
  }

  // --- system ---
  illegal(): void { raise(Cause.ILLEGAL_INSTRUCTION, <u64>wordOf(changetype<usize>(this))); }

  ecall(): void {
    const s = hart();
    if (s.mode == <u32>Mode.S && load<u32>(<usize>Machine.BOOT) == <u32>BootMode.PARAVIRT) {
      // The hypervisor is the execution environment here: no trap, a call.
      s.redirected = 1;
      if (!sbiCall(currentHart())) s.trapped = 2;
      return;
    }
    raise(s.mode == <u32>Mode.U ? Cause.ECALL_U : s.mode == <u32>Mode.S ? Cause.ECALL_S : Cause.ECALL_M, 0);
  }

  ebreak(): void { raise(Cause.BREAKPOINT, pc()); }

  // Stores drop predecoded code themselves, so there is nothing left for fence.i to do.
  fenceInstructions(): void {}

  waitForInterrupt(): void {
    const s = hart();
    if (s.mode == <u32>Mode.U || (s.mode == <u32>Mode.S && (s.mstatus & Status.TW) != 0)) return this.illegal();
    s.waiting = 1;
    s.redirected = 1;
  }

  returnFromMachine(): void {
    if (hart().mode != <u32>Mode.M) return this.illegal();
    returnFromMachine();
  }

  returnFromSupervisor(): void {
    const s = hart();
    if (s.mode == <u32>Mode.U || (s.mode == <u32>Mode.S && (s.mstatus & Status.TSR) != 0)) return this.illegal();
    returnFromSupervisor();
  }

  fenceVma(): void {
    const s = hart();
    if (s.mode == <u32>Mode.U || (s.mode == <u32>Mode.S && (s.mstatus & Status.TVM) != 0)) return this.illegal();
    if (this.rs1Named()) flushAddress(<u64>this.rs1());
    else if (load<u8>(changetype<usize>(this), RS2) != 0) flushNonGlobal();
    else flushAll();
    s.redirected = 1;
  }

  /** sfence.w.inval and sfence.inval.ir: sinval.vma is complete when it returns. */
  fenceOrder(): void {
    if (hart().mode == <u32>Mode.U) this.illegal();
  }

  // --- cache blocks ---
  blockAllowed(bits: u64): bool {
    const s = hart();
    if (s.mode == <u32>Mode.M) return true;
    if (!(s.menvcfg & bits)) return false;
    return s.mode == <u32>Mode.S || (s.senvcfg & bits) != 0;
  }

  cacheBlockInvalidate(): void {
    if (!this.blockAllowed(EnvCfg.CBIE)) return this.illegal();
    this.touchBlock();
  }

  cacheBlockClean(): void {
    if (!this.blockAllowed(EnvCfg.CBCFE)) return this.illegal();
    this.touchBlock();
  }

  /** Nothing to write back, but the block must be one that the hart may reach: a load or a store would do. */
  touchBlock(): void {
    readMemory(<u64>this.rs1() & ~(MANAGED_BLOCK - 1), 1);
    const s = hart();
    if (s.trapped) this.asStoreFault();
  }

  /** Management instructions report store exceptions (Zicbom 2.5.4). */
  asStoreFault(): void {
    const s = hart();
    if (s.mode == <u32>Mode.M) s.mcause = storeCause(s.mcause);
    else s.scause = storeCause(s.scause);
  }

  cacheBlockZero(): void {
    if (!this.blockAllowed(EnvCfg.CBZE)) return this.illegal();
    zeroBlock(<u64>this.rs1(), ZERO_BLOCK);
  }
}

function storeCause(cause: u64): u64 {
  if (cause == Cause.LOAD_ACCESS) return Cause.STORE_ACCESS;
  return cause == Cause.LOAD_PAGE ? Cause.STORE_PAGE : cause;
}
