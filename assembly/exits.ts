// Counts exits by cause (abi/exit-counter.ts): always on, deterministic, bounded. A count
// is a hash, usually one probe, and an add.
import { ExitCounter, ExitDirection, ExitKind } from "./abi/exit-counter";
import { Layout } from "./abi/layout";

const USED: usize = Layout.EXIT_COUNTERS + ExitCounter.USED;
const INDEX_MASK: u32 = ExitCounter.BUCKETS - 1;
const REGISTER_MASK: u64 = 0xffff_ffff;

// @ts-ignore: decorator
@inline
function bucketAt(index: u32): usize {
  return <usize>Layout.EXIT_COUNTERS + (<usize>(index & INDEX_MASK) << 4);
}

/** First bucket to probe: the top bits of a multiplication by 2^64 / golden ratio. */
// @ts-ignore: decorator
@inline
function hash(key: u64): u32 {
  return <u32>((key * 0x9e37_79b9_7f4a_7c15) >> 52);
}

/** Bucket of `key`, or the empty one where it belongs. An empty one always exists: LIMIT and the kinds' own keys leave a fifth free. */
function find(key: u64): usize {
  let index = hash(key);
  let at = bucketAt(index);
  while (load<u64>(at) != key && load<u64>(at) != 0) at = bucketAt(++index);
  return at;
}

function count(high: u32, register: u64): void {
  let at = find((<u64>high << 32) | (register & REGISTER_MASK));
  if (load<u64>(at) == 0) at = claimBucket(high, register);
  store<u64>(at, load<u64>(at, 8) + 1, 8);
}

/** Takes a bucket for a cause seen for the first time. */
function claimBucket(high: u32, register: u64): usize {
  let key = (<u64>high << 32) | (register & REGISTER_MASK);
  const used = load<u32>(USED);
  if (used >= <u32>ExitCounter.LIMIT) {
    const kind = high >> <u32>ExitCounter.KIND_SHIFT;
    const direction = (high >> <u32>ExitCounter.DIRECTION_SHIFT) & 3;
    key = <u64>((kind << <u32>ExitCounter.KIND_SHIFT) | (direction << <u32>ExitCounter.DIRECTION_SHIFT) | <u32>ExitCounter.OTHER) << 32;
  }
  const at = find(key);
  if (load<u64>(at) == 0) {
    store<u64>(at, key);
    store<u32>(USED, used + 1);
  }
  return at;
}

/** Counts one exit. `kind` is a DeviceKind or ExitKind. */
export function countExit(kind: u32, instance: u32, direction: ExitDirection, register: u64): void {
  countBar(kind, instance, direction, 0, register);
}

/** The same for a register behind BAR `bar` of a PCI function. */
export function countBar(kind: u32, instance: u32, direction: ExitDirection, bar: u32, register: u64): void {
  // Kind 0 would make key 0, an empty bucket.
  if (kind == 0 || kind >= <u32>ExitKind.COUNT) return;
  count(
    (kind << <u32>ExitCounter.KIND_SHIFT) |
      ((instance & 0xff) << <u32>ExitCounter.INSTANCE_SHIFT) |
      (<u32>direction << <u32>ExitCounter.DIRECTION_SHIFT) |
      ((bar & <u32>ExitCounter.BAR_MASK) << <u32>ExitCounter.BAR_SHIFT) |
      (<u32>(register >> 32) & <u32>ExitCounter.REGISTER_HIGH),
    register & 0xffff_ffff,
  );
}

/** A hypercall by extension and function; a guest's nonsense beyond their width is folded. */
export function countHypercall(eid: u64, fid: u64): void {
  countCall(ExitKind.HYPERCALL, eid, fid);
}

/** One that was refused. */
export function countRefused(eid: u64, fid: u64): void {
  countCall(ExitKind.REFUSED, eid, fid);
}

function countCall(kind: ExitKind, eid: u64, fid: u64): void {
  const call: u64 = fid < 0xff ? fid : 0xff;
  countExit(kind, 0, ExitDirection.CALL, ((eid & 0xffff_ffff) << 8) | call);
}

export function resetExitCounters(): void {
  memory.fill(<usize>Layout.EXIT_COUNTERS, 0, <usize>ExitCounter.USED + 16);
}

/** After a restore: the number of keys must be the table's, or probing might not end. */
export function validateExitCounters(): bool {
  let used: u32 = 0;
  for (let index: u32 = 0; index < <u32>ExitCounter.BUCKETS; index++) {
    if (load<u64>(bucketAt(index)) != 0) used++;
  }
  return used == load<u32>(USED) && used <= <u32>ExitCounter.LIMIT + ((<u32>ExitKind.COUNT) << 2);
}
