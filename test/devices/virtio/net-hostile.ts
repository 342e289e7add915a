// virtio-net against a driver that breaks the rules: what it gives is dropped or stops its
// own device, no byte outside guest RAM is touched, and the backend sees sane frames alone.
import { describe, expect, it } from "vitest";
import { Dev } from "../../../assembly/abi/device.ts";
import { Layout } from "../../../assembly/abi/layout.ts";
import { NET_FRAME_MAX, NetGso } from "../../../assembly/abi/net.ts";
import { VirtioStatus } from "../../../assembly/abi/virtio.ts";
import type { NetFrame } from "../../../src/backend/net.ts";
import { findTcp } from "../../../src/backend/net-headers.ts";
import { transports } from "./driver.ts";
import { RAM, RAM_BYTES } from "./machine.ts";
import { pattern, plainFrame, tcpFrame } from "./net-frames.ts";
import { HEADER, header, netMachine, PORT, startNet } from "./net-host.ts";
import type { SplitQueue } from "./rings.ts";

/** What a backend may rely on. */
function judge({ parts, length, offload }: NetFrame): void {
  expect(parts.reduce((sum, part) => sum + part.length, 0)).toBe(length);
  expect(length).toBeGreaterThanOrEqual(14);
  expect(length).toBeLessThanOrEqual(NET_FRAME_MAX);
  if (offload === undefined) return;
  const { checksum, segment } = offload;
  expect(checksum).toBeDefined();
  if (checksum) expect(checksum.start + checksum.offset + 2).toBeLessThanOrEqual(length);
  if (segment === undefined) return;
  const found = findTcp(parts[0]);
  expect(found?.data).toBe(segment.headerLength);
  expect(segment.size).toBeGreaterThan(0);
}

