// Console device: output, input, the control dialogue, sizes. virtio 1.2, 5.3.
import { beforeEach, describe, expect, it } from "vitest";
import { ConsolePort, DeviceKind } from "../../../assembly/abi/device.ts";
import { Layout } from "../../../assembly/abi/layout.ts";
import {
  VirtioConsole as V,
  VirtioAttach,
  VirtioFeature,
  VirtioInterrupt,
  VirtioStatus,
} from "../../../assembly/abi/virtio.ts";
import { Driver, forms, READY } from "./driver.ts";
import { Machine } from "./machine.ts";

interface Message {
  port: number;
  event: number;
  value: number;
  body: number[];
}

class ConsoleDriver extends Driver {
  private readonly rooms = new Map<number, number>();

  post(queue: number, length = 64): void {
    const address = this.allocate(length);
    const head = this.queues[queue].add([{ address, length, write: true }]);
    this.rooms.set(queue * 1000 + head, address);
    this.queues[queue].kick();
  }
  /** What arrived on a queue, one entry a buffer. */
  received(queue: number): Uint8Array[] {
    return this.queues[queue].takeAll().map((u) => this.machine.peek(this.rooms.get(queue * 1000 + u.head)!, u.length));
  }
  send(queue: number, bytes: ArrayLike<number>): void {
    this.queues[queue].add([{ address: this.place(bytes), length: bytes.length }]);
    this.queues[queue].kick();
  }
  tell(event: number, port: number, value: number): void {
    const message = new DataView(new ArrayBuffer(8));
    message.setUint32(0, port, true);
    message.setUint16(4, event, true);
    message.setUint16(6, value, true);
    this.send(V.QUEUE_CONTROL_TX, new Uint8Array(message.buffer));
  }
  messages(): Message[] {
    return this.received(V.QUEUE_CONTROL_RX).map((bytes) => {
      const view = new DataView(bytes.buffer);
      return {
        port: view.getUint32(0, true),
        event: view.getUint16(4, true),
        value: view.getUint16(6, true),
        body: [...bytes.slice(8)],
      };
    });
  }
}

const ascii = (text: string) => [...text].map((c) => c.charCodeAt(0));

