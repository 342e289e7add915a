// The PLIC against a driver: RISC-V PLIC specification 1.0.0.
import { beforeEach, describe, expect, it } from "vitest";
import { Map as Board } from "../../assembly/abi/memory-map.ts";
import { Line, TestBoard } from "./board.ts";

const PRIORITY = Board.PLIC;
const PENDING = Board.PLIC + 0x1000;
const ENABLE = Board.PLIC + 0x2000;
const CONTEXT = Board.PLIC + 0x20_0000;
const M0 = 0;
const S0 = 1;
const S1 = 3;

describe("PLIC", () => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create();
  });

  const enable = (context: number, source: number, priority = 1) => {
    b.write(PRIORITY + 4 * source, priority);
    const at = ENABLE + 0x80 * context + 4 * (source >> 5);
    b.write(at, b.read(at) | (1 << (source & 31)));
  };
  const raise = (source: number, level = true) => b.call("raiseIrq", source, level);
  const claim = (context: number) => b.read(CONTEXT + 0x1000 * context + 4);
  const complete = (context: number, source: number) => b.write(CONTEXT + 0x1000 * context + 4, source);
  const pending = (source: number) => (b.read(PENDING + 4 * (source >> 5)) >>> (source & 31)) & 1;

  it("drives MEIP of machine contexts and SEIP of supervisor contexts, each hart its own", () => {
    enable(M0, 10);
    enable(S1, 11);
    raise(10);
    expect([b.line(0, Line.MEIP), b.line(0, Line.SEIP), b.line(1, Line.SEIP)]).toEqual([true, false, false]);
    raise(11);
    expect([b.line(1, Line.MEIP), b.line(1, Line.SEIP)]).toEqual([false, true]);
  });

  it("claims the highest priority first, among equals the lowest number", () => {
    for (const [source, priority] of [
      [40, 2],
      [9, 2],
      [90, 7],
    ]) {
      enable(S0, source, priority);
      raise(source);
    }
    expect([claim(S0), claim(S0), claim(S0), claim(S0)]).toEqual([90, 9, 40, 0]);
    expect(b.line(0, Line.SEIP)).toBe(false);
  });

  it("never raises priority 0 and masks what does not exceed the threshold", () => {
    enable(S0, 5, 0);
    raise(5);
    expect(b.line(0, Line.SEIP)).toBe(false);
    expect(claim(S0)).toBe(0);
    b.write(CONTEXT + 0x1000, 3);
    b.write(PRIORITY + 20, 3);
    expect(b.line(0, Line.SEIP)).toBe(false);
    b.write(PRIORITY + 20, 4);
    expect(b.line(0, Line.SEIP)).toBe(true);
    b.write(CONTEXT + 0x1000, 7);
    expect(b.line(0, Line.SEIP)).toBe(false);
  });

  it("closes the gateway from claim to completion; a wire still high is pending again", () => {
    enable(S0, 33);
    raise(33);
    expect(claim(S0)).toBe(33);
    expect(pending(33)).toBe(0);
    raise(33, false);
    raise(33);
    expect(pending(33)).toBe(0);
    complete(S0, 33);
    expect(pending(33)).toBe(1);
    expect(claim(S0)).toBe(33);
    raise(33, false);
    complete(S0, 33);
    expect(pending(33)).toBe(0);
  });

  it("keeps an accepted request although its wire fell", () => {
    enable(S0, 7);
    raise(7);
    raise(7, false);
    expect(claim(S0)).toBe(7);
  });

  it("ignores a completion from a context where the source is not enabled", () => {
    enable(S0, 7);
    raise(7);
    claim(S0);
    complete(S1, 7);
    expect(pending(7)).toBe(0);
    complete(S0, 7);
    expect(pending(7)).toBe(1);
  });

  it("hands a source enabled in two contexts to whoever claims first", () => {
    enable(S0, 12);
    enable(S1, 12);
    raise(12);
    expect([b.line(0, Line.SEIP), b.line(1, Line.SEIP)]).toEqual([true, true]);
    expect([claim(S1), claim(S0)]).toEqual([12, 0]);
    expect([b.line(0, Line.SEIP), b.line(1, Line.SEIP)]).toEqual([false, false]);
  });

  it("has no source 0, no source 96, no context beyond its harts, no pending bit to write", () => {
    for (const source of [0, 96, 1000]) {
      raise(source);
      complete(S0, source);
    }
    b.write(PRIORITY, 7);
    b.write(ENABLE + 0x80, 0xffff_ffff);
    b.write(PENDING, 0xffff_ffff);
    b.write(ENABLE + 0x80 * 4, 0xffff_ffff);
    b.write(CONTEXT + 0x1000 * 4, 7);
    expect(b.read(PRIORITY)).toBe(0);
    expect(b.read(ENABLE + 0x80)).toBe(0xffff_fffe);
    expect(b.read(PENDING)).toBe(0);
    expect(b.read(ENABLE + 0x80 * 4)).toBe(0);
    expect(b.read(CONTEXT + 0x1000 * 4)).toBe(0);
    expect(claim(4)).toBe(0);
  });

  it("has three bits of priority and takes dwords alone", () => {
    b.write(PRIORITY + 4, 0xffff_ffff);
    expect(b.read(PRIORITY + 4)).toBe(7);
    b.write(PRIORITY + 4, 1, 1);
    expect(b.read(PRIORITY + 4)).toBe(7);
    expect(b.read(PRIORITY + 4, 1)).toBe(0);
    expect(b.read64(PRIORITY + 8)).toBe(0n);
  });
});
