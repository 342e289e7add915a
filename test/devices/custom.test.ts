// The way from a guest's access to a device that the host defines.
import { describe, expect, it } from "vitest";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import { TestBoard } from "./board.ts";

const WINDOW = Board.CUSTOM + Board.CUSTOM_STRIDE;

function create(): TestBoard {
  return TestBoard.create((b) => {
    expect(b.call("attachCustom", 1, 0x20)).toBe(1);
  });
}

describe("a device that the host defines", () => {
  it("answers in its window and nowhere else", () => {
    const b = create();
    expect(b.mapped(WINDOW)).toBe(true);
    expect(b.mapped(WINDOW + 0x1f)).toBe(true);
    expect(b.mapped(WINDOW + 0x20)).toBe(false);
    expect(b.mapped(Board.CUSTOM)).toBe(false);
    expect(b.read(WINDOW + 0x20)).toBe(0);
    b.write(WINDOW + 0x20, 1);
    expect(b.customCalls).toEqual([]);
  });

  it("is refused twice, beyond the last place, and with a window that is empty or too large", () => {
    const b = create();
    expect(b.call("attachCustom", 1, 0x20)).toBe(0);
    expect(b.call("attachCustom", Board.CUSTOM_DEVICES, 0x20)).toBe(0);
    expect(b.call("attachCustom", 2, 0)).toBe(0);
    expect(b.call("attachCustom", 2, Board.CUSTOM_STRIDE + 1)).toBe(0);
  });

  it("gets accesses of 1, 2 and 4 bytes as they are, and of 8 as two", () => {
    const b = create();
    expect(b.read(WINDOW + 4, 4)).toBe(0x8765_4321);
    b.read(WINDOW + 3, 1);
    b.write(WINDOW + 6, 0xbeef, 2);
    b.write(WINDOW + 8, 0xffff_ffff_1234_5678n, 8);
    expect(b.read64(WINDOW + 8)).toBe(0x8765_4321_8765_4321n);
    b.read(WINDOW + 2, 4);
    expect(b.customCalls).toEqual([
      "read 1 4 4",
      "read 1 3 1",
      "write 1 6 2 48879",
      "write 1 8 4 305419896",
      "write 1 12 4 4294967295",
      "read 1 8 4",
      "read 1 12 4",
    ]);
  });

  it("drives an interrupt of its own", () => {
    const b = create();
    const source = Irq.CUSTOM + 1;
    b.write(Board.PLIC + 4 * source, 1);
    b.write(Board.PLIC + 0x2080 + 4 * (source >> 5), 1 << (source & 31));
    b.call("customInterrupt", 0, 1);
    expect(b.read(Board.PLIC + 0x20_1004)).toBe(0);
    b.call("customInterrupt", 1, 1);
    expect(b.read(Board.PLIC + 0x20_1004)).toBe(source);
  });
});