describe.each(transports)("virtio-net over $name with a hostile driver", ({ attach }) => {
  const tcp = tcpFrame({ version: 4, payload: pattern(3000) });
  const good = { flags: 1, gso: NetGso.TCPV4, size: 1000, start: tcp.start, offset: 16 };

  it.each([
    ["segments without a checksum", { ...good, flags: 0 }],
    ["segments of no bytes", { ...good, size: 0 }],
    ["segments of a kind that there is not", { ...good, gso: 2 }],
    ["IPv6 segments of an IPv4 frame", { ...good, gso: NetGso.TCPV6 }],
    ["a checksum beyond the frame", { flags: 1, start: tcp.bytes.length - 1, offset: 0 }],
    ["a checksum at an offset beyond the frame", { flags: 1, start: 34, offset: 0xfffe }],
    ["a checksum in the Ethernet header", { flags: 1, start: 2, offset: 2 }],
    ["segments whose checksum is not TCP's", { ...good, offset: 6 }],
    ["segments that begin elsewhere than TCP", { ...good, start: tcp.start + 2 }],
  ])("drops %s", (_what, fields) => {
    const n = netMachine(attach);
    const [, tx] = startNet(n);
    const { d } = n;
    for (const accepts of [n.backend.accepts, 0]) {
      n.backend.accepts = accepts;
      tx.add([
        { address: d.place(header(fields)), length: HEADER },
        { address: d.place(tcp.bytes), length: tcp.bytes.length },
      ]);
    }
    tx.kick();
    expect(tx.takeAll()).toHaveLength(2);
    expect(n.backend.take()).toEqual([]);
    expect(n.nets.counts(PORT).malformed).toBe(2);
  });

  it.each([
    ["a frame shorter than its addresses", 13],
    ["a frame longer than any", NET_FRAME_MAX + 1],
    ["a megabyte", 1 << 20],
  ])("drops %s", (_what, length) => {
    const n = netMachine(attach);
    const [, tx] = startNet(n);
    tx.add([
      { address: n.d.place(header()), length: HEADER },
      { address: RAM + 0x10_0000, length },
    ]);
    tx.kick();
    expect(tx.takeAll()).toHaveLength(1);
    expect(n.backend.take()).toEqual([]);
  });

  it.each([
    ["half a header", [6], false],
    ["a readable chain in the receive queue", [200], true],
  ])("stops its own device for %s", (_what, lengths, receive) => {
    const n = netMachine(attach);
    const [rx, tx] = startNet(n);
    (receive ? rx : tx).add(lengths.map((length) => ({ address: n.d.allocate(length), length })));
    tx.kick();
    n.backend.deliver(plainFrame(60));
    expect(n.t.status() & VirtioStatus.DEVICE_NEEDS_RESET).toBe(VirtioStatus.DEVICE_NEEDS_RESET);
    expect(n.backend.deliver(plainFrame(60))).toBe(true);
    n.t.setStatus(0);
    const [again] = startNet(n);
    again.add([{ address: n.d.allocate(200), length: 200, write: true }]);
    expect(n.backend.deliver(plainFrame(60))).toBe(true);
    expect(again.takeAll()).toHaveLength(1);
  });

  it("loses a frame that would take more buffers than are kept account of", () => {
    const n = netMachine(attach);
    const [rx] = startNet(n, 3, [], 256);
    const address = n.d.allocate(32);
    for (let i = 0; i < 200; i++) rx.add([{ address, length: 16, write: true }]);
    expect(n.backend.deliver(plainFrame(3000))).toBe(true);
    expect(n.nets.counts(PORT).lost).toBe(1);
    expect(n.backend.deliver(plainFrame(60))).toBe(true);
    expect(rx.takeAll()).toHaveLength(5);
  });

  it.each([1, 2, 3, 4])("lives through noise (seed %d)", (seed) => {
    let x = seed * 0x9e37_79b9;
    const pick = (limit: number) => {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      return (x >>> 0) % limit;
    };
    const n = netMachine(attach, { pairs: 3, accepts: pick(16) });
    const { m, t } = n;
    n.backend.onSend = (frame) => {
      judge(frame);
      n.backend.frames.length = 0;
      if (pick(3) === 0) n.backend.deliver(plainFrame(14 + pick(3000)));
    };
    n.backend.onReady = () => void n.backend.deliver(plainFrame(14 + pick(3000)));
    // Everything but guest RAM, the device's own state, interrupt lines and counters.
    const outside = () =>
      Buffer.concat([
        m.bytes.subarray(0, Layout.MACHINE),
        m.bytes.subarray(Layout.HARTS, Layout.DEVICES),
        m.bytes.subarray(Dev.NVME, Dev.VIRTIO),
        m.bytes.subarray(Dev.AHCI, Dev.NET),
        m.bytes.subarray(Dev.NET + 0x2000, Layout.DEVICES_END),
        m.bytes.subarray(Layout.STATIC_DATA_END, Layout.RAM),
      ]);
    const before = Buffer.from(outside());
    const address = () =>
      [RAM + pick(RAM_BYTES), RAM + 0x10_0000 + pick(0x8000), RAM + RAM_BYTES - pick(64), 0][Math.min(pick(16), 5) % 4];
    let resets = 0;
    for (let round = 0; round < 4000; round++) {
      if (round % 64 === 0 || (t.status() & VirtioStatus.DEVICE_NEEDS_RESET) !== 0) {
        resets++;
        n.d = new (n.d.constructor as typeof import("./driver.ts").Driver)(m, t);
        startNet(n, 7, [pick(24), pick(24), 64], 8);
      }
      // Mostly the queue that what follows is meant for.
      const any = pick(7);
      const meant = (queues: number[]) => n.d.queues[pick(4) === 0 ? any : queues[pick(queues.length)]];
      const [rx, tx, commands, q] = [meant([0, 2, 4]), meant([1, 3, 5]), meant([2, 6]), n.d.queues[any] as SplitQueue];
      const frame = [plainFrame(14 + pick(100)), tcp.bytes][pick(2)];
      m.fill(RAM + 0x20_0000, [
        ...header({ ...good, flags: pick(3), gso: pick(6), size: pick(2000), start: [34, pick(0x1_0000)][pick(2)] }),
      ]);
      m.fill(RAM + 0x20_1000, frame);
      // Commands to the control queue, true and false ones.
      m.fill(RAM + 0x20_4000, [pick(7), pick(3), pick(5), 0, 0, 0, pick(5), 0, 0, 0, ...pattern(32, seed)]);
      const kinds = [
        () =>
          tx.add([
            { address: RAM + 0x20_0000, length: HEADER },
            { address: RAM + 0x20_1000, length: frame.length },
          ]),
        () =>
          commands.add([
            { address: RAM + 0x20_4000, length: 2 + pick(30) },
            { address: RAM + 0x20_5000, length: 1, write: true },
          ]),
        () =>
          rx.add(
            [{ address: RAM + 0x30_0000, length: [2000, 100, pick(20) + 1][pick(3)], write: true }],
            pick(2) === 0,
          ),
        () => {
          for (let i = 0; i < 8; i++)
            q.describe(i, address(), [pick(4096), pick(20), pick(2 ** 32)][Math.min(pick(20), 2)], pick(8), pick(9));
          q.offer(pick(8));
        },
        () => q.setAvailIndex(q.availIndex + pick(3)),
      ];
      kinds[Math.min(pick(13), 11) % 5]();
      if (pick(3) !== 0) for (const queue of [rx, tx, commands, q]) queue.kick();
      n.backend.deliver([plainFrame(14 + pick(2000)), tcp.bytes][pick(2)]);
      if (pick(50) === 0) n.backend.guest?.setLink(pick(8) !== 0);
      if (pick(9) === 0) t.takeInterrupt();
      if (pick(9) === 0) m.call("virtioPoll");
      for (const queue of n.d.queues) queue.takeAll();
    }
    expect(resets).toBeGreaterThan(30);
    expect(n.nets.counts(PORT).sent).toBeGreaterThan(20);
    expect(n.nets.counts(PORT).delivered).toBeGreaterThan(20);
    expect(Buffer.compare(before, outside())).toBe(0);
    expect(m.outside).toEqual([]);
    expect(m.call("virtioValidate")).toBe(1);
  });
});
