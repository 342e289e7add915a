// The bus: who answers where, what is counted, and what an access to nothing does.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../assembly/abi/device.ts";
import { Exit } from "../../assembly/abi/exit.ts";
import { ExitCounter, ExitDirection, ExitKind } from "../../assembly/abi/exit-counter.ts";
import { Machine as At, Layout } from "../../assembly/abi/layout.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { TestBoard } from "./board.ts";

/** The counters as {key in hex: count}. */
function counters(b: TestBoard): Map<bigint, bigint> {
  const found = new Map<bigint, bigint>();
  for (let i = 0; i < ExitCounter.BUCKETS; i++) {
    const at = Layout.EXIT_COUNTERS + i * ExitCounter.BUCKET_SIZE;
    const key = b.view.getBigUint64(at, true);
    if (key !== 0n) found.set(key, b.view.getBigUint64(at + 8, true));
  }
  return found;
}

function key(kind: number, instance: number, direction: number, register: number, bar = 0): bigint {
  const high =
    kind * 2 ** ExitCounter.KIND_SHIFT +
    (instance << ExitCounter.INSTANCE_SHIFT) +
    (direction << ExitCounter.DIRECTION_SHIFT) +
    (bar << ExitCounter.BAR_SHIFT);
  return (BigInt(high) << 32n) + BigInt(register);
}

