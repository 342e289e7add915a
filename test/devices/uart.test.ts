// The UART against a driver that does what Linux's 8250 driver does to recognise and use
// it: PC16550D data sheet.
import { beforeEach, describe, expect, it } from "vitest";
import { Layout } from "../../assembly/abi/layout.ts";
import { Map as Board, Irq } from "../../assembly/abi/memory-map.ts";
import { Line, TestBoard } from "./board.ts";

const [RBR, IER, IIR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 3, 4, 5, 6, 7];
const THR = RBR;
const FCR = IIR;
const NONE = 1;

const PORTS: [name: string, base: number, irq: number, port: number][] = [
  ["NS16550A", Board.UART, Irq.UART, 0],
  ["second NS16550A", Board.SERIAL, Irq.SERIAL, 1],
];

describe.each(PORTS)("%s", (_name, base, irq, port) => {
  let b: TestBoard;
  beforeEach(() => {
    b = TestBoard.create();
    b.write(Board.PLIC + 4 * irq, 1);
    b.write(Board.PLIC + 0x2080, 1 << irq);
  });

  const get = (register: number) => b.read(base + register, 1);
  const put = (register: number, value: number) => b.write(base + register, value, 1);
  const type = (text: string) => {
    const at = Layout.STAGING;
    b.bytes.set(new TextEncoder().encode(text), at);
    return b.call("uartInput", port, at, text.length);
  };
  const readAll = () => {
    let text = "";
    while (get(LSR) & 1) text += String.fromCharCode(get(RBR));
    return text;
  };
  /** Level of the wire into the PLIC: what is pending after claim and completion. */
  const wire = () => {
    if (b.read(Board.PLIC + 0x20_1004) === irq) b.write(Board.PLIC + 0x20_1004, irq);
    return b.line(0, Line.SEIP);
  };

  it("hands output to the host at a flush, and by itself when the buffer is full", () => {
    for (const byte of new TextEncoder().encode("hello")) put(THR, byte);
    expect(b.output).toBe("");
    b.call("uartFlushAll");
    b.call("uartFlushAll");
    expect([b.output, b.outputCalls]).toEqual(["hello", 1]);
    for (let i = 0; i < 600; i++) put(THR, 0x61);
    expect(b.outputCalls).toBe(3);
    b.call("uartFlushAll");
    expect(b.output).toBe(`hello${"a".repeat(600)}`);
  });

  it("hands a line to the host at its end", () => {
    const before = b.outputCalls;
    for (const byte of new TextEncoder().encode("line\nrest")) put(THR, byte);
    expect(b.outputCalls).toBe(before + 1);
    expect(b.output.endsWith("line\n")).toBe(true);
    b.call("uartFlushAll");
    expect(b.output.endsWith("line\nrest")).toBe(true);
  });

  it("is recognised as a 16550A and nothing newer", () => {
    put(SCR, 0x5a);
    expect(get(SCR)).toBe(0x5a);
    put(IER, 0xff);
    expect(get(IER)).toBe(0x0f);
    put(IER, 0);
    put(FCR, 0);
    expect(get(IIR)).toBe(NONE);
    put(FCR, 1);
    expect(get(IIR)).toBe(0xc0 | NONE);
    put(LCR, 0x80);
    put(FCR, 0x21);
    expect(get(IIR) & 0x20).toBe(0);
    put(LCR, 0);
  });

  it("keeps the divisor behind DLAB", () => {
    put(LCR, 0x83);
    put(0, 0x34);
    put(1, 0x12);
    expect([get(0), get(1)]).toEqual([0x34, 0x12]);
    put(LCR, 0x03);
    expect([get(IER), get(LCR)]).toEqual([0, 3]);
    b.call("uartFlushAll");
    expect(b.output).toBe("");
  });

  it("loops modem lines and data back", () => {
    expect(get(MSR)).toBe(0xb0);
    put(MCR, 0x1a); // LOOP, OUT2, RTS
    expect(get(MSR)).toBe(0x92); // DCD and CTS stay, DSR falls: its delta
    put(THR, 0x42);
    expect(get(LSR) & 3).toBe(1);
    put(THR, 0x43); // without FIFOs there is room for one
    expect(get(LSR) & 2).toBe(2);
    expect(get(LSR) & 2).toBe(0);
    expect(get(RBR)).toBe(0x42);
    expect(type("x")).toBe(0);
    put(MCR, 0x14); // OUT1 comes back as RI
    put(MCR, 0x10);
    expect(get(MSR) & 0x44).toBe(0x04); // its trailing edge
    put(MCR, 0);
    b.call("uartFlushAll");
    expect(b.output).toBe("");
  });

  describe("THRE interrupt", () => {
    it("comes when enabled while THR is empty, and goes when IIR is read", () => {
      put(IER, 2);
      expect(wire()).toBe(true);
      expect(get(IIR)).toBe(2);
      expect(get(IIR)).toBe(NONE);
      expect(wire()).toBe(false);
      put(IER, 2); // no edge
      expect(wire()).toBe(false);
      put(IER, 0);
      put(IER, 2);
      expect(wire()).toBe(true);
    });

    it("comes again when a byte is gone", () => {
      put(IER, 2);
      get(IIR);
      put(THR, 0x61);
      expect(wire()).toBe(true);
      expect(get(LSR)).toBe(0x60);
      expect(get(IIR)).toBe(2);
    });

    it("is not taken back by reading IIR for something more urgent", () => {
      put(IER, 3);
      type("x");
      expect(get(IIR)).toBe(4);
      get(RBR);
      expect(get(IIR)).toBe(2);
    });
  });

  describe("receiver", () => {
    it("takes 16 bytes with FIFOs and one without, and says how many", () => {
      expect(type("abc")).toBe(1);
      expect(b.call("uartRxRoom", port)).toBe(0);
      expect(readAll()).toBe("a");
      put(FCR, 1);
      expect(type("0123456789abcdefgh")).toBe(16);
      expect(b.call("uartRxRoom", port)).toBe(0);
      expect(get(RBR)).toBe(0x30);
      expect(b.call("uartRxRoom", port)).toBe(1);
      expect(type("gh")).toBe(1);
      expect(readAll()).toBe("123456789abcdefg");
      expect(get(RBR)).toBe(0);
    });

    it.each([
      [0x01, 1],
      [0x41, 4],
      [0x81, 8],
      [0xc1, 14],
    ])("with FCR %i interrupts for data at %i bytes, for a timeout below", (fcr, trigger) => {
      put(FCR, fcr);
      put(IER, 1);
      type("x".repeat(trigger));
      expect(get(IIR)).toBe(0xc4);
      expect(wire()).toBe(true);
      get(RBR);
      expect(get(IIR)).toBe(trigger > 1 ? 0xcc : 0xc0 | NONE);
      readAll();
      expect(get(IIR)).toBe(0xc0 | NONE);
      expect(wire()).toBe(false);
    });

    it("is emptied by FCR, and when FIFOs are switched", () => {
      put(FCR, 1);
      type("abc");
      put(FCR, 3);
      expect(get(LSR) & 1).toBe(0);
      type("abc");
      put(FCR, 0);
      expect(get(LSR) & 1).toBe(0);
      expect(b.valid()).toBe(true);
    });
  });
});
