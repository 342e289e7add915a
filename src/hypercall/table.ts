// Writes grants and budgets into the engine's memory (assembly/abi/hypercall.ts).
import {
  ArgumentKind,
  BucketAt,
  BudgetAt,
  CallTable,
  DeviceSlot,
  Grant,
  HostCall,
  HypercallAt,
  OverBudget,
} from "../../assembly/abi/hypercall.ts";
import { Timebase } from "../../assembly/abi/memory-map.ts";
import { SbiExtension } from "../../assembly/abi/sbi.ts";
import type { ArgumentType, CallRow } from "./call-row.ts";
import { CALLS, EXTENSIONS } from "./catalogue.ts";
import type { TokenBucket } from "./policy.ts";
import type { Budget, Grants } from "./resolve-policy.ts";

const TICKS_PER_MILLISECOND = Timebase.HZ / 1000;

/** Address of the row of a call that the engine serves. */
export function rowAddress({ eid, fid }: Pick<CallRow, "eid" | "fid">): number {
  const at = (place: number, index: number) =>
    HypercallAt.TABLE + (place * CallTable.FUNCTIONS + index) * CallTable.ROW_SIZE;
  if (eid <= SbiExtension.LEGACY_SHUTDOWN) return at(CallTable.LEGACY, eid);
  const extension = EXTENSIONS.find((it) => it.eid === eid);
  if (extension === undefined) throw new RangeError(`no extension 0x${eid.toString(16)} in the table of calls`);
  return at(extension.place, fid);
}

/** The engine's own hash (assembly/sbi/grants.ts). */
function slotOf(eid: number, fid: number): number {
  return Math.imul(eid ^ Math.imul(fid, 0x85eb_ca6b), 0x9e37_79b9) >>> 25;
}

function argumentKinds(types: readonly ArgumentType[]): number {
  const kind = (type: ArgumentType) =>
    type === "buffer-in" ? ArgumentKind.BUFFER_IN : type === "buffer-out" ? ArgumentKind.BUFFER_OUT : ArgumentKind.WORD;
  return types.reduce((bits, type, n) => bits | (kind(type) << (4 * n)), 0);
}

/** What the guest may call, and which budgets that counts against. After each reset of the engine, which grants all that it serves. */
export function writeGrants(view: DataView, grants: Grants): void {
  const write = (at: number, row: CallRow) => {
    view.setUint8(at + CallTable.GRANT, grants.denied.has(row) ? Grant.DENIED : Grant.GRANTED);
    view.setUint8(at + CallTable.BUDGET, grants.callBudgets.get(row) ?? 0);
  };
  for (const row of CALLS) write(rowAddress(row), row);
  for (const [number, { row }] of grants.hypercalls.entries()) {
    const at = HypercallAt.HOST_CALLS + number * HostCall.SIZE;
    write(at, row);
    view.setUint32(at + HostCall.EID, row.eid, true);
    view.setUint32(at + HostCall.FID, row.fid, true);
    view.setUint32(at + HostCall.ARGUMENTS, argumentKinds(row.args.map(({ type }) => type)), true);
    let slot = slotOf(row.eid, row.fid);
    while (view.getUint8(HypercallAt.HOST_INDEX + slot) !== 0) slot = (slot + 1) % HostCall.SLOTS;
    view.setUint8(HypercallAt.HOST_INDEX + slot, number + 1);
  }
  for (let slot = 0; slot < DeviceSlot.COUNT; slot++) {
    view.setUint8(HypercallAt.DEVICES + slot, grants.deviceBudgets.get(slot) ?? 0);
  }
}

function writeBucket(view: DataView, at: number, bucket: TokenBucket | undefined): void {
  const { size = 0, one_time_burst = 0, refill_time = 1 } = bucket ?? {};
  view.setBigInt64(at + BucketAt.TOKENS, BigInt(size) + BigInt(one_time_burst), true);
  view.setBigUint64(at + BucketAt.SIZE, BigInt(size), true);
  view.setBigUint64(at + BucketAt.REFILL, BigInt(refill_time) * BigInt(TICKS_PER_MILLISECOND), true);
  view.setBigUint64(at + BucketAt.FILLED, 0n, true);
}

function budgetAddress(number: number): number {
  return HypercallAt.BUDGETS + number * BudgetAt.SIZE;
}

/** Full buckets, once for a guest: a reset leaves them as they are. */
export function writeBudgets(view: DataView, budgets: readonly Budget[]): void {
  for (const [number, { operations, bytes, over }] of budgets.entries()) {
    const at = budgetAddress(number);
    writeBucket(view, at + BudgetAt.OPERATIONS, operations);
    writeBucket(view, at + BudgetAt.BYTES, bytes);
    view.setUint32(at + BudgetAt.OVER, over, true);
    view.setBigUint64(at + BudgetAt.DELAYED, 0n, true);
    view.setBigUint64(at + BudgetAt.REFUSED, 0n, true);
  }
  const [guest] = budgets;
  const limited = guest?.operations !== undefined || guest?.bytes !== undefined;
  view.setUint32(HypercallAt.GUEST_LIMITED, limited ? 1 : 0, true);
}

/** What has become of a budget. */
export interface BudgetUse {
  name: string;
  /** What is left; below 0, what something larger took on credit. Infinity where there is no limit. */
  operationsLeft: number;
  bytesLeft: number;
  /** How often a call had to wait, or a device was looked at while a request of it had to. */
  delayed: number;
  /** Calls refused. */
  refused: number;
}

export function readBudgets(view: DataView, budgets: readonly Budget[]): BudgetUse[] {
  return budgets.map(({ name, operations, bytes }, number) => {
    const at = budgetAddress(number);
    const left = (bucket: number, limit: TokenBucket | undefined) =>
      limit === undefined ? Number.POSITIVE_INFINITY : Number(view.getBigInt64(at + bucket + BucketAt.TOKENS, true));
    return {
      name,
      operationsLeft: left(BudgetAt.OPERATIONS, operations),
      bytesLeft: left(BudgetAt.BYTES, bytes),
      delayed: Number(view.getBigUint64(at + BudgetAt.DELAYED, true)),
      refused: Number(view.getBigUint64(at + BudgetAt.REFUSED, true)),
    };
  });
}

/** Names of devices whose budget says that they are to be emulated ("disk0"), and that ran out of it or of the guest's. */
export function devicesToEmulate(view: DataView, budgets: readonly Budget[]): string[] {
  return budgets
    .filter(({ over }, number) => {
      const delayed = view.getBigUint64(budgetAddress(number) + BudgetAt.DELAYED, true);
      return over === OverBudget.EMULATE && delayed > 0n;
    })
    .map(({ name }) => name.replace(/^device /, ""));
}
