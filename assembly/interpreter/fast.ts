// The model of the run loop: registers, and memory through the TLB alone. A `false` from
// a memory operation means that the TLB had no answer: nothing happened, and the slow
// model does the instruction instead.
import { HartAt } from "../abi/layout";
import { Compute } from "../isa/compute";
import { Hart } from "../hart/state";

const PAGE: i64 = -4096;
const WRITE_HALF: usize = 0x4000;

/** Base of the TLB bank in use. */
// @ts-ignore: decorator
@inline
function tlb(): usize {
  return <usize>load<u32>(<usize>HartAt.STATE, offsetof<Hart>("tlb"));
}

// @ts-ignore: decorator
@inline
function slotFor(va: i64): usize {
  return tlb() + (<usize>(<u64>va >> 8) & 0x3ff0);
}

@unmanaged
export class Fast extends Compute {
  // @ts-ignore: decorator
  @inline loadS8(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va) & PAGE)) return false;
    this.setRd(<i64>load<i8>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline loadS16(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 1) & PAGE)) return false;
    this.setRd(<i64>load<i16>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline loadS32(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 3) & PAGE)) return false;
    this.setRd(<i64>load<i32>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline load64(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 7) & PAGE)) return false;
    this.setRd(<i64>load<i64>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline loadU8(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va) & PAGE)) return false;
    this.setRd(<i64>load<u8>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline loadU16(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 1) & PAGE)) return false;
    this.setRd(<i64>load<u16>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline loadU32(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 3) & PAGE)) return false;
    this.setRd(<i64>load<u32>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline store8(): bool {
    const va = this.rs1() + this.offset();
    const e = slotFor(va);
    if (load<i64>(e, WRITE_HALF) != ((va) & PAGE)) return false;
    store<i8>(<usize>(<u32>va + load<u32>(e, WRITE_HALF + 8)), <i8>this.rs2());
    return true;
  }

  // @ts-ignore: decorator
  @inline store16(): bool {
    const va = this.rs1() + this.offset();
    const e = slotFor(va);
    if (load<i64>(e, WRITE_HALF) != ((va + 1) & PAGE)) return false;
    store<i16>(<usize>(<u32>va + load<u32>(e, WRITE_HALF + 8)), <i16>this.rs2());
    return true;
  }

  // @ts-ignore: decorator
  @inline write32(value: i32): bool {
    const va = this.rs1() + this.offset();
    const e = slotFor(va);
    if (load<i64>(e, WRITE_HALF) != ((va + 3) & PAGE)) return false;
    store<i32>(<usize>(<u32>va + load<u32>(e, WRITE_HALF + 8)), value);
    return true;
  }

  // @ts-ignore: decorator
  @inline write64(value: i64): bool {
    const va = this.rs1() + this.offset();
    const e = slotFor(va);
    if (load<i64>(e, WRITE_HALF) != ((va + 7) & PAGE)) return false;
    store<i64>(<usize>(<u32>va + load<u32>(e, WRITE_HALF + 8)), value);
    return true;
  }

  // @ts-ignore: decorator
  @inline store32(): bool { return this.write32(<i32>this.rs2()); }

  // @ts-ignore: decorator
  @inline store64(): bool { return this.write64(this.rs2()); }

  // @ts-ignore: decorator
  @inline loadFloat32(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 3) & PAGE)) return false;
    this.setFdS(load<u32>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline loadFloat64(): bool {
    const va = this.rs1() + this.imm();
    const e = slotFor(va);
    if (load<i64>(e) != ((va + 7) & PAGE)) return false;
    this.setFdD(load<u64>(<usize>(<u32>va + load<u32>(e, 8))));
    return true;
  }

  // @ts-ignore: decorator
  @inline storeFloat32(): bool { return this.write32(<i32>this.fs2D()); }

  // @ts-ignore: decorator
  @inline storeFloat64(): bool { return this.write64(<i64>this.fs2D()); }
}
