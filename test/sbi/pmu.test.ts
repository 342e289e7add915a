import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SbiExtension as E, PmuCounter, PmuEvent, SbiAt, SbiError } from "../../assembly/abi/sbi.ts";
import { RAM, RAM_BYTES, SbiMachine } from "./machine.ts";

let create: () => SbiMachine;
let m: SbiMachine;
beforeAll(async () => {
  create = await SbiMachine.compile();
}, 120_000);
beforeEach(() => {
  m = create();
});

const ok = (value: number | bigint = 0) => ({ returned: true, error: 0, value: BigInt(value) });
const refused = (error: SbiError) => ({ returned: true, error: error as number, value: 0n });
/** Every counter that exists, as Linux's driver finds them. */
const EVERY = 0b111_1111_1111_1111_1101;
const config = (event: number, flags = 0, mask: number | bigint = EVERY) => m.call(E.PMU, 2, 0, mask, flags, event, 0);
const start = (counter: number, flags = 0, value: number | bigint = 0) => m.call(E.PMU, 3, counter, 1, flags, value);
const stop = (counter: number, flags = 0) => m.call(E.PMU, 4, counter, 1, flags);
const firmware = (counter: number | bigint) => m.call(E.PMU, 5, counter);
const setTimer = () => m.call(E.TIME, 0, 1);
/** Lets the running hart retire `n` instructions. */
const retire = (n: number) => {
  m.exports.beginSlice(n);
  m.exports.setSliceLeft(0);
  m.exports.endSlice();
};

