// virtio-net and the host's half of it, against a driver that keeps the rules (virtio 1.2, 5.1).
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../../assembly/abi/device.ts";
import { NetAt, NetGso, NetHeaderFlag, NetOffload } from "../../../assembly/abi/net.ts";
import { VirtioInterrupt, VirtioNet, VirtioNetConfig, VirtioStatus } from "../../../assembly/abi/virtio.ts";
import { type DriverQueue, forms, READY } from "./driver.ts";
import { GUEST, PEER, pattern, plainFrame, readTcp, sumOf, tcpFrame } from "./net-frames.ts";
import { ALL, control, ERR, HEADER, header, type NetMachine, netMachine, OK, PORT, startNet } from "./net-host.ts";

const BROADCAST = [255, 255, 255, 255, 255, 255];
const GROUP = [0x33, 0x33, 0, 0, 0, 1];

describe.each(forms)("virtio-net over $name", ({ attach }) => {
  let n: NetMachine;
  let rx: DriverQueue;
  let tx: DriverQueue;

  const start = (options: Parameters<typeof netMachine>[1] = {}, without: number[] = [], queues = 3) => {
    n = netMachine(attach, options);
    [rx, tx] = startNet(n, queues, without);
  };
  beforeEach(() => start());

  /** Sends a frame in one piece behind its header. */
  const send = (head: Uint8Array, frame: Uint8Array, queue = tx) => {
    queue.add([
      { address: n.d.place(head), length: HEADER },
      { address: n.d.place(frame), length: frame.length },
    ]);
    queue.kick();
    expect(queue.takeAll()).toHaveLength(1);
  };
  const offer = (length: number, count = 1, queue = rx) =>
    Array.from({ length: count }, () => {
      const address = n.d.allocate(length);
      queue.add([{ address, length, write: true }]);
      return address;
    });
  const config = (offset: number, size: number) => n.t.config(offset, size);

  it("says what it is", () => {
    expect(Array.from({ length: 6 }, (_, i) => config(VirtioNetConfig.MAC + i, 1))).toEqual(GUEST);
    expect(config(VirtioNetConfig.STATUS, 2)).toBe(VirtioNet.S_LINK_UP);
    expect(config(VirtioNetConfig.MTU, 2)).toBe(1500);
    expect(config(VirtioNetConfig.SPEED, 4)).toBe(10_000);
    expect(config(VirtioNetConfig.DUPLEX, 1)).toBe(1);
    expect(n.m.call("netOffloads", PORT)).toBe(ALL);
    n.t.setStatus(0);
    expect(n.m.call("netOffloads", PORT)).toBe(-1);
  });

  describe("sends", () => {
    it("a frame however it is cut, before the kick returns", () => {
      const frame = plainFrame(101, PEER, GUEST);
      const all = Uint8Array.from([...header(), ...frame]);
      const at = n.d.place(all);
      // The header's end and the frame's beginning share a buffer; others lie apart.
      const cuts = [0, 7, 20, 21, 60, all.length];
      const scattered = cuts.slice(1).map((end, i) => {
        const length = end - cuts[i];
        const address = n.d.allocate(length + 3);
        n.m.fill(address, n.m.peek(at + cuts[i], length));
        return { address, length };
      });
      tx.add(scattered);
      tx.add(scattered, true);
      tx.kick();
      expect(n.backend.take()).toEqual([frame, frame]);
      expect(tx.takeAll().map(({ length }) => length)).toEqual([0, 0]);
    });

    it("checksums undone to who does them, and does them for who does not", () => {
      const { bytes, start: tcp } = tcpFrame({ version: 4, payload: pattern(99) });
      const head = header({ flags: NetHeaderFlag.NEEDS_CSUM, start: tcp, offset: 16 });
      send(head, bytes);
      expect(n.backend.frames[0].offload).toEqual({ checksum: { start: tcp, offset: 16 } });
      expect(n.backend.take()).toEqual([bytes]);
      n.backend.accepts = NetOffload.NONE;
      send(head, bytes);
      expect(n.backend.frames[0].offload).toBeUndefined();
      expect(readTcp(n.backend.take()[0]).payload).toEqual(pattern(99));
    });

    it.each([
      [4, NetGso.TCPV4, undefined],
      [6, NetGso.TCPV6, undefined],
      [4, NetGso.TCPV4 | NetGso.ECN, 5],
    ] as const)("64 KiB of TCP over IPv%d in segments", (version, gso, vlan) => {
      const options = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
      const payload = pattern(65_000);
      const tcp = tcpFrame({ version, payload, sequence: 0xffff_f000, flags: 0x99, id: 0xffff, options, vlan });
      const head = header({ flags: 1, gso, length: tcp.headers, size: 1448, start: tcp.start, offset: 16 });
      send(head, tcp.bytes);
      expect(n.backend.frames[0].offload).toEqual({
        checksum: { start: tcp.start, offset: 16 },
        segment: { type: gso, size: 1448, headerLength: tcp.headers },
      });
      expect(n.backend.take()).toEqual([tcp.bytes]);

      for (const accepts of [NetOffload.NONE, NetOffload.CHECKSUM]) {
        n.backend.accepts = accepts;
        send(head, tcp.bytes);
        const frames = n.backend.frames.splice(0);
        expect(frames).toHaveLength(Math.ceil(payload.length / 1448));
        let done = 0;
        frames.forEach(({ parts: [bytes], offload }, i) => {
          if (accepts === NetOffload.CHECKSUM) {
            expect(offload).toEqual({ checksum: { start: tcp.start, offset: 16 } });
            const sum = 0xffff - sumOf(bytes.subarray(tcp.start));
            bytes[tcp.start + 16] = sum >> 8;
            bytes[tcp.start + 17] = sum & 0xff;
          } else expect(offload).toBeUndefined();
          const segment = readTcp(bytes);
          expect(Buffer.compare(segment.payload, payload.subarray(done, done + 1448))).toBe(0);
          expect(segment.sequence).toBe((0xffff_f000 + done) >>> 0);
          // CWR in the first alone, FIN and PSH in the last.
          expect(segment.flags).toBe(i === 0 ? 0x90 : i === frames.length - 1 ? 0x19 : 0x10);
          if (version === 4) expect(segment.id).toBe((0xffff + i) & 0xffff);
          done += segment.payload.length;
        });
        expect(done).toBe(payload.length);
      }
    });

    it("nothing while the link is down, and gives the buffers back", () => {
      n.backend.guest?.setLink(false);
      expect(config(VirtioNetConfig.STATUS, 2)).toBe(0);
      expect(n.t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
      send(header(), plainFrame(60));
      expect(n.backend.take()).toEqual([]);
      expect(n.backend.deliver(plainFrame(60))).toBe(true);
      expect(n.nets.counts(PORT).lost).toBe(1);
    });
  });

  describe("receives", () => {
    it("into one buffer, with a header that says that nothing is undone", () => {
      const [at] = offer(1600);
      const frame = plainFrame(301);
      expect(n.backend.deliver(frame)).toBe(true);
      expect(rx.takeAll()).toEqual([{ head: 0, length: HEADER + 301 }]);
      expect([...n.m.peek(at, HEADER)]).toEqual([...Array(10).fill(0), 1, 0]);
      expect(n.m.peek(at + HEADER, 301)).toEqual(frame);
      expect(n.t.takeInterrupt()).toBe(VirtioInterrupt.USED_BUFFER);
    });

    it("into as many as it takes, and says how many", () => {
      const at = offer(100, 5);
      const { bytes, start: tcp, headers } = tcpFrame({ version: 4, payload: pattern(270), to: GUEST, from: PEER });
      const offload = {
        checksum: { start: tcp, offset: 16 },
        segment: { type: NetGso.TCPV4, size: 100, headerLength: headers },
      };
      expect(n.backend.deliver(bytes, offload)).toBe(true);
      const used = rx.takeAll();
      expect(used.map(({ length }) => length)).toEqual([100, 100, 100, 36]);
      const got = Buffer.concat(used.map(({ length }, i) => n.m.peek(at[i], length)));
      expect(Buffer.compare(got.subarray(HEADER), bytes)).toBe(0);
      const expected = header({ flags: 1, gso: 1, length: headers, size: 100, start: tcp, offset: 16 });
      expected[10] = 4;
      expect(Uint8Array.from(got.subarray(0, HEADER))).toEqual(expected);
    });

    it("with a header that lies in pieces", () => {
      const at = n.d.allocate(4096);
      rx.add([5, 1, 4, 30, 400].map((length, i) => ({ address: at + 512 * i, length, write: true })));
      const frame = plainFrame(64);
      expect(n.backend.deliver(frame)).toBe(true);
      expect(rx.takeAll()).toEqual([{ head: 0, length: HEADER + 64 }]);
      const got = [5, 1, 4, 30, 36].flatMap((length, i) => [...n.m.peek(at + 512 * i, length)]);
      expect(got).toEqual([...Array(10).fill(0), 1, 0, ...frame]);
    });

    it("finished frames where the driver takes no others, each segment on its own", () => {
      start({}, [VirtioNet.F_GUEST_TSO4, VirtioNet.F_GUEST_TSO6, VirtioNet.F_GUEST_ECN, VirtioNet.F_GUEST_CSUM]);
      expect(n.m.call("netOffloads", PORT)).toBe(0);
      const at = offer(1600, 2);
      const payload = pattern(3000);
      const { bytes, start: tcp, headers } = tcpFrame({ version: 6, payload, to: GUEST, from: PEER });
      const offload = {
        checksum: { start: tcp, offset: 16 },
        segment: { type: NetGso.TCPV6, size: 1000, headerLength: headers },
      };
      // Two fit, the third waits for a buffer; until then nothing passes it.
      expect(n.backend.deliver(bytes, offload)).toBe(true);
      expect(n.backend.deliver(plainFrame(60))).toBe(false);
      at.push(...offer(1600, 2));
      rx.kick();
      expect(n.backend.readyCalls).toBe(1);
      expect(n.backend.deliver(plainFrame(60))).toBe(true);
      const used = rx.takeAll();
      expect(used).toHaveLength(4);
      const got = used.slice(0, 3).map(({ length }, i) => readTcp(n.m.peek(at[i] + HEADER, length - HEADER)).payload);
      expect(Buffer.compare(Buffer.concat(got), payload)).toBe(0);
    });

    it("keeps a frame out for which there is too little room, and says when there is", () => {
      offer(100, 2);
      const frame = plainFrame(500);
      expect(n.backend.deliver(frame)).toBe(false);
      expect(rx.takeAll()).toEqual([]);
      let taken = false;
      n.backend.onReady = () => {
        taken = n.backend.deliver(frame);
      };
      offer(600);
      rx.kick();
      expect(taken).toBe(true);
      expect(rx.takeAll().map(({ length }) => length)).toEqual([100, 100, 312]);
      // Nobody waits: the next kick is nobody's business.
      offer(600);
      rx.kick();
      expect(n.backend.readyCalls).toBe(1);
    });

    it("asks for the kick behind what it left, with the event index", () => {
      const { d, t } = n;
      d.negotiate(t.deviceFeatures());
      for (let queue = 0; queue < 3; queue++) d.setUpQueue(queue, 64);
      t.setStatus(READY);
      [rx] = d.queues;
      offer(100, 3);
      expect(n.backend.deliver(plainFrame(500))).toBe(false);
      expect(rx.wantsKick).toBe(true);
      offer(600);
      rx.kick();
      expect(n.backend.deliver(plainFrame(500))).toBe(true);
      expect(rx.takeAll()).toHaveLength(4);
    });

    it("loses a frame that a buffer alone cannot hold, where buffers are not merged", () => {
      start({}, [VirtioNet.F_MRG_RXBUF]);
      const at = offer(1526, 2);
      expect(n.backend.deliver(plainFrame(1600))).toBe(true);
      expect(n.nets.counts(PORT).lost).toBe(1);
      expect(n.backend.deliver(plainFrame(1514))).toBe(true);
      expect(rx.takeAll()).toEqual([{ head: 0, length: 1526 }]);
      expect(n.m.peek(at[0] + HEADER, 1514)).toEqual(plainFrame(1514));
    });

    it("an answer before the frame it answers is given back", () => {
      const [at] = offer(1600);
      n.backend.onSend = () => void n.backend.deliver(plainFrame(60));
      send(header(), plainFrame(60, PEER, GUEST));
      expect(rx.takeAll()).toEqual([{ head: 0, length: HEADER + 60 }]);
      expect(n.m.peek(at + HEADER, 60)).toEqual(plainFrame(60));
    });

    it("goes on after a reset in which frames waited", () => {
      expect(n.backend.deliver(plainFrame(60))).toBe(false);
      n.t.setStatus(0);
      [rx] = startNet(n);
      offer(1600);
      rx.kick();
      expect(n.backend.readyCalls).toBe(1);
      expect(n.backend.deliver(plainFrame(60))).toBe(true);
    });
  });

  describe("filters", () => {
    const CTRL_RX = VirtioNet.CTRL_RX;
    const CTRL_MAC = VirtioNet.CTRL_MAC;
    const CTRL_VLAN = VirtioNet.CTRL_VLAN;
    const arrives = (frame: Uint8Array) => {
      offer(200);
      n.backend.deliver(frame);
      return rx.takeAll().length === 1;
    };
    const other = [2, 0, 0, 0, 0, 9];

    it("by address, once the driver has said so", () => {
      expect(arrives(plainFrame(60, other))).toBe(true);
      expect(control(n, 2, CTRL_RX, VirtioNet.CTRL_RX_PROMISC, [0])).toBe(OK);
      expect(control(n, 2, CTRL_MAC, VirtioNet.CTRL_MAC_TABLE_SET, [0, 0, 0, 0, 1, 0, 0, 0, ...GROUP])).toBe(OK);
      expect(arrives(plainFrame(60, other))).toBe(false);
      expect(arrives(plainFrame(60))).toBe(true);
      expect(arrives(plainFrame(60, BROADCAST))).toBe(true);
      expect(arrives(plainFrame(60, GROUP))).toBe(true);
      expect(arrives(plainFrame(60, [0x33, 0x33, 0, 0, 0, 2]))).toBe(false);
      expect(control(n, 2, CTRL_RX, VirtioNet.CTRL_RX_ALLMULTI, [1])).toBe(OK);
      expect(arrives(plainFrame(60, [0x33, 0x33, 0, 0, 0, 2]))).toBe(true);
      expect(control(n, 2, CTRL_RX, VirtioNet.CTRL_RX_NOBCAST, [1])).toBe(OK);
      expect(arrives(plainFrame(60, BROADCAST))).toBe(false);
      expect(control(n, 2, CTRL_MAC, VirtioNet.CTRL_MAC_ADDR_SET, other)).toBe(OK);
      expect(arrives(plainFrame(60, other))).toBe(true);
      expect(arrives(plainFrame(60))).toBe(false);
      expect(config(VirtioNetConfig.MAC, 1)).toBe(2);
    });

    it("takes all of a sort where the driver names more than it keeps", () => {
      control(n, 2, CTRL_RX, VirtioNet.CTRL_RX_PROMISC, [0]);
      const many = Array.from({ length: 17 }, (_, i) => [0x33, 0x33, 0, 0, 1, i]).flat();
      expect(control(n, 2, CTRL_MAC, VirtioNet.CTRL_MAC_TABLE_SET, [0, 0, 0, 0, 17, 0, 0, 0, ...many])).toBe(OK);
      expect(arrives(plainFrame(60, GROUP))).toBe(true);
      expect(arrives(plainFrame(60, other))).toBe(false);
    });

    it("by VLAN", () => {
      const tagged = (vlan: number) => tcpFrame({ version: 4, payload: pattern(20), vlan, to: GUEST }).bytes;
      expect(arrives(tagged(5))).toBe(false);
      expect(control(n, 2, CTRL_VLAN, VirtioNet.CTRL_VLAN_ADD, [5, 0])).toBe(OK);
      expect(arrives(tagged(0x6005))).toBe(true);
      expect(arrives(tagged(6))).toBe(false);
      expect(control(n, 2, CTRL_VLAN, VirtioNet.CTRL_VLAN_DEL, [5, 0])).toBe(OK);
      expect(arrives(tagged(5))).toBe(false);
    });

    it.each([
      ["a class that there is not", 99, 0, [0]],
      ["a command that there is not", CTRL_RX, 6, [0]],
      ["no data", CTRL_RX, 0, []],
      ["a VLAN beyond 4095", CTRL_VLAN, 0, [0, 0x10]],
      ["a table longer than its command", CTRL_MAC, 0, [2, 0, 0, 0, ...GUEST, 0, 0, 0, 0]],
      ["a table of 2^32 - 1 addresses", CTRL_MAC, 0, [255, 255, 255, 255, 0, 0, 0, 0]],
      ["a second table that ends early", CTRL_MAC, 0, [0, 0, 0, 0, 1, 0, 0, 0, 1, 2]],
      ["an address of five bytes", CTRL_MAC, 1, [1, 2, 3, 4, 5]],
      ["pairs on a device that has one", VirtioNet.CTRL_MQ, 0, [1, 0]],
      ["offloads that were not agreed", VirtioNet.CTRL_GUEST_OFFLOADS, 0, [4, 0, 0, 0, 0, 0, 0, 0]],
    ])("refuses %s", (_what, group, code, data) => {
      expect(control(n, 2, group, code, data)).toBe(ERR);
      expect(n.t.status()).toBe(READY);
      expect(n.m.call("virtioValidate")).toBe(1);
    });
  });

  it("is not restored onto a port that is another's, or out of range", () => {
    const port = Dev.NET + NetAt.PORTS + NetAt.PORT_SIZE * PORT;
    const { view } = n.m;
    expect(n.m.call("virtioValidate")).toBe(1);
    for (const [what, at, value] of [
      ["kind", 0, 0],
      ["instance", 4, 31],
      ["link", 8, 2],
      ["MTU", 18, 67],
      ["pairs", 20, 0],
    ] as const) {
      const before = view.getUint16(port + at, true);
      view.setUint16(port + at, value, true);
      expect(n.m.call("virtioValidate"), what).toBe(0);
      view.setUint16(port + at, before, true);
    }
    expect(n.m.call("virtioValidate")).toBe(1);
  });

  it("switches what the driver takes undone", () => {
    const set = (...features: number[]) => {
      const mask = features.reduce((sum, bit) => sum + 2 ** bit, 0);
      return control(n, 2, VirtioNet.CTRL_GUEST_OFFLOADS, 0, [mask & 0xff, mask >> 8, 0, 0, 0, 0, 0, 0]);
    };
    expect(set(VirtioNet.F_GUEST_CSUM)).toBe(OK);
    expect(n.m.call("netOffloads", PORT)).toBe(NetOffload.CHECKSUM);
    expect(set(VirtioNet.F_GUEST_CSUM, VirtioNet.F_GUEST_TSO4)).toBe(OK);
    expect(n.m.call("netOffloads", PORT)).toBe(NetOffload.CHECKSUM | NetOffload.TSO4);
    expect(set()).toBe(OK);
    expect(n.m.call("netOffloads", PORT)).toBe(0);
  });

  it("asks to be announced when its cable is plugged in again", () => {
    n.backend.guest?.setLink(false);
    n.t.takeInterrupt();
    n.backend.guest?.setLink(true);
    expect(n.t.takeInterrupt()).toBe(VirtioInterrupt.CONFIGURATION);
    expect(config(VirtioNetConfig.STATUS, 2)).toBe(VirtioNet.S_LINK_UP | VirtioNet.S_ANNOUNCE);
    expect(control(n, 2, VirtioNet.CTRL_ANNOUNCE, 0, [])).toBe(OK);
    expect(config(VirtioNetConfig.STATUS, 2)).toBe(VirtioNet.S_LINK_UP);
  });

  describe("with several pairs of queues", () => {
    const PAIRS = 4;
    beforeEach(() => start({ pairs: PAIRS }, [], 2 * PAIRS + 1));
    const flow = (from: number) => tcpFrame({ version: 4, payload: pattern(10), ports: [from, 80] }).bytes;
    /** The same flow, the other way. */
    const back = (from: number) => {
      const frame = tcpFrame({ version: 4, payload: pattern(10), to: GUEST, from: PEER, ports: [80, from] }).bytes;
      const at = 26;
      const addresses = frame.slice(at, at + 8);
      frame.set([...addresses.slice(4), ...addresses.slice(0, 4)], at);
      return frame;
    };
    const received = () => Array.from({ length: PAIRS }, (_, pair) => n.d.queues[2 * pair].takeAll().length);

    it("receives a flow where the driver last sent it", () => {
      expect(config(VirtioNetConfig.MAX_VIRTQUEUE_PAIRS, 2)).toBe(PAIRS);
      expect(control(n, 2 * PAIRS, VirtioNet.CTRL_MQ, 0, [PAIRS, 0])).toBe(OK);
      for (let pair = 0; pair < PAIRS; pair++) offer(400, 8, n.d.queues[2 * pair]);
      for (const pair of [3, 1, 2]) {
        send(header(), flow(1000 + pair), n.d.queues[2 * pair + 1]);
        n.backend.deliver(back(1000 + pair));
        expect(received()).toEqual([0, 1, 2, 3].map((it) => (it === pair ? 1 : 0)));
      }
      send(header(), flow(1003), n.d.queues[1]);
      n.backend.deliver(back(1003));
      expect(received()).toEqual([1, 0, 0, 0]);
    });

    it("uses the first alone until the driver says otherwise", () => {
      for (let pair = 0; pair < PAIRS; pair++) offer(400, 2, n.d.queues[2 * pair]);
      send(header(), flow(1), n.d.queues[5]);
      n.backend.deliver(back(1));
      expect(received()).toEqual([1, 0, 0, 0]);
      expect(control(n, 2 * PAIRS, VirtioNet.CTRL_MQ, 0, [0, 0])).toBe(ERR);
      expect(control(n, 2 * PAIRS, VirtioNet.CTRL_MQ, 0, [PAIRS + 1, 0])).toBe(ERR);
    });
  });

  it("without the control queue's features takes everything, and no commands", () => {
    start({}, [VirtioNet.F_CTRL_RX, VirtioNet.F_CTRL_VLAN, VirtioNet.F_CTRL_MAC_ADDR]);
    expect(control(n, 2, VirtioNet.CTRL_RX, 0, [0])).toBe(ERR);
    offer(200);
    n.backend.deliver(plainFrame(60, [2, 9, 9, 9, 9, 9]));
    expect(rx.takeAll()).toHaveLength(1);
    expect(n.t.status() & VirtioStatus.DEVICE_NEEDS_RESET).toBe(0);
  });
});
