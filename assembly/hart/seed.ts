// The seed CSR (Scalar Cryptography 1.0.1, chapter 4: Zkr): 16 bits of the host's entropy a read.
//
//   31 30  OPST: ES16 (10), always: what the host gives is tested and conditioned already
//   15 0   seed
//
// Only an instruction that also writes may read it, as a register that is used up. M-mode
// always may, S- and U-mode where mseccfg.SSEED and USEED say so. A call of the host fills a
// buffer; what has been given out is wiped.
import { Ext } from "../abi/ext";
import { Machine } from "../abi/layout";
import { entropy } from "../host";
import { hart, hasExtension, Mode } from "./state";

const ES16: u64 = 0x8000_0000;
const BYTES: u32 = <u32>Machine.SEED_BYTES_END - <u32>Machine.SEED_BYTES;

/** mseccfg: who but M-mode may read the seed. */
const enum Mseccfg {
  USEED = 1 << 8,
  SSEED = 1 << 9,
}

export function mseccfgMask(): u64 {
  return hasExtension(Ext.ZKR) ? <u64>(Mseccfg.USEED | Mseccfg.SSEED) : 0;
}

export function seedAllowed(): bool {
  if (!hasExtension(Ext.ZKR)) return false;
  const s = hart();
  if (s.mode == <u32>Mode.M) return true;
  return (s.mseccfg & <u64>(s.mode == <u32>Mode.S ? Mseccfg.SSEED : Mseccfg.USEED)) != 0;
}

export function pollSeed(): u64 {
  let left = load<u32>(<usize>Machine.SEED_LEFT);
  if (left < 2 || left > BYTES) {
    entropy(<usize>Machine.SEED_BYTES, BYTES);
    left = BYTES;
  }
  left -= 2;
  const at = <usize>Machine.SEED_BYTES + left;
  const value = <u64>load<u16>(at);
  store<u16>(at, 0);
  store<u32>(<usize>Machine.SEED_LEFT, left);
  return ES16 | value;
}

/** At power-on nothing is left of another guest's. */
export function resetSeed(): void {
  memory.fill(<usize>Machine.SEED_BYTES, 0, BYTES);
  store<u32>(<usize>Machine.SEED_LEFT, 0);
}
