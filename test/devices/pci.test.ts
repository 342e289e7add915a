// The root bus against a driver that enumerates it: PCI Local Bus 3.0, chapter 6.
import { beforeEach, describe, expect, it } from "vitest";
import { DeviceKind } from "../../assembly/abi/device.ts";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import { Line, TestBoard } from "./board.ts";

const COMMAND = 0x04;
const BAR0 = 0x10;
const MEMORY = 2;
const INTX_DISABLE = 1 << 10;
const WINDOW = Board.PCIE_MMIO;
const HIGH_WINDOW = Board.PCIE_MMIO64_PAGE * 4096;

/** A function of a kind that answers nothing behind its BARs but MSI-X. */
function addFunction(b: TestBoard, slot: number, pin = 1): void {
  b.call("addFunction", slot, DeviceKind.PCI_HOST, 0, 0x1234, 0x5678, 0x010203, 7, 0xaaaa, 0xbbbb, pin);
}

describe("configuration space", () => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create((board) => {
      addFunction(board, 3);
      board.call("addBar", 3, 0, 0x1000, false);
      board.call("addBar", 3, 2, 0x4000, true);
    });
  });

  it("has QEMU's host bridge at 00:00.0", () => {
    expect(b.read(b.ecam(0, 0))).toBe(0x0008_1b36);
    expect(b.read(b.ecam(0, 8)) >>> 8).toBe(0x06_00_00);
  });

  it("shows a function's identity in every width", () => {
    expect(b.read(b.ecam(3, 0))).toBe(0x5678_1234);
    expect(b.read(b.ecam(3, 2), 2)).toBe(0x5678);
    expect(b.read(b.ecam(3, 8), 1)).toBe(7);
    expect(b.read(b.ecam(3, 0x2c))).toBe(0xbbbb_aaaa);
    expect(b.read64(b.ecam(3, 0x28))).toBe(0xbbbb_aaaa_0000_0000n);
  });

  it.each([
    ["an empty slot", 4 << 15],
    ["another function of a slot", (3 << 15) | (1 << 12)],
    ["another bus", 1 << 20],
    ["the last bus", 0xfff_f000],
    ["extended configuration space", (3 << 15) | 0x100],
  ])("reads all ones from %s and takes no writes there", (_what, offset) => {
    for (const [size, ones] of [
      [1, 0xff],
      [2, 0xffff],
      [4, 0xffff_ffff],
    ]) {
      b.write(Board.PCIE_ECAM + offset, 0, size);
      expect(b.read(Board.PCIE_ECAM + offset, size)).toBe(ones);
    }
    expect(b.read64(Board.PCIE_ECAM + offset)).toBe(0xffff_ffff_ffff_ffffn);
  });

  it("keeps what is read-only", () => {
    for (let register = 0; register < 0x100; register += 4) b.write(b.ecam(3, register), 0xffff_ffff);
    expect(b.read(b.ecam(3, 0))).toBe(0x5678_1234);
    expect(b.read(b.ecam(3, COMMAND))).toBe(0x0000_0546);
    expect(b.read(b.ecam(3, 0x3c))).toBe(0x0000_01ff);
  });

  it("tells BAR sizes by what cannot be written", () => {
    for (const bar of [0, 1, 2, 3]) b.write(b.ecam(3, BAR0 + 4 * bar), 0xffff_ffff);
    expect(b.read(b.ecam(3, BAR0))).toBe(0xffff_f000);
    expect(b.read(b.ecam(3, BAR0 + 4))).toBe(0);
    expect(b.read(b.ecam(3, BAR0 + 8))).toBe(0xffff_c004);
    expect(b.read(b.ecam(3, BAR0 + 12))).toBe(0xffff_ffff);
  });

  it("links capabilities and says that there are some", () => {
    const c = TestBoard.create((board) => {
      addFunction(board, 1);
      expect(board.call("addCapability", 1, 9, 6)).toBe(0x40);
      expect(board.call("addCapability", 1, 5, 8)).toBe(0x48);
      board.call("configSet8", 1, 0x42, 6);
    });
    expect(c.read(c.ecam(1, 0x06), 2) & 0x10).toBe(0x10);
    expect(c.read(c.ecam(1, 0x34), 1)).toBe(0x40);
    expect(c.read(c.ecam(1, 0x40))).toBe(0x0006_4809);
    expect(c.read(c.ecam(1, 0x48), 2)).toBe(0x0005);
  });
});

