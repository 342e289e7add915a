// What every device of the board owes: reset twice is reset once, a restore changes
// nothing, and stray accesses stay in their device.
import { describe, expect, it } from "vitest";
import { Machine as At, Layout } from "../../assembly/abi/layout.ts";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { type BoardOptions, random, same, TestBoard } from "./board.ts";

/** BARs of the network controllers. */
const CONTROLLERS = Board.PCIE_MMIO + 0x10_0000;

const KERNEL: BoardOptions = { aia: true };
const FIRMWARE: BoardOptions = { aia: true, firmware: true };

const AHCI_BAR = Board.PCIE_MMIO + 0x1_8000;

const devices: [name: string, base: number, size: number, board?: BoardOptions][] = [
  ["finisher", Board.FINISHER, Board.FINISHER_SIZE],
  ["RTC", Board.RTC, Board.RTC_SIZE],
  ["ACLINT", Board.ACLINT, Board.ACLINT_SIZE],
  ["PLIC", Board.PLIC, Board.PLIC_SIZE],
  ["UARTs", Board.UART, 2 * Board.UART_SIZE],
  ["PCIe I/O", Board.PCIE_PIO, Board.PCIE_PIO_SIZE],
  ["PCI configuration", Board.PCIE_ECAM, 4 << 15],
  ["PCI BARs", Board.PCIE_MMIO, 0x2_0000],
  ["AHCI", AHCI_BAR, 0x800],
  ["network controllers", CONTROLLERS, 0x4_0000],
  ["custom devices", Board.CUSTOM, 0x2000],
  ["supervisor level's APLIC", Board.APLIC_S, Board.APLIC_SIZE, KERNEL],
  ["supervisor level's IMSICs", Board.IMSIC_S, 8 * Board.IMSIC_PAGE, KERNEL],
  ["machine level's APLIC", Board.APLIC_M, Board.APLIC_SIZE, FIRMWARE],
  ["machine level's IMSICs", Board.IMSIC_M, 8 * Board.IMSIC_PAGE, FIRMWARE],
  ["boot ROM", Board.MROM, Board.MROM_SIZE],
];

function create(options?: BoardOptions): TestBoard {
  return TestBoard.create((b) => {
    b.call("attachNvme", 1, 0, 0, b.disk.length, 0);
    if (b.read64(Board.CUSTOM) === 0n) b.call("attachCustom", 0, 0x1000);
    b.call("attachNvme", 2, 1, 1, b.disk.length, 1);
    b.call("attachAhci", 3, 0, 2, b.disk.length, 0);
    b.call("attachAhci", 3, 5, 3, b.disk.length, 1);
    for (const model of [0, 1]) {
      b.call("netConfigure", model, 0x1200_5452, 0x5634, 1500, 1, 1000, 1);
      b.call("attachE1000", 4 + model, model, model, model, 0x1200_5452, 0x5634);
    }
  }, options);
}

/** Places all controllers, so that there is something behind the BARs. */
function place(b: TestBoard): void {
  for (const slot of [1, 2]) {
    b.write(b.ecam(slot, 0x10), Board.PCIE_MMIO + slot * 0x8000);
    b.write(b.ecam(slot, 0x14), 0);
    b.write(b.ecam(slot, 0x04), 6, 2);
  }
  b.write(b.ecam(3, 0x24), AHCI_BAR);
  b.write(b.ecam(3, 0x04), 6, 2);
  for (const slot of [4, 5]) {
    b.write(b.ecam(slot, 0x10), CONTROLLERS + (slot - 4) * 0x2_0000);
    b.write(b.ecam(slot, 0x1c), Board.PCIE_MMIO + 0x1_8000);
    b.write(b.ecam(slot, 0x04), 6, 2);
  }
}

/** Reads and writes of any width and alignment, registers near the start preferred. */
function stray(b: TestBoard, base: number, size: number, seed: number, accesses: number): string[] {
  const next = random(seed);
  const seen: string[] = [];
  for (let i = 0; i < accesses; i++) {
    const width = [1, 2, 4, 8][next(4)];
    const anywhere = next(2) ? next(size) : next(Math.min(size, 0x80));
    const pa = base + (next(4) ? anywhere - (anywhere % width) : anywhere);
    if (next(2)) seen.push(b.read64(pa, width).toString(16));
    else b.write(pa, (BigInt(next(2 ** 31 - 1)) << BigInt(next(33))) | BigInt(next(256)), width);
    if (next(16) === 0) {
      b.now += next(1000);
      b.call("updateTimers");
    }
  }
  return seen;
}

describe.each(devices)("%s", (_name, base, size, options) => {
  it("reset twice is reset once, and is power-on", () => {
    const b = create(options);
    const powerOn = b.save();
    place(b);
    stray(b, base, size, 1, 3000);
    b.reset();
    const once = b.save();
    b.reset();
    expect(same(b.save(), once)).toBe(true);
    expect(same(once, powerOn)).toBe(true);
  });

  it("save, restore, save is identical, and the run goes on as it would have", () => {
    const b = create(options);
    place(b);
    stray(b, base, size, 2, 3000);
    const saved = b.save();
    const { now } = b;
    const went = stray(b, base, size, 3, 1000);
    const end = b.save();

    const c = create(options);
    c.restore(saved);
    expect(c.valid()).toBe(true);
    expect(same(c.save(), saved)).toBe(true);
    c.now = now;
    expect(stray(c, base, size, 3, 1000)).toEqual(went);
    expect(same(c.save(), end)).toBe(true);
  });

  it("stray accesses reach no memory but device state, the run record and the counters", () => {
    const b = create(options);
    place(b);
    const own = (from: number, to: number) => b.bytes.slice(from, to);
    const regions: [number, number][] = [
      [0, Layout.MACHINE],
      [Layout.MACHINE, At.EXIT],
      [Layout.HARTS, Layout.DEVICES],
      [Layout.EXIT_COUNTERS_END, b.bytes.length],
    ];
    const before = regions.map(([from, to]) => own(from, to));
    stray(b, base, size, 4, 20_000);
    regions.forEach(([from, to], i) => void expect(same(own(from, to), before[i])).toBe(true));
    expect(b.valid()).toBe(true);
    expect(b.calls.filter((c) => c.kind !== "flush")).toEqual([]);
  });
});
