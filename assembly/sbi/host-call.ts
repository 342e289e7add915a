// Calls that the host serves. The host sees arguments and buffers that have been looked at: a
// buffer is a range of RAM (SBI 2.0, 3.2: addresses are physical), no longer than
// CallLimit.BUFFER_BYTES. The answer is there when it returns, or comes later; then the hart waits at its ecall.
import { Answer, ArgumentKind, CallLimit, HostCall, HypercallAt, MulticallEntry } from "../abi/hypercall";
import { HartAt, Layout } from "../abi/layout";
import { SbiError } from "../abi/sbi";
import { answerCall, argumentAt } from "../hart/control";
import { hypercall } from "../host";
import { spend } from "../hypercall/budget";
import { awaitsHost, entryOf, park, unpark } from "../hypercall/parked";
import { dmaRead, dmaWrite } from "../memory/ram";
import { argument, fail, hartCount } from "./call";

const ANSWER: usize = HypercallAt.ANSWER;
const A0: usize = <usize>HartAt.X + 80;

/** Where a buffer of no bytes lies. */
const NOWHERE: usize = Layout.RAM;

/** Serves host call `number`, whose row is `row`, with budget `budget`. False: the hart waits. */
export function serveOnHost(hart: u32, number: u32, row: usize, budget: u32): bool {
  let bytes: u64 = 0;
  let register: u32 = 0;
  for (let kinds = load<u32>(row, HostCall.ARGUMENTS); kinds != 0; kinds >>= 4) {
    const kind = kinds & 15;
    if (kind == <u32>ArgumentKind.WORD) {
      pass(register++);
      continue;
    }
    const length = argument(register + 1);
    if (length > <u64>CallLimit.BUFFER_BYTES) return fail(SbiError.INVALID_PARAM);
    const at = bufferAt(argument(register), <u32>length, kind);
    if (at == 0) return fail(SbiError.INVALID_ADDRESS);
    store<u32>(ANSWER + ((<usize>register) << 2), <u32>at, Answer.BUFFERS);
    bytes += length;
    pass(register++);
    pass(register++);
  }
  spend(budget, 0, <i64>bytes);
  if (hypercall(number, hart) != 0) {
    park(hart, u64.MAX_VALUE);
    return false;
  }
  store<i64>(A0, load<i64>(ANSWER, Answer.ERROR));
  store<u64>(A0 + 8, load<u64>(ANSWER, Answer.VALUE));
  return true;
}

function pass(register: u32): void {
  store<u64>(ANSWER + ((<usize>register) << 3), argument(register), Answer.ARGUMENTS);
}

function bufferAt(gpa: u64, length: u32, kind: u32): usize {
  if (length == 0) return NOWHERE;
  return kind == <u32>ArgumentKind.BUFFER_IN ? dmaRead(gpa, length) : dmaWrite(gpa, length);
}

/** What a handler has filled after its call: `length` bytes at `gpa`, as it is allowed now. 0 if it is not. */
export function hypercallBuffer(gpa: u64, length: u32): usize {
  return length > <u32>CallLimit.BUFFER_BYTES ? 0 : bufferAt(gpa, length, ArgumentKind.BUFFER_OUT);
}

/** The host has the answer for which hart `h` waits. False if it does not wait for any. */
export function hypercallDone(h: u32, error: i32, value: u64): bool {
  if (h >= hartCount() || !awaitsHost(h)) return false;
  const entry = entryOf(h);
  unpark(h);
  if (entry == 0) {
    answerCall(h, error, value);
    return true;
  }
  // An entry of a multicall, which is done again from the next one on.
  const at = dmaWrite(entry, MulticallEntry.SIZE);
  if (at != 0) {
    store<i64>(at, error, MulticallEntry.ERROR);
    store<u64>(at, value, MulticallEntry.VALUE);
  }
  const first = argumentAt(h, 2);
  store<u64>(first, load<u64>(first) + 1);
  return true;
}