describe("base address registers", () => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create((board) => {
      for (const slot of [1, 2]) {
        addFunction(board, slot);
        board.call("addBar", slot, 0, 0x1000, true);
        board.call("addMsix", slot, 0, 0, 0x800, 4);
      }
    });
  });

  const place = (slot: number, at: number, commandBits = MEMORY) => {
    b.write(b.ecam(slot, BAR0), at % 2 ** 32);
    b.write(b.ecam(slot, BAR0 + 4), Math.floor(at / 2 ** 32));
    b.write(b.ecam(slot, COMMAND), commandBits, 2);
  };
  /** A vector's data word, which is plain storage. */
  const probe = (at: number) => {
    b.write(at + 8, 0x1234_5678);
    return b.read(at + 8) === 0x1234_5678;
  };

  it("answer where the guest puts them, in both windows, and move", () => {
    for (const at of [WINDOW, WINDOW + 0x3fff_f000, HIGH_WINDOW, HIGH_WINDOW + (0x12_3456_7000 % 0x4_0000_0000)]) {
      place(1, at);
      expect(probe(at)).toBe(true);
      place(1, at, 0);
      expect(b.read(at + 8)).toBe(0xffff_ffff);
    }
  });

  it("read all ones beside them and before memory decoding is on", () => {
    place(1, WINDOW + 0x1000, 0);
    expect(b.read(WINDOW + 0x1008)).toBe(0xffff_ffff);
    place(1, WINDOW + 0x1000);
    expect(b.read(WINDOW + 0x2000)).toBe(0xffff_ffff);
    expect(b.read(WINDOW + 0xffc)).toBe(0xffff_ffff);
  });

  it("reach nothing outside the windows", () => {
    for (const at of [0, Board.PLIC, Board.RAM, Board.PCIE_ECAM, 2 ** 52]) {
      place(1, at);
      expect(probe(at)).toBe(false);
    }
    expect(b.valid()).toBe(true);
  });

  it("answer once where they overlap: the lower slot", () => {
    place(1, WINDOW);
    place(2, WINDOW + 0x1000);
    expect(probe(WINDOW + 0x1000)).toBe(true);
    place(2, WINDOW);
    b.write(WINDOW + 8, 1);
    place(1, WINDOW, 0);
    expect(b.read(WINDOW + 8)).toBe(0x1234_5678);
  });

  it("hold the MSI-X table: masked at reset, address aligned, pending bits read-only", () => {
    place(1, WINDOW);
    expect(b.read(b.ecam(1, 0x40)) & 0x7ff_00ff).toBe(0x0003_0011);
    expect(b.read(WINDOW + 12)).toBe(1);
    b.write(WINDOW + 16, 0xffff_ffff_ffff_ffffn, 8);
    expect(b.read64(WINDOW + 16)).toBe(0xffff_ffff_ffff_fffcn);
    b.write(WINDOW + 28, 0xffff_fffe);
    expect(b.read(WINDOW + 28)).toBe(0);
    b.write(WINDOW + 0x800, 0xffff_ffff);
    expect(b.read(WINDOW + 0x800)).toBe(0);
    expect(b.read(WINDOW + 64)).toBe(0xffff_ffff); // past the fourth vector
  });
});

describe("the configuration access window", () => {
  it("reaches a BAR, and nothing with a wrong length, bar, offset or alignment", () => {
    const b = TestBoard.create((board) => {
      addFunction(board, 1);
      board.call("addBar", 1, 0, 0x1000, false);
      board.call("addMsix", 1, 0, 0, 0x800, 4);
      const window = board.call("addCapability", 1, 9, 20);
      for (const at of [4, 8, 12]) board.call("configWritable", 1, window + at, -1);
      board.call("setConfigWindow", 1, window);
    });
    const window = b.ecam(1, 0x4c);
    const set = (bar: number, offset: number, length: number) => {
      b.write(window + 4, bar);
      b.write(window + 8, offset);
      b.write(window + 12, length);
    };
    set(0, 8, 4);
    b.write(window + 16, 0xcafe_f00d);
    expect(b.read(window + 16)).toBe(0xcafe_f00d);
    for (const [bar, offset, length] of [
      [0, 8, 0],
      [0, 8, 3],
      [0, 8, 0xffff_ffff],
      [0, 6, 4],
      [0, 0x1000, 4],
      [0, 0xffff_fffc, 4],
      [1, 8, 4],
      [6, 8, 4],
      [255, 8, 4],
    ]) {
      set(bar, offset, length);
      b.write(window + 16, 0x1111_1111);
      expect(b.read(window + 16)).toBe(0);
    }
    set(0, 8, 4);
    expect(b.read(window + 16)).toBe(0xcafe_f00d);
  });
});

describe("INTx", () => {
  let b: TestBoard;
  /** All four wires enabled for hart 0's supervisor context. */
  beforeEach(() => {
    b = TestBoard.create((board) => {
      for (const slot of [1, 2, 5]) {
        addFunction(board, slot);
        board.call("addBar", slot, 0, 0x1000, false);
        board.call("addMsix", slot, 0, 0, 0x800, 4);
      }
      addFunction(board, 6, 4);
    });
    for (let wire = 0; wire < 4; wire++) b.write(Board.PLIC + 4 * (Irq.PCIE + wire), 1);
    b.write(Board.PLIC + 0x2080 + 4, 0xf);
  });

  const claim = () => b.read(Board.PLIC + 0x20_1004);
  const complete = (source: number) => b.write(Board.PLIC + 0x20_1004, source);

  it.each([
    [1, 1],
    [2, 2],
    [5, 1],
    [6, 1], // INTD of slot 6: 6 + 3
  ])("of slot %i is wire %i", (slot, wire) => {
    b.call("setIntx", slot, true);
    expect(b.line(0, Line.SEIP)).toBe(true);
    expect(claim()).toBe(Irq.PCIE + wire);
  });

  it("stays high while one of those who share it asserts", () => {
    b.call("setIntx", 1, true);
    b.call("setIntx", 5, true);
    const source = claim();
    b.call("setIntx", 1, false);
    complete(source);
    expect(claim()).toBe(source);
    b.call("setIntx", 5, false);
    complete(source);
    expect(claim()).toBe(0);
  });

  it("is held back by Interrupt Disable while Interrupt Status shows it", () => {
    b.write(b.ecam(2, COMMAND), INTX_DISABLE, 2);
    b.call("setIntx", 2, true);
    expect(b.line(0, Line.SEIP)).toBe(false);
    expect(b.read(b.ecam(2, 0x06), 2) & 8).toBe(8);
    b.write(b.ecam(2, COMMAND), 0, 2);
    expect(b.line(0, Line.SEIP)).toBe(true);
  });

  it("gives way to MSI-X", () => {
    b.write(b.ecam(2, 0x42), 0x8000, 2);
    b.call("setIntx", 2, true);
    expect(b.line(0, Line.SEIP)).toBe(false);
    b.write(b.ecam(2, 0x42), 0, 2);
    expect(b.line(0, Line.SEIP)).toBe(true);
  });
});