describe.each(forms)("virtio-console over $name", ({ attach }) => {
  let m: Machine;
  let d: ConsoleDriver;
  let index: number;

  const setPort = (port: number, name: string) => {
    m.bytes.set(ascii(name), Layout.STAGING);
    return m.call("virtioConsoleSetPort", index, port, false, Layout.STAGING, name.length);
  };
  const start = (without: number[] = [], flags = 0) => {
    m = Machine.create();
    const t = attach(m, { kind: DeviceKind.VIRTIO_CONSOLE, flags });
    index = t.index;
    setPort(1, "paravane.in");
    d = new ConsoleDriver(m, t);
    d.start(Array(18).fill(16), [VirtioFeature.EVENT_IDX, ...without]);
  };
  beforeEach(() => start());

  const input = (port: number, text: string): number => {
    m.bytes.set(ascii(text), Layout.STAGING);
    return m.call("virtioConsoleInput", index, port, Layout.STAGING, text.length);
  };
  const handshake = () => {
    for (let i = 0; i < 12; i++) d.post(V.QUEUE_CONTROL_RX);
    d.tell(V.DEVICE_READY, 0, 1);
    for (const port of [0, 1]) d.tell(V.PORT_READY, port, 1);
    d.messages();
  };

  it("describes itself", () => {
    const t = d.transport;
    expect(t.config(V.CONFIG_MAX_NR_PORTS, 4)).toBe(8);
    expect(t.config(V.CONFIG_COLS, 2)).toBe(80);
    expect(t.config(V.CONFIG_ROWS, 2)).toBe(25);
    t.setConfig(V.CONFIG_COLS, 2, 999);
    expect(t.config(V.CONFIG_COLS, 2)).toBe(80);
  });

  it("goes through the dialogue with a driver", () => {
    for (let i = 0; i < 12; i++) d.post(V.QUEUE_CONTROL_RX);
    expect(d.messages()).toEqual([]);
    d.tell(V.DEVICE_READY, 0, 1);
    expect(d.messages()).toEqual([0, 1].map((port) => ({ port, event: V.PORT_ADD, value: 1, body: [] })));
    d.tell(V.PORT_READY, 0, 1);
    expect(d.messages()).toEqual([
      { port: 0, event: V.CONSOLE_PORT, value: 1, body: [] },
      { port: 0, event: V.RESIZE, value: 1, body: [80, 0, 25, 0] },
      { port: 0, event: V.PORT_OPEN, value: 1, body: [] },
    ]);
    d.tell(V.PORT_READY, 1, 1);
    expect(d.messages()).toEqual([
      { port: 1, event: V.PORT_NAME, value: 1, body: ascii("paravane.in") },
      { port: 1, event: V.PORT_OPEN, value: 1, body: [] },
    ]);
    expect(m.call("virtioConsoleGuestOpen", index, 1)).toBe(0);
    d.tell(V.PORT_OPEN, 1, 1);
    expect(m.call("virtioConsoleGuestOpen", index, 1)).toBe(1);
    d.tell(V.PORT_OPEN, 1, 0);
    expect(m.call("virtioConsoleGuestOpen", index, 1)).toBe(0);
    expect(d.transport.status()).toBe(READY);
  });

  it("keeps messages until there is a buffer for each", () => {
    d.tell(V.DEVICE_READY, 0, 1);
    d.tell(V.PORT_READY, 0, 1);
    const seen: number[] = [];
    for (let i = 0; i < 8; i++) {
      d.post(V.QUEUE_CONTROL_RX);
      seen.push(...d.messages().map((message) => message.event * 10 + message.port));
    }
    expect(seen).toEqual([V.PORT_ADD * 10, V.CONSOLE_PORT * 10, V.RESIZE * 10, V.PORT_OPEN * 10, V.PORT_ADD * 10 + 1]);
  });

  it("asks for kicks on a queue of empty buffers only while it needs one", () => {
    const control = d.queues[V.QUEUE_CONTROL_RX];
    d.post(V.QUEUE_CONTROL_RX);
    expect(control.wantsKick).toBe(false);
    d.tell(V.DEVICE_READY, 0, 1);
    expect(control.wantsKick).toBe(true);
    d.post(V.QUEUE_CONTROL_RX);
    expect(d.messages()).toHaveLength(2);
    d.post(V.QUEUE_CONTROL_RX);
    expect(control.wantsKick).toBe(false);
  });

  it("adds a port that the host makes later", () => {
    handshake();
    expect(setPort(3, "paravane.out")).toBe(1);
    expect(d.messages()).toEqual([{ port: 3, event: V.PORT_ADD, value: 1, body: [] }]);
    expect(setPort(8, "x")).toBe(0);
    expect(setPort(4, "x".repeat(32))).toBe(0);
    expect(setPort(4, "x".repeat(31))).toBe(1);
    d.tell(V.PORT_READY, 4, 1);
    expect(d.messages()[1]).toEqual({ port: 4, event: V.PORT_NAME, value: 1, body: ascii("x".repeat(31)) });
  });

  it("puts out what is written to a port", () => {
    d.send(1, ascii("hello, "));
    d.queues[1].add(["wo", "rl", "d"].map((part) => ({ address: d.place(ascii(part)), length: part.length })));
    d.queues[1].kick();
    d.send(5, ascii("data"));
    expect(m.output.get(ConsolePort.VIRTIO)).toBe("hello, world");
    expect(m.output.get(ConsolePort.VIRTIO + 1)).toBe("data");
    d.send(7, ascii("to a port that does not exist"));
    expect([...m.output.keys()]).toEqual([ConsolePort.VIRTIO, ConsolePort.VIRTIO + 1]);
    expect(d.queues[7].takeAll()).toHaveLength(1);
  });

  it("puts out single characters at any time", () => {
    d.transport.setStatus(0);
    for (const c of ascii("oops")) d.transport.setConfig(V.CONFIG_EMERG_WR, 4, c);
    expect(m.output.get(ConsolePort.VIRTIO)).toBe("oops");
  });

  it("takes input when the port is open and there is room, as much as fits", () => {
    handshake();
    expect(input(0, "x")).toBe(0);
    d.tell(V.PORT_OPEN, 0, 1);
    expect(m.call("virtioConsoleInputReady", index, 0)).toBe(0);
    expect(input(0, "x")).toBe(0);
    d.post(0, 4);
    d.post(0, 4);
    expect(m.call("virtioConsoleInputReady", index, 0)).toBe(1);
    d.transport.takeInterrupt();
    expect(input(0, "abcdefghij")).toBe(8);
    expect(d.transport.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
    expect(d.received(0).map((b) => new TextDecoder().decode(b))).toEqual(["abcd", "efgh"]);
    expect(m.call("virtioConsoleInputReady", index, 0)).toBe(0);
    d.post(0, 64);
    expect(input(0, "ij")).toBe(2);
    expect(d.received(0)).toEqual([Uint8Array.from(ascii("ij"))]);
  });

  it("keeps ports apart", () => {
    handshake();
    for (const port of [0, 1]) d.tell(V.PORT_OPEN, port, 1);
    d.post(0);
    d.post(4);
    expect(input(1, "named")).toBe(5);
    expect(d.received(0)).toEqual([]);
    expect(d.received(4)).toEqual([Uint8Array.from(ascii("named"))]);
    expect(input(2, "nobody")).toBe(0);
    expect(input(8, "nobody")).toBe(0);
    expect(m.call("virtioConsoleInput", index + 1, 0, Layout.STAGING, 1)).toBe(0);
  });

  it("is a plain console to a driver without several ports", () => {
    start([V.F_MULTIPORT]);
    d.post(0);
    expect(m.call("virtioConsoleInputReady", index, 0)).toBe(1);
    expect(input(0, "hi")).toBe(2);
    expect(d.received(0)).toEqual([Uint8Array.from(ascii("hi"))]);
    expect(m.call("virtioConsoleInputReady", index, 1)).toBe(0);
  });

  it("tells the driver of a new size, in both ways", () => {
    handshake();
    d.transport.takeInterrupt();
    const generation = d.transport.generation();
    m.call("virtioConsoleResize", index, 132, 43);
    expect(d.transport.config(V.CONFIG_COLS, 2)).toBe(132);
    expect(d.transport.config(V.CONFIG_ROWS, 2)).toBe(43);
    expect(d.transport.generation()).not.toBe(generation);
    expect(d.transport.takeInterrupt() & VirtioInterrupt.CONFIGURATION).not.toBe(0);
    expect(d.messages()).toEqual([{ port: 0, event: V.RESIZE, value: 1, body: [132, 0, 43, 0] }]);
    m.call("virtioConsoleResize", index, 132, 43);
    expect(d.messages()).toEqual([]);
    expect(d.transport.takeInterrupt()).toBe(0);
  });

  it("says rows first to a guest that wants it so", () => {
    start([], VirtioAttach.RESIZE_ROWS_FIRST);
    for (let i = 0; i < 8; i++) d.post(V.QUEUE_CONTROL_RX);
    d.tell(V.DEVICE_READY, 0, 1);
    d.tell(V.PORT_READY, 0, 1);
    expect(d.messages().find((message) => message.event === V.RESIZE)?.body).toEqual([25, 0, 80, 0]);
  });

  it("forgets the driver on reset, not what the host set", () => {
    handshake();
    d.tell(V.PORT_OPEN, 0, 1);
    d.transport.setStatus(0);
    expect(m.call("virtioConsoleGuestOpen", index, 0)).toBe(0);
    d.start(Array(18).fill(16));
    for (let i = 0; i < 8; i++) d.post(V.QUEUE_CONTROL_RX);
    d.tell(V.DEVICE_READY, 0, 1);
    d.tell(V.PORT_READY, 1, 1);
    expect(d.messages().map((message) => [message.port, message.event])).toEqual([
      [0, V.PORT_ADD],
      [1, V.PORT_ADD],
      [1, V.PORT_NAME],
      [1, V.PORT_OPEN],
    ]);
  });

  it("passes over messages that mean nothing", () => {
    handshake();
    const strays = m.call("virtioStrays", index);
    d.tell(V.PORT_READY, 8, 1);
    d.tell(V.PORT_OPEN, 0xffff_ffff, 1);
    d.tell(V.PORT_OPEN, 5, 1);
    d.tell(77, 0, 1);
    d.send(V.QUEUE_CONTROL_TX, [1, 2, 3]);
    expect(m.call("virtioStrays", index)).toBe(strays + 5);
    expect(d.messages()).toEqual([]);
    expect(d.transport.status()).toBe(READY);
  });

  it("stops at a buffer too small for any message", () => {
    d.post(V.QUEUE_CONTROL_RX, 4);
    d.tell(V.DEVICE_READY, 0, 1);
    expect(d.transport.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
  });

  it("stops at room for input that is not writable", () => {
    handshake();
    d.tell(V.PORT_OPEN, 0, 1);
    d.queues[0].add([{ address: d.allocate(4), length: 4 }]);
    expect(input(0, "x")).toBe(0);
    expect(d.transport.status()).toBe(READY | VirtioStatus.DEVICE_NEEDS_RESET);
  });

  it("works with the event index", () => {
    m = Machine.create();
    d = new ConsoleDriver(m, attach(m, { kind: DeviceKind.VIRTIO_CONSOLE }));
    d.start(Array(18).fill(16), []);
    const control = d.queues[V.QUEUE_CONTROL_RX];
    d.post(V.QUEUE_CONTROL_RX);
    expect(control.wantsKick).toBe(false);
    d.tell(V.DEVICE_READY, 0, 1);
    d.tell(V.PORT_READY, 0, 1);
    expect(control.wantsKick).toBe(true);
    expect(d.messages()).toHaveLength(1);
  });
});