describe("counters", () => {
  it("are cycle, instret and 16 of firmware", () => {
    expect(m.call(E.PMU, 0)).toEqual(ok(19));
    expect(m.call(E.PMU, 1, 0)).toEqual(ok((63 << 12) | 0xc00));
    expect(m.call(E.PMU, 1, 2)).toEqual(ok((63 << 12) | 0xc02));
    for (let i = 3; i < 19; i++) expect(m.call(E.PMU, 1, i)).toEqual(ok((1n << 63n) | (63n << 12n)));
    for (const index of [1, 19, 64, -1n, 1n << 32n])
      expect(m.call(E.PMU, 1, index)).toEqual(refused(SbiError.INVALID_PARAM));
  });

  it("match events", () => {
    expect(config(PmuEvent.CPU_CYCLES)).toEqual(ok(0));
    expect(config(PmuEvent.INSTRUCTIONS)).toEqual(ok(2));
    expect(config(PmuEvent.CPU_CYCLES)).toEqual(refused(SbiError.NOT_SUPPORTED));
    for (let i = 0; i < 16; i++) expect(config(PmuEvent.FW_SET_TIMER)).toEqual(ok(3 + i));
    expect(config(PmuEvent.FW_SET_TIMER)).toEqual(refused(SbiError.NOT_SUPPORTED));
    for (const event of [0, 3, 0x1_0000, 0x2_0000, 0xf_0000, 0xf_000e, 0xf_ffff, 2 ** 40]) {
      expect(config(event)).toEqual(refused(SbiError.NOT_SUPPORTED));
    }
  });

  it.each([
    [0, 1n << 19n],
    [19, 1],
    [-1n, 1],
    [1n << 32n, 1],
    [18, 2],
    [0, -1n],
  ])("refuse the set from %s with mask %s, which names one that does not exist", (base, mask) => {
    expect(m.call(E.PMU, 2, base, mask, 0, PmuEvent.CPU_CYCLES)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(m.call(E.PMU, 3, base, mask, 0, 0)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(m.call(E.PMU, 4, base, mask, 0)).toEqual(refused(SbiError.INVALID_PARAM));
  });

  it("refuse flags that are reserved", () => {
    expect(config(PmuEvent.CPU_CYCLES, 256)).toEqual(refused(SbiError.INVALID_PARAM));
    config(PmuEvent.CPU_CYCLES);
    expect(start(0, 4)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(stop(0, 4)).toEqual(refused(SbiError.INVALID_PARAM));
  });
});

describe("hardware counters", () => {
  const cycle = () => m.exports.hartCounter(0, 0) as bigint;

  it("count freely until an event takes them, then from start to stop, and freely again", () => {
    retire(10);
    expect(cycle()).toBe(10n);
    expect(config(PmuEvent.CPU_CYCLES, 2)).toEqual(ok(0));
    retire(10);
    expect(cycle()).toBe(0n);
    expect(start(0, 1, 1n << 40n)).toEqual(ok());
    retire(7);
    expect(cycle()).toBe((1n << 40n) + 7n);
    expect(stop(0)).toEqual(ok());
    retire(5);
    expect(cycle()).toBe((1n << 40n) + 7n);
    expect(stop(0, 1)).toEqual(refused(SbiError.ALREADY_STOPPED));
    retire(5);
    expect(cycle()).toBe((1n << 40n) + 12n);
    expect(m.exports.hartCounter(0, 2)).toBe(37n);
  });

  it("are not read by firmware's call", () => {
    for (const index of [0, 1, 2, 19, 64, -1n]) {
      expect(firmware(index)).toEqual(refused(SbiError.INVALID_PARAM));
    }
  });
});

describe("firmware counters", () => {
  it("count what SBI was asked while started", () => {
    const { value } = config(PmuEvent.FW_SET_TIMER, 2 | 4);
    const counter = Number(value);
    setTimer();
    setTimer();
    expect(firmware(counter)).toEqual(ok(2));
    expect(m.call(E.PMU, 6, counter)).toEqual(ok(0));
    expect(start(counter)).toEqual(refused(SbiError.ALREADY_STARTED));
    expect(stop(counter)).toEqual(ok());
    setTimer();
    expect(firmware(counter)).toEqual(ok(2));
    expect(start(counter, 1, 100)).toEqual(ok());
    setTimer();
    expect(firmware(counter)).toEqual(ok(101));
    expect(config(0, 1 | 2, 1 << counter)).toEqual(ok(counter)); // SKIP_MATCH, CLEAR_VALUE
    expect(firmware(counter)).toEqual(ok(0));
    expect(stop(counter, 1)).toEqual(ok());
    expect(start(counter)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(config(0, 1, 1 << counter)).toEqual(refused(SbiError.INVALID_PARAM));
  });

  it("tell sender and receiver apart", () => {
    m.call(E.HSM, 0, 1, RAM, 0);
    const events = [
      PmuEvent.FW_IPI_SENT,
      PmuEvent.FW_IPI_RECEIVED,
      PmuEvent.FW_FENCE_I_SENT,
      PmuEvent.FW_SFENCE_VMA_SENT,
      PmuEvent.FW_SFENCE_VMA_ASID_SENT,
    ];
    const here = events.map((event) => Number(config(event, 4).value));
    m.exports.switchHart(1);
    const received = [
      PmuEvent.FW_IPI_RECEIVED,
      PmuEvent.FW_FENCE_I_RECEIVED,
      PmuEvent.FW_SFENCE_VMA_RECEIVED,
      PmuEvent.FW_SFENCE_VMA_ASID_RECEIVED,
    ];
    const there = received.map((event) => Number(config(event, 4).value));
    m.exports.switchHart(0);
    m.call(E.IPI, 0, 2, 0);
    m.call(E.RFENCE, 0, 2, 0);
    m.call(E.RFENCE, 1, 2, 0, 0, 0);
    m.call(E.RFENCE, 1, 2, 0, 0, 0);
    m.call(E.RFENCE, 2, 2, 0, 0, 0, 1);
    expect(here.map((counter) => Number(firmware(counter).value))).toEqual([1, 0, 1, 2, 1]);
    m.exports.switchHart(1);
    expect(there.map((counter) => Number(firmware(counter).value))).toEqual([1, 1, 2, 1]);
    m.call(E.HSM, 1); // stop: counters are forgotten
    m.exports.switchHart(0);
    m.call(E.HSM, 0, 1, RAM, 0);
    m.exports.switchHart(1);
    expect(config(PmuEvent.FW_IPI_SENT)).toEqual(ok(PmuCounter.FIRMWARE));
  });

  it("have state that a restore can check", () => {
    config(PmuEvent.FW_SET_TIMER, 4);
    expect(m.exports.validateSbiState()).toBe(1);
    const configured = SbiAt.STATE + 0xc0;
    expect(m.view.getUint32(configured, true)).toBe(8);
    m.view.setUint32(configured, 1 << 30, true);
    expect(m.exports.validateSbiState()).toBe(0);
  });
});

describe("snapshots", () => {
  const page = RAM + 0x3000;
  const slot = (n: number) => m.view.getBigUint64(m.at(page) + 8 + 8 * n, true);

  it("carry values from and to the guest's page, counted from the base", () => {
    expect(m.call(E.PMU, 7, page, 0, 0)).toEqual(ok());
    for (let i = 0; i < 3; i++) config(PmuEvent.FW_SET_TIMER);
    m.view.setBigUint64(m.at(page) + 8, 50n, true);
    m.view.setBigUint64(m.at(page) + 16, 60n, true);
    expect(m.call(E.PMU, 3, 4, 0b11, 2, 0)).toEqual(ok()); // counters 4 and 5, INIT_SNAPSHOT
    setTimer();
    expect(m.call(E.PMU, 4, 4, 0b11, 2)).toEqual(ok()); // TAKE_SNAPSHOT
    expect([slot(0), slot(1), slot(2)]).toEqual([51n, 61n, 0n]);
    expect(m.call(E.PMU, 7, -1n, -1n, 0)).toEqual(ok());
    expect(m.call(E.PMU, 3, 4, 1, 2, 0)).toEqual(refused(SbiError.NO_SHMEM));
    expect(m.call(E.PMU, 4, 4, 1, 2)).toEqual(refused(SbiError.NO_SHMEM));
  });

  it("refuse pages that are none", () => {
    expect(m.call(E.PMU, 7, RAM + 8, 0, 0)).toEqual(refused(SbiError.INVALID_PARAM));
    expect(m.call(E.PMU, 7, RAM, 0, 1)).toEqual(refused(SbiError.INVALID_PARAM));
    for (const [low, high] of [
      [RAM + RAM_BYTES, 0],
      [0, 0],
      [RAM, 1],
      [-4096n, 0],
      [-1n, 0],
    ]) {
      const { error } = m.call(E.PMU, 7, low, high, 0);
      expect([SbiError.INVALID_ADDRESS, SbiError.INVALID_PARAM], `${low} ${high}`).toContain(error);
    }
  });
});
