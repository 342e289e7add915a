// 9P transport: messages and replies between guest memory and the host, whatever they say.
import { describe, expect, it } from "vitest";
import { DeviceKind } from "../../../assembly/abi/device.ts";
import { Layout } from "../../../assembly/abi/layout.ts";
import { Virtio9p } from "../../../assembly/abi/virtio.ts";
import { Driver, READY, type Transport, transports } from "./driver.ts";
import { Machine, RAM, RAM_BYTES } from "./machine.ts";

const message = (length: number, type: number, tag: number) => {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint8(4, type);
  view.setUint16(5, tag, true);
  return bytes;
};

describe.each(transports)("virtio-9p over $name", ({ attach }) => {
  const start = () => {
    const m = Machine.create();
    const t: Transport = attach(m, { kind: DeviceKind.VIRTIO_9P });
    const d = new Driver(m, t);
    const [q] = d.start([64], []);
    return { m, t, d, q };
  };
  /** Puts host bytes where shareDone takes them from. */
  const scratch = (m: Machine, bytes: ArrayLike<number>) => {
    m.bytes.set(bytes, Layout.STAGING);
    return Layout.STAGING;
  };

  it("tells its tag, which only the host can change", () => {
    const { m, t } = start();
    const tag = new TextEncoder().encode("shared");
    expect(m.call("virtio9pSetTag", t.index, scratch(m, tag), tag.length)).toBe(1);
    expect(t.config(Virtio9p.CONFIG_TAG_LEN, 2)).toBe(6);
    const read = Array.from({ length: 6 }, (_, i) => t.config(Virtio9p.CONFIG_TAG + i, 1));
    expect(read).toEqual([...tag]);
    t.setConfig(2, 1, 0);
    expect(t.config(2, 1)).toBe(tag[0]);
    expect(m.call("virtio9pSetTag", t.index, Layout.STAGING, 32)).toBe(0);
    expect(m.call("virtio9pSetTag", t.index, Layout.STAGING, 0)).toBe(0);
    expect(m.call("virtio9pSetTag", 5, Layout.STAGING, 3)).toBe(0);
  });

  it("hands over a message and takes a reply, however both are cut", () => {
    const { m, d, q } = start();
    const request = message(50, 100, 9).map((byte, i) => (i < 7 ? byte : i));
    m.shareReply = Uint8Array.from({ length: 40 }, (_, i) => 200 - i);
    const into = [d.allocate(3), d.allocate(64)];
    q.add([
      { address: d.place(request.subarray(0, 5)), length: 5 },
      { address: d.place(request.subarray(5, 6)), length: 1 },
      { address: d.place(request.subarray(6)), length: 44 },
      { address: into[0], length: 3, write: true },
      { address: into[1], length: 64, write: true },
    ]);
    q.kick();
    expect(q.take()).toEqual({ head: 0, length: 40 });
    expect(m.shareRequests).toEqual([request]);
    expect([...m.peek(into[0], 3), ...m.peek(into[1], 37)]).toEqual([...m.shareReply]);
    expect(m.outside).toEqual([]);
  });

  it("gives back what is no message, or has no room for a reply, without asking the host", () => {
    const { m, t, d, q } = start();
    q.add([{ address: d.place(message(7, 8, 1)), length: 7 }]);
    q.add([
      { address: d.place(message(7, 8, 1)), length: 7 },
      { address: d.allocate(16), length: 10, write: true },
    ]);
    q.add([
      { address: d.place(message(7, 8, 1)), length: 6 },
      { address: d.allocate(16), length: 16, write: true },
    ]);
    q.kick();
    expect(q.takeAll().map(({ length }) => length)).toEqual([0, 0, 0]);
    expect(m.shareRequests).toEqual([]);
    expect(t.status()).toBe(READY);
  });

  it("holds requests whose replies come later, in any order, while others go on", () => {
    const { m, d, q } = start();
    m.shareAnswers = "later";
    const rooms = [d.allocate(16), d.allocate(16)];
    for (const [i, address] of rooms.entries()) {
      q.add([
        { address: d.place(message(15, 50, i)), length: 15 },
        { address, length: 16, write: true },
      ]);
    }
    q.kick();
    expect(q.take()).toBeUndefined();
    m.shareAnswers = "now";
    q.add([
      { address: d.place(message(15, 50, 2)), length: 15 },
      { address: d.allocate(16), length: 16, write: true },
    ]);
    q.kick();
    expect(q.take()?.head).toBe(4);
    const [first, second] = m.shareTags;
    const done = message(7, 51, 1);
    expect(m.call("shareDone", 7, second, scratch(m, done), 7)).toBe(1);
    expect(q.take()).toEqual({ head: 2, length: 7 });
    expect(m.peek(rooms[1], 7)).toEqual(done);
    // Once; for the right share; for requests that there are.
    for (const [share, tag] of [
      [7, second],
      [8, first],
      [7, first + 1],
      [7, 0xffff_ffff],
    ]) {
      expect(m.call("shareDone", share, tag, Layout.STAGING, 7)).toBe(0);
    }
    expect(m.call("shareDone", 7, first, Layout.STAGING, 4000)).toBe(1); // more than the room: nothing
    expect(q.take()).toEqual({ head: 0, length: 0 });
  });

  it("takes no more requests than it can hold, and goes on when there is room", () => {
    const { m, d, q } = start();
    m.shareAnswers = "later";
    for (let i = 0; i < 32; i++) {
      q.add([
        { address: d.place(message(15, 50, i)), length: 15 },
        { address: d.allocate(16), length: 16, write: true },
      ]);
      q.kick();
    }
    q.takeAll();
    // Descriptors 0 and 1 are still in use: the next goes through an indirect table on none of them.
    expect(m.shareTags).toHaveLength(32);
    q.add(
      [
        { address: d.place(message(15, 50, 99)), length: 15 },
        { address: d.allocate(16), length: 16, write: true },
      ],
      true,
    );
    q.kick();
    expect(m.shareTags).toHaveLength(32);
    m.shareAnswers = "now";
    expect(m.call("shareDone", 7, m.shareTags[5], scratch(m, message(7, 51, 5)), 7)).toBe(1);
    expect(m.shareTags).toHaveLength(33);
    expect(q.takeAll()).toHaveLength(2);
    expect(m.call("virtioValidate")).toBe(1);
  });

  it("forgets held requests at a reset, and answers them with an error after a restore", () => {
    const { m, t, d, q } = start();
    m.shareAnswers = "later";
    const room = d.allocate(16);
    q.add([
      { address: d.place(message(15, 50, 0x1234)), length: 15 },
      { address: room, length: 16, write: true },
    ]);
    q.kick();
    const saved = m.state(t.index);
    const [tag] = m.shareTags;
    t.setStatus(0);
    expect(m.call("shareDone", 7, tag, Layout.STAGING, 7)).toBe(0);
    m.restore(t.index, saved);
    expect(m.call("virtioValidate")).toBe(1);
    m.call("virtioResume");
    expect(q.take()).toEqual({ head: 0, length: 11 });
    expect([...m.peek(room, 11)]).toEqual([11, 0, 0, 0, 7, 0x34, 0x12, 5, 0, 0, 0]);
    expect(m.call("shareDone", 7, tag, Layout.STAGING, 7)).toBe(0);
  });

  it("is refused after a restore with a held reply outside of RAM", () => {
    const { m, t, d, q } = start();
    m.shareAnswers = "later";
    q.add([
      { address: d.place(message(15, 50, 1)), length: 15 },
      { address: RAM + RAM_BYTES - 16, length: 16, write: true },
    ]);
    q.kick();
    const state = m.state(t.index);
    new DataView(state.buffer).setUint32(0x540 + 0x40, RAM_BYTES - 4, true);
    m.restore(t.index, state);
    expect(m.call("virtioValidate")).toBe(0);
  });
});
