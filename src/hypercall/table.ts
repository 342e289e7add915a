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
import { OptionError } from "../errors.ts";
import type { ArgumentType, CallRow } from "./call-row.ts";
import { CALLS, EXTENSIONS } from "./catalogue.ts";
import type { BudgetChange, TokenBucket } from "./policy.ts";
import { type Budget, type Grants, type Slot, slotsOf } from "./resolve-policy.ts";

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

/** A full bucket, as of guest tick `now`. */
function writeBucket(view: DataView, at: number, bucket: TokenBucket | undefined, now = 0n): void {
  const { size = 0, one_time_burst = 0, refill_time = 1 } = bucket ?? {};
  view.setBigInt64(at + BucketAt.TOKENS, BigInt(size) + BigInt(one_time_burst), true);
  view.setBigUint64(at + BucketAt.SIZE, BigInt(size), true);
  view.setBigUint64(at + BucketAt.REFILL, BigInt(refill_time) * BigInt(TICKS_PER_MILLISECOND), true);
  view.setBigUint64(at + BucketAt.FILLED, now, true);
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

/**
 * Gives a device's budget other buckets while the guest runs: null is no limit, what is left out stays.
 * @param firstDisk as for resolvePolicy().
 * @param now guest tick.
 * @returns the grants that hold from here on.
 * @throws OptionError if the policy has no room for one more budget.
 */
export function changeBudget(
  view: DataView,
  grants: Grants,
  device: string,
  { receive, ...sent }: BudgetChange,
  firstDisk: number,
  now: bigint,
): Grants {
  const slots = slotsOf(device, firstDisk);
  const changed = { ...grants, budgets: [...grants.budgets], deviceBudgets: new Map(grants.deviceBudgets) };
  if (sent.operations !== undefined || sent.bytes !== undefined) changeOne(view, changed, slots.own, sent, now);
  if (receive !== undefined && slots.receive !== undefined) changeOne(view, changed, slots.receive, receive, now);
  // Whatever waits for what it had is looked at anew.
  if (view.getBigUint64(HypercallAt.HELD_UNTIL, true) !== 0n) view.setBigUint64(HypercallAt.HELD_UNTIL, 1n, true);
  return changed;
}

function changeOne(
  view: DataView,
  grants: { budgets: Budget[]; deviceBudgets: Map<number, number> },
  { slot, name }: Slot,
  change: Omit<BudgetChange, "receive">,
  now: bigint,
): void {
  let number = grants.deviceBudgets.get(slot);
  // What all network devices share stays theirs: this one gets a budget of its own.
  if (number === undefined || grants.budgets[number].name !== name) {
    if (grants.budgets.length === BudgetAt.COUNT) {
      throw new OptionError(
        `policy: more than ${BudgetAt.COUNT - 1} budgets: take ${name}'s into the policy at the start`,
      );
    }
    const shared = number === undefined ? undefined : grants.budgets[number];
    number = grants.budgets.push({ ...shared, name, over: OverBudget.DELAY }) - 1;
    grants.deviceBudgets.set(slot, number);
    view.setUint32(budgetAddress(number) + BudgetAt.OVER, OverBudget.DELAY, true);
    writeBucket(view, budgetAddress(number) + BudgetAt.OPERATIONS, shared?.operations, now);
    writeBucket(view, budgetAddress(number) + BudgetAt.BYTES, shared?.bytes, now);
  }
  const budget = { ...grants.budgets[number] };
  for (const [key, at] of [
    ["operations", BudgetAt.OPERATIONS],
    ["bytes", BudgetAt.BYTES],
  ] as const) {
    const bucket = change[key];
    if (bucket === undefined) continue;
    budget[key] = bucket ?? undefined;
    writeBucket(view, budgetAddress(number) + at, budget[key], now);
  }
  grants.budgets[number] = budget;
  view.setUint8(HypercallAt.DEVICES + slot, number);
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