describe("bus", () => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create();
  });

  it.each([
    ["boot ROM", Board.MROM, Board.MROM_SIZE],
    ["finisher and RTC", Board.FINISHER, Board.FINISHER_SIZE + Board.RTC_SIZE],
    ["ACLINT", Board.ACLINT, Board.ACLINT_SIZE],
    ["PCIe I/O", Board.PCIE_PIO, Board.PCIE_PIO_SIZE],
    ["PLIC", Board.PLIC, Board.PLIC_SIZE],
    ["UARTs", Board.UART, 2 * Board.UART_SIZE],
    ["virtio", Board.VIRTIO, Board.VIRTIO_SLOT_SIZE * Board.VIRTIO_SLOTS],
    ["64-bit PCIe window", Board.PCIE_MMIO64_PAGE * 4096, Board.PCIE_MMIO64_PAGES * 4096],
  ])("maps %s and not its neighbours", (_name, base, size) => {
    expect([base - 1, base, base + size - 1, base + size].map((pa) => b.mapped(pa))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  it("maps ECAM and the 32-bit PCIe window up to RAM", () => {
    const base = Board.PCIE_ECAM;
    expect([base - 1, base, Board.PCIE_MMIO, Board.RAM - 1, Board.RAM].map((pa) => b.mapped(pa))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });

  it("reads 0 where nothing is, all ones where no PCI function answers", () => {
    for (const pa of [0, 0x5000_0000_0000, 2 ** 56, Board.UART + 2 * Board.UART_SIZE]) expect(b.read64(pa)).toBe(0n);
    expect(b.read(Board.PCIE_PIO, 2)).toBe(0xffff);
    expect(b.read(Board.PCIE_MMIO, 1)).toBe(0xff);
    expect(b.read64(Board.PCIE_MMIO)).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("passes no misaligned access and no odd width to a device", () => {
    b.write(Board.ACLINT + 0x4002, 0n, 8);
    b.write(Board.ACLINT + 0x4001, 0, 4);
    b.write(Board.ACLINT + 0x4000, 0, 3);
    b.write(Board.ACLINT + 0x4000, 0, 0);
    expect(b.read64(Board.ACLINT + 0x4000)).toBe(0xffff_ffff_ffff_ffffn);
    expect(b.read(Board.ACLINT + 0x4002)).toBe(0);
  });

  describe("exit counters", () => {
    it("tell accesses apart by device, direction and register", () => {
      for (let i = 0; i < 3; i++) b.read(Board.UART + 5, 1);
      b.write(Board.UART, 0x61, 1);
      b.read(Board.PLIC + 0x20_1004);
      b.read(0x2000_1234);
      b.read(b.ecam(4, 8));
      expect(counters(b)).toEqual(
        new Map(
          [
            [key(DeviceKind.UART, 0, ExitDirection.READ, 5), 3n],
            [key(DeviceKind.UART, 0, ExitDirection.WRITE, 0), 1n],
            [key(DeviceKind.PLIC, 0, ExitDirection.READ, 0x20_1004), 1n],
            [key(DeviceKind.UNMAPPED, 0, ExitDirection.READ, 0x2000_1234), 1n],
            [key(DeviceKind.PCI_CONFIG, 4, ExitDirection.READ, 8), 1n],
          ].sort() as [bigint, bigint][],
        ),
      );
    });

    it("count hypercalls by extension and function, and fold what is too large", () => {
      b.call("countHypercall", 0x5449_4d45n, 0n);
      b.call("countHypercall", 0x5449_4d45n, 0n);
      b.call("countHypercall", -1n, -1n);
      const call = (register: number) => key(ExitKind.HYPERCALL, 0, ExitDirection.CALL, 0) + BigInt(register);
      expect(counters(b)).toEqual(
        new Map([
          [call(0x54_494d_4500), 2n],
          [call(0xff_ffff_ffff), 1n],
        ]),
      );
    });

    it("are bounded: what comes late is counted by device and direction", () => {
      for (let i = 0; i < 10_000; i++) b.write(0x1_0000_0000 + i * 4, 0);
      b.read(Board.UART + 5, 1);
      b.read(Board.UART + 6, 1);
      const found = counters(b);
      expect(found.size).toBe(ExitCounter.LIMIT + 2);
      const other = BigInt(ExitCounter.OTHER) << 32n;
      expect(found.get(key(DeviceKind.UNMAPPED, 0, ExitDirection.WRITE, 0) | other)).toBe(
        10_000n - BigInt(ExitCounter.LIMIT),
      );
      expect(found.get(key(DeviceKind.UART, 0, ExitDirection.READ, 0) | other)).toBe(2n);
      expect(b.call("validateExitCounters")).toBe(1);
      b.write(0x1_0000_0000, 0);
      expect(counters(b).get(key(DeviceKind.UNMAPPED, 0, ExitDirection.WRITE, 0) + 0x1_0000_0000n)).toBe(2n);
      b.call("resetExitCounters");
      expect(counters(b).size).toBe(0);
    });

    it("find room for every kind, instance and direction however full they are", () => {
      for (let i = 0; i < 200_000; i++) b.call("countBar", i % 70, i % 300, i % 3, i % 16, BigInt(i) * 0x1_2345_6789n);
      expect(b.call("validateExitCounters")).toBe(1);
      let total = 0n;
      for (const count of counters(b).values()) total += count;
      expect(total).toBe(
        200_000n - BigInt(Array.from({ length: 200_000 }, (_, i) => i % 70).filter((k) => k === 0 || k >= 64).length),
      );
    });
  });

  describe("finisher", () => {
    it.each([
      ["pass", 0x5555, 4, Exit.POWER_OFF, 0],
      ["pass in 16 bits", 0x5555, 2, Exit.POWER_OFF, 0],
      ["failure with a code", 0x002a_3333, 4, Exit.POWER_OFF, 42],
      ["failure without", 0x3333, 4, Exit.POWER_OFF, 1],
      ["reset", 0x7777, 4, Exit.RESET, 0],
    ])("ends the run on %s", (_what, value, size, exit, code) => {
      b.view.setUint32(At.ATTENTION, 0, true);
      b.write(Board.FINISHER, value, size);
      expect(b.view.getUint32(At.EXIT, true)).toBe(exit);
      expect(b.view.getUint32(At.EXIT_CODE, true)).toBe(code);
      expect(b.view.getUint32(At.ATTENTION, true)).toBe(1);
    });

    it("ignores what it does not know", () => {
      b.view.setUint32(At.ATTENTION, 0, true);
      b.write(Board.FINISHER, 0x1234);
      b.write(Board.FINISHER + 4, 0x5555);
      b.write(Board.FINISHER, 0x55, 1);
      b.write(Board.FINISHER + 1, 0x5555, 2);
      expect(b.view.getUint32(At.ATTENTION, true)).toBe(0);
    });
  });
});
