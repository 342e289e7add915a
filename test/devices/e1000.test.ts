// The Intel 82540EM and 82574L against a driver of our own. What both have in common runs
// over both.
import { beforeEach, describe, expect, it } from "vitest";
import { Dev } from "../../assembly/abi/device.ts";
import { NetAt, NetCut, NetGso, NetHeader } from "../../assembly/abi/net.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { Nets } from "../../src/guest/nets.ts";
import { TestBoard } from "./board.ts";
import {
  ASSERTED,
  BAR,
  Cause,
  Cmd,
  Driver,
  frame,
  IO,
  MAC,
  MODELS,
  MSIX_BAR,
  PORT,
  padded,
  places,
  Rctl,
  Reg,
  RING,
  SLOT,
  Status,
  sum,
} from "./e1000/driver.ts";
import { PEER, pattern, plainFrame, readTcp, tcpFrame } from "./virtio/net-frames.ts";
import { NotingBackend } from "./virtio/net-host.ts";

const CSUM = 0x02;
const IPSUM = 0x01;

function header(of: { start: number; offset: number; size?: number }): Uint8Array {
  const bytes = new Uint8Array(NetHeader.SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint8(NetHeader.FLAGS, 1);
  view.setUint16(NetHeader.CSUM_START, of.start, true);
  view.setUint16(NetHeader.CSUM_OFFSET, of.offset, true);
  view.setUint16(NetHeader.GSO_SIZE, of.size ?? 0, true);
  return bytes;
}

function readHeader(bytes: Uint8Array | undefined) {
  if (bytes === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    flags: view.getUint8(NetHeader.FLAGS),
    type: view.getUint8(NetHeader.GSO_TYPE),
    headers: view.getUint16(NetHeader.HDR_LEN, true),
    size: view.getUint16(NetHeader.GSO_SIZE, true),
    start: view.getUint16(NetHeader.CSUM_START, true),
    offset: view.getUint16(NetHeader.CSUM_OFFSET, true),
  };
}

describe.each(MODELS)("%s", (model) => {
  let d: Driver;
  beforeEach(() => {
    d = Driver.create(model);
  });

  describe("identity and registers", () => {
    it("is Intel's function, with capabilities", () => {
      const { board } = d;
      expect(board.read(board.ecam(SLOT, 0))).toBe(d.isE ? 0x10d3_8086 : 0x100e_8086);
      expect(board.read(board.ecam(SLOT, 8)) >>> 8).toBe(0x02_00_00);
      expect(board.read(board.ecam(SLOT, 0x2c))).toBe(d.isE ? 0xa01f_8086 : 0x001e_8086);
      const found: number[] = [];
      for (let at = board.read(board.ecam(SLOT, 0x34), 1); at !== 0; at = board.read(board.ecam(SLOT, at + 1), 1)) {
        found.push(board.read(board.ecam(SLOT, at), 1));
      }
      expect(found).toEqual(d.isE ? [1, 0x10, 0x11] : [1]);
    });

    it("has a link of 1,000 Mbit/s, which goes and comes with the host's, and says so", () => {
      expect(d.read(Reg.STATUS) & 0xc3).toBe(0x83);
      d.write(Reg.IMS, Cause.LSC);
      expect(d.interrupt()).toBe(false);
      d.board.call("netLink", PORT, 0);
      expect(d.read(Reg.STATUS) & 2).toBe(0);
      expect(d.interrupt()).toBe(true);
      expect(d.read(Reg.ICR) & Cause.LSC).toBe(Cause.LSC);
      expect(d.interrupt()).toBe(false);
      d.board.call("netLink", PORT, 1);
      expect(d.read(Reg.ICR) & Cause.LSC).toBe(Cause.LSC);
      d.write(Reg.CTRL, d.read(Reg.CTRL) & ~0x40);
      expect(d.read(Reg.STATUS) & 2).toBe(0);
    });

    it("has the MAC address in its first receive address and its NVM, which sums to 0xbaba", () => {
      expect(d.read(Reg.RAL)).toBe(0x1200_5452);
      expect(d.read(Reg.RAL + 4)).toBe(0x8000_5634);
      const words = Array.from({ length: 64 }, (_, i) => {
        d.write(Reg.EERD, (d.isE ? i << 2 : i << 8) | 1);
        const value = d.read(Reg.EERD);
        expect(value & (d.isE ? 2 : 16)).not.toBe(0);
        return value >>> 16;
      });
      expect(words.slice(0, 3)).toEqual([0x5452, 0x1200, 0x5634]);
      expect(words.reduce((a, b) => a + b, 0) & 0xffff).toBe(0xbaba);
    });

    it("reads and writes its transceiver", () => {
      const mdic = (value: number) => {
        d.write(Reg.MDIC, value);
        return d.read(Reg.MDIC);
      };
      const read = (register: number) => mdic((2 << 26) | (1 << 21) | (register << 16)) & 0xffff;
      expect(read(2)).toBe(0x0141);
      expect(read(3)).toBe(d.isE ? 0x0cb1 : 0x0c24);
      expect(read(1) & 0x24).toBe(0x24);
      expect(mdic((1 << 26) | (1 << 21) | (4 << 16) | 0x01e1) & (1 << 28)).not.toBe(0);
      expect(read(4)).toBe(0x01e1);
      // No one at another address.
      expect(mdic((2 << 26) | (2 << 21) | (1 << 16)) & (1 << 30)).not.toBe(0);
      // Powered down it has no link.
      mdic((1 << 26) | (1 << 21) | 0x0800);
      expect(read(1) & 0x24).toBe(0);
      expect(d.read(Reg.STATUS) & 2).toBe(0);
      d.write(Reg.IMS, Cause.MDAC);
      mdic((2 << 26) | (1 << 21) | (1 << 29));
      expect(d.interrupt()).toBe(true);
    });

    it("forgets what the driver did when it is reset, but not its NVM", () => {
      d.start();
      d.write(Reg.IMS, 0xff);
      d.write(Reg.ICS, 1);
      d.write(Reg.MTA, 5);
      expect(d.interrupt()).toBe(true);
      d.write(Reg.CTRL, 1 << 26);
      expect(d.interrupt()).toBe(false);
      for (const register of [Reg.RCTL, Reg.TCTL, Reg.IMS, Reg.RDBAL, Reg.TDT, Reg.MTA])
        expect(d.read(register)).toBe(0);
      expect(d.read(Reg.RAL)).toBe(0x1200_5452);
      expect(d.board.call("netOffloads", PORT)).toBe(-1);
      expect(d.board.valid()).toBe(true);
    });

    it("takes only whole registers", () => {
      d.board.write(BAR + Reg.VET, 0x1234, 2);
      d.board.write(BAR + Reg.VET, 0x12, 1);
      expect(d.read(Reg.VET)).toBe(0x8100);
      expect(d.board.read(BAR + Reg.VET, 2)).toBe(0);
      d.board.write(BAR + Reg.RDBAL, 0x1_2345_6780n, 8);
      expect(d.board.read64(BAR + Reg.RDBAL)).toBe(0x1_2345_6780n);
    });
  });

  describe("sending", () => {
    beforeEach(() => d.start());

    it("sends a legacy frame of several buffers at the write to the tail, padded if asked", () => {
      const bytes = frame({ data: 300 });
      d.legacy(d.store(bytes.subarray(0, 20)), 20, 0);
      d.legacy(d.store(bytes.subarray(20, 300)), 280, Cmd.RS);
      const last = d.legacy(d.store(bytes.subarray(300)), bytes.length - 300, Cmd.EOP | Cmd.RS);
      d.ring();
      expect(d.board.frames).toEqual([{ port: PORT, bytes }]);
      expect(d.txDone(0)).toBe(false);
      expect(d.txDone(last)).toBe(true);
      expect(d.read(Reg.TDH)).toBe(3);
      expect(d.read(Reg.GPTC)).toBe(1);
      expect(d.read(Reg.GPTC)).toBe(0);
      expect(d.read(Reg.GOTCL)).toBe(bytes.length + 4);
      expect(d.read(Reg.GOTCH)).toBe(0);
      expect(d.read(Reg.GOTCL)).toBe(0);
      d.legacy(d.store(bytes), 20, Cmd.EOP);
      d.ring();
      expect(d.board.frames[1].bytes.length).toBe(20);
      d.write(Reg.TCTL, 2 | 8);
      d.legacy(d.store(bytes), 20, Cmd.EOP);
      d.ring();
      expect(d.board.frames[2].bytes).toEqual(padded(bytes.subarray(0, 20)));
    });

    it("waits for a frame's last descriptor", () => {
      const bytes = frame();
      d.legacy(d.store(bytes.subarray(0, 50)), 50, Cmd.RS);
      d.ring();
      expect(d.board.frames).toEqual([]);
      expect(d.read(Reg.TDH)).toBe(0);
      d.legacy(d.store(bytes.subarray(50)), bytes.length - 50, Cmd.EOP);
      d.ring();
      expect(d.board.frames[0].bytes).toEqual(bytes);
      expect(d.txDone(0)).toBe(true);
    });

    it("goes round its ring", () => {
      for (let i = 0; i < 3 * RING; i++) {
        d.legacy(d.store(frame({ data: i })), 54 + i, Cmd.EOP);
        d.ring();
      }
      expect(d.board.frames.map((it) => it.bytes.length)).toEqual(Array.from({ length: 3 * RING }, (_, i) => 54 + i));
    });

    it.each(["tcp", "udp"] as const)("leaves %s's checksum to the host, as context and descriptor say", (protocol) => {
      const bytes = frame({ protocol, sums: "pseudo" });
      const at = places({ protocol });
      d.context(at);
      d.data(d.store(bytes), bytes.length, Cmd.EOP | Cmd.RS, CSUM);
      d.ring();
      expect(d.board.frames[0].bytes).toEqual(bytes);
      expect(readHeader(d.board.frames[0].header)).toMatchObject({
        flags: 1,
        type: 0,
        start: at.l4,
        offset: at.sum - at.l4,
      });
      // The context stays for frames to come; without the bit it means nothing.
      d.data(d.store(bytes), bytes.length, Cmd.EOP);
      d.ring();
      expect(d.board.frames[1].header).toBeUndefined();
    });

    it("fills in IP's checksum, and sums that end before the frame", () => {
      const bytes = frame();
      const want = bytes.slice();
      bytes.fill(0, 24, 26);
      d.context(places({}));
      d.data(d.store(bytes), bytes.length, Cmd.EOP, IPSUM);
      d.ring();
      expect(d.board.frames[0].bytes).toEqual(want);
      // A context whose TUCSE is not 0: bytes 34 to 53, at 50.
      d.put((BigInt(34) << 32n) | (BigInt(50) << 40n) | (BigInt(53) << 48n), BigInt(Cmd.DEXT) << 24n);
      d.data(d.store(bytes), bytes.length, Cmd.EOP, CSUM);
      d.ring();
      const sent = d.board.frames[1];
      expect(sent.header).toBeUndefined();
      expect((sent.bytes[50] << 8) | sent.bytes[51]).toBe(~sum(bytes.subarray(34, 54)) & 0xffff);
    });

    it("sums a legacy frame as its last descriptor says", () => {
      const bytes = frame({ sums: "pseudo" });
      d.legacy(d.store(bytes), bytes.length, Cmd.EOP | Cmd.IC, { css: 34, cso: 50 });
      d.ring();
      expect(readHeader(d.board.frames[0].header)).toMatchObject({ flags: 1, start: 34, offset: 16 });
    });

    it.each([4, 6] as const)(
      "gives TCP over IPv%i to be cut to the host, its headers completed for the whole",
      (version) => {
        const data = 30_000;
        const whole = frame({ version, data, sums: "pseudo" });
        const at = places({ version });
        // What Linux leaves open: lengths, IP's checksum, and TCP's length in the pseudo header.
        const given = whole.slice();
        if (version === 4) {
          given.fill(0, at.ip + 2, at.ip + 4);
          given.fill(0, at.ip + 10, at.ip + 12);
        } else {
          given.fill(0, at.ip + 4, at.ip + 6);
        }
        const pseudo = sum(Uint8Array.from([whole[at.sum], whole[at.sum + 1]]), ~(20 + data) & 0xffff);
        given.set([pseudo >>> 8, pseudo & 0xff], at.sum);
        d.context({ ...at, cmd: Cmd.TSE | 1 | (version === 4 ? 2 : 0), length: data, headers: at.headers, mss: 1448 });
        const popts = CSUM | (version === 4 ? IPSUM : 0);
        d.data(d.store(given.subarray(0, at.headers)), at.headers, Cmd.TSE, popts);
        for (let from = at.headers; from < given.length; from += 8192) {
          const part = given.subarray(from, from + 8192);
          d.data(d.store(part), part.length, from + 8192 >= given.length ? Cmd.TSE | Cmd.EOP | Cmd.RS : Cmd.TSE, popts);
        }
        d.ring();
        const [sent] = d.board.frames;
        expect(Buffer.compare(sent.bytes, whole)).toBe(0);
        const type = version === 4 ? NetGso.TCPV4 : NetGso.TCPV6;
        expect(readHeader(sent.header)).toEqual({
          flags: 1,
          type,
          headers: at.headers,
          size: 1448,
          start: at.l4,
          offset: 16,
        });
        const segments = Math.ceil(data / 1448);
        expect(d.read(Reg.GPTC)).toBe(segments);
        expect(d.read(Reg.GOTCL)).toBe(data + segments * (at.headers + 4));
        // One segment's worth is not to be cut.
        d.context({ ...at, cmd: Cmd.TSE | 1 | (version === 4 ? 2 : 0), length: 500, headers: at.headers, mss: 1448 });
        d.data(d.store(given), at.headers + 500, Cmd.TSE | Cmd.EOP, popts);
        d.ring();
        expect(readHeader(d.board.frames[1].header)).toMatchObject({ flags: 1, type: 0, start: at.l4, offset: 16 });
      },
    );

    it("drops what no TCP is, when it is to be cut", () => {
      const bytes = frame({ data: 3000 });
      const good = { ...places({}), cmd: Cmd.TSE | 1 | 2, length: 3000, headers: 54, mss: 1448 };
      const contexts = [
        { ...good, mss: 0 },
        { ...good, headers: 255, l4: 250 },
        { ...good, headers: 40 },
        { ...good, cmd: Cmd.TSE | 2 },
        { ...good, cmd: Cmd.TSE | 1 },
        { ...good, ip: 0 },
        { ...good, l4: 20 },
        { ...good, sum: 20 },
      ];
      for (const context of contexts) {
        d.context(context);
        const last = d.data(d.store(bytes), bytes.length, Cmd.TSE | Cmd.EOP | Cmd.RS, 3);
        d.ring();
        expect(d.txDone(last)).toBe(true);
      }
      expect(d.board.frames).toEqual([]);
      expect(d.read(Reg.TSCTFC)).toBe(contexts.length);
    });

    it("inserts VLAN tags, and moves what is behind them", () => {
      const bytes = frame({ sums: "pseudo" });
      const tagged = frame({ sums: "pseudo", vlan: 0x2005 });
      d.context(places({}));
      d.data(d.store(bytes), bytes.length, Cmd.EOP | Cmd.VLE, CSUM, 0x2005);
      d.ring();
      // Not before CTRL.VME.
      expect(d.board.frames[0].bytes).toEqual(bytes);
      d.write(Reg.CTRL, d.read(Reg.CTRL) | (1 << 30));
      d.data(d.store(bytes), bytes.length, Cmd.EOP | Cmd.VLE, CSUM, 0x2005);
      d.legacy(d.store(bytes), bytes.length, Cmd.EOP | Cmd.VLE, { special: 0x2005 });
      d.ring();
      expect(d.board.frames[1].bytes).toEqual(tagged);
      expect(readHeader(d.board.frames[1].header)).toMatchObject({ start: 38, offset: 16 });
      expect(d.board.frames[2].bytes).toEqual(tagged);
    });

    it("sends nothing while it is not to: disabled, no link, no bus mastering; then what waited", () => {
      const bytes = frame();
      const [on, off] = [7, 3];
      const command = (value: number) => d.board.write(d.board.ecam(SLOT, 4), value, 2);
      command(off);
      d.legacy(d.store(bytes), bytes.length, Cmd.EOP);
      d.ring();
      expect(d.board.frames).toEqual([]);
      command(on);
      d.write(Reg.TCTL, 0);
      d.ring();
      expect(d.board.frames).toEqual([]);
      d.board.call("netLink", PORT, 0);
      d.write(Reg.TCTL, 2);
      expect(d.board.frames).toEqual([]);
      d.board.call("netLink", PORT, 1);
      expect(d.board.call("e1000HasWork")).toBe(1);
      d.board.call("e1000Poll");
      expect(d.board.frames.length).toBe(1);
      expect(d.board.call("e1000HasWork")).toBe(0);
    });

    it("loops back what it sends, where the driver tests it", () => {
      d.write(Reg.MDIC, (1 << 26) | (1 << 21) | 0x4140);
      const bytes = frame({ data: 500, sums: "pseudo" });
      d.context(places({}));
      d.data(d.store(bytes), bytes.length, Cmd.EOP, CSUM);
      d.ring();
      expect(d.board.frames).toEqual([]);
      expect(d.take()?.bytes).toEqual(frame({ data: 500 }));
    });
  });

  describe("receiving", () => {
    beforeEach(() => d.start());

    it("puts frames into buffers, short ones padded, and tells the driver", () => {
      d.write(Reg.IMS, Cause.RXT0);
      for (const data of [0, 100, 1400]) {
        expect(d.board.deliver(PORT, frame({ data }))).toBe("done");
        expect(d.interrupt()).toBe(true);
        const got = d.take();
        expect(got?.bytes).toEqual(padded(frame({ data })));
        expect(got?.status).toBe(Status.DD | Status.EOP | Status.TCPCS | Status.IPCS);
        expect(got?.errors).toBe(0);
        d.read(Reg.ICR);
      }
      expect(d.read(Reg.RDH)).toBe(3);
      expect(d.read(Reg.GPRC)).toBe(3);
    });

    it("has four more bytes where the check sequence is not stripped", () => {
      d.start(Rctl.EN | Rctl.BAM);
      d.board.deliver(PORT, frame());
      expect(d.take()?.bytes).toEqual(Uint8Array.from([...frame(), 0, 0, 0, 0]));
    });

    it("spreads a long frame over buffers, if it is to take it at all", () => {
      const bytes = frame({ data: 5000 });
      expect(d.board.deliver(PORT, bytes)).toBe("lost");
      for (const size of [0, 1 << 16, 2 << 16, 3 << 16]) {
        d.start(Rctl.EN | Rctl.LPE | size);
        const want = Math.ceil((bytes.length + 4) / (2048 >> (size >> 16)));
        if (want >= RING) expect(d.board.deliver(PORT, bytes)).toBe("none");
        else {
          expect(d.board.deliver(PORT, bytes)).toBe("done");
          expect(d.read(Reg.RDH)).toBe(want);
          expect(d.take()?.bytes).toEqual(Uint8Array.from([...bytes, 0, 0, 0, 0]));
        }
      }
    });

    it("refuses what finds no room, and says when there is some", () => {
      for (let i = 0; i < RING - 1; i++) expect(d.board.deliver(PORT, frame({ data: i }))).toBe("done");
      expect(d.board.deliver(PORT, frame())).toBe("none");
      expect(d.board.ready).toEqual([]);
      d.take();
      d.giveBack();
      expect(d.board.ready).toEqual([PORT]);
      expect(d.board.deliver(PORT, frame())).toBe("done");
      expect(d.board.deliver(PORT, frame())).toBe("none");
      // A reset in between does not make the host wait for ever.
      d.write(Reg.CTRL, 1 << 26);
      d.start();
      expect(d.board.ready).toEqual([PORT, PORT]);
    });

    it("tells when the free descriptors get few", () => {
      d.write(Reg.IMS, Cause.RXDMT0);
      for (let i = 0; i < 6; i++) d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(false);
      d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(true);
    });

    it.each([
      ["its address", MAC, 0, true],
      ["another's address", [2, 0, 0, 0, 0, 1], 0, false],
      ["another's address, promiscuous", [2, 0, 0, 0, 0, 1], Rctl.UPE, true],
      ["broadcast", [255, 255, 255, 255, 255, 255], Rctl.BAM, true],
      ["broadcast, not wanted", [255, 255, 255, 255, 255, 255], 0, false],
      ["multicast", [0x33, 0x33, 0, 0, 0, 1], 0, false],
      ["multicast, all", [0x33, 0x33, 0, 0, 0, 1], Rctl.MPE, true],
    ])("filters by address: %s", (_what, to, rctl, passes) => {
      d.write(Reg.RCTL, Rctl.EN | Rctl.SECRC | rctl);
      expect(d.board.deliver(PORT, frame({ to }))).toBe("done");
      expect(d.take() !== undefined).toBe(passes);
      expect(d.read(Reg.RDH)).toBe(passes ? 1 : 0);
    });

    it.each([0, 1, 2, 3])("finds multicast addresses by bits of offset %i", (offset) => {
      d.write(Reg.RCTL, Rctl.EN | Rctl.SECRC | (offset << 12));
      const to = [1, 0, 0x5e, 0x7f, 0x12, 0xe3];
      const hash = ((0xe312 >> (offset === 3 ? 0 : 4 - offset)) & 0xfff) >>> 0;
      d.write(Reg.MTA + 4 * (hash >> 5), 2 ** (hash & 31));
      d.board.deliver(PORT, frame({ to }));
      expect(d.take()).toBeDefined();
      d.write(Reg.MTA + 4 * (hash >> 5), 0);
      d.board.deliver(PORT, frame({ to }));
      expect(d.take()).toBeUndefined();
      expect(d.read(Reg.MPRC)).toBe(1);
    });

    it("takes VLAN tags out, and filters by them", () => {
      const bytes = frame({ vlan: 0x2005 });
      d.board.deliver(PORT, bytes);
      expect(d.take()).toMatchObject({ bytes });
      d.write(Reg.CTRL, d.read(Reg.CTRL) | (1 << 30));
      d.board.deliver(PORT, bytes);
      const got = d.take();
      expect(got).toMatchObject({ bytes: frame(), tag: 0x2005 });
      expect((got?.status ?? 0) & Status.VP).toBe(Status.VP);
      d.write(Reg.RCTL, Rctl.EN | Rctl.SECRC | Rctl.VFE);
      d.board.deliver(PORT, bytes);
      expect(d.take()).toBeUndefined();
      d.write(Reg.VFTA, 1 << 5);
      d.board.deliver(PORT, bytes);
      expect(d.take()).toMatchObject({ bytes: frame() });
      // In several buffers the rest moves up through all of them.
      const long = frame({ vlan: 7, data: 1001 });
      d.start(Rctl.EN | (3 << 16));
      d.board.deliver(PORT, long);
      expect(d.take()).toMatchObject({ bytes: Uint8Array.from([...frame({ data: 1001 }), 0, 0, 0, 0]), tag: 7 });
    });

    it.each([
      [{ protocol: "tcp" }, Status.TCPCS | Status.IPCS],
      [{ protocol: "udp" }, Status.TCPCS | Status.UDPCS | Status.IPCS],
      [{ protocol: "tcp", version: 6 }, Status.TCPCS],
      [{ protocol: "udp", version: 6 }, Status.TCPCS | Status.UDPCS],
    ] as const)("checks checksums of %o", (shape, bits) => {
      for (const data of [0, 1, 100, 1401]) {
        d.board.deliver(PORT, frame({ ...shape, data }));
        expect(d.take()).toMatchObject({ status: Status.DD | Status.EOP | bits, errors: 0 });
        d.board.deliver(PORT, frame({ ...shape, data, sums: "wrong" }));
        expect(d.take()).toMatchObject({ status: Status.DD | Status.EOP | bits, errors: 0x20 });
        // The host may leave the sum out; then it is filled in.
        const at = places(shape);
        d.board.deliver(
          PORT,
          frame({ ...shape, data, sums: "pseudo" }),
          header({ start: at.l4, offset: at.sum - at.l4 }),
        );
        expect(d.take()).toMatchObject({
          bytes: padded(frame({ ...shape, data })),
          status: Status.DD | Status.EOP | bits,
          errors: 0,
        });
        d.giveBack();
      }
    });

    it.each([
      [4, undefined],
      [4, 5],
      [6, undefined],
      [6, 5],
    ] as const)("takes TCP over IPv%d (VLAN %s) that is cut on its way", (version, vlan) => {
      const payload = pattern(3 * 1400 + 77);
      const of = { version, vlan, payload, to: [...MAC], from: PEER, sequence: 0xffff_f800, flags: 0x99, id: 0xffff };
      const { bytes, start } = tcpFrame(of);
      const given = header({ start, offset: 16, size: 1400 });
      expect(d.board.deliverSegments(PORT, bytes, given)).toBe("done");
      expect(d.board.view.getUint32(NetCut.DELIVERED, true)).toBe(4);
      const got: Uint8Array[] = [];
      for (let n = 0; n < 4; n++) {
        const one = d.take();
        expect(one?.errors).toBe(0);
        expect((one?.status ?? 0) & Status.TCPCS).toBe(Status.TCPCS);
        // The packet checksum, though it was derived and not summed again.
        expect(one?.checksum).toBe(~sum(one?.bytes ?? new Uint8Array()) & 0xffff);
        const segment = readTcp(one?.bytes ?? new Uint8Array());
        expect(segment.sequence).toBe((0xffff_f800 + 1400 * n) >>> 0);
        expect(segment.flags).toBe(n === 0 ? 0x90 : n === 3 ? 0x19 : 0x10);
        if (version === 4) expect(segment.id).toBe((0xffff + n) & 0xffff);
        got.push(segment.payload);
      }
      expect(Buffer.compare(Buffer.concat(got), payload)).toBe(0);
      expect(d.take()).toBeUndefined();
    });

    it("goes on with the segment for which there was no room", () => {
      const payload = pattern(20 * 500);
      const { bytes, start } = tcpFrame({ version: 4, payload, to: [...MAC], from: PEER });
      const given = header({ start, offset: 16, size: 500 });
      expect(d.board.deliverSegments(PORT, bytes, given)).toBe(RING - 1);
      expect(d.board.ready).toEqual([]);
      const got: Uint8Array[] = [];
      for (let n = 0; n < RING - 1; n++) got.push(readTcp(d.take()?.bytes ?? new Uint8Array()).payload);
      d.giveBack();
      expect(d.board.ready).toEqual([PORT]);
      // What the driver has already is not looked at again.
      const rest = bytes.slice();
      rest.fill(0xee, rest.length - payload.length, rest.length - payload.length + 500 * (RING - 1));
      expect(d.board.deliverSegments(PORT, rest, given, RING - 1)).toBe("done");
      for (let one = d.take(); one !== undefined; one = d.take()) got.push(readTcp(one.bytes).payload);
      expect(Buffer.compare(Buffer.concat(got), payload)).toBe(0);
    });

    it("has the host wait for all of a frame's segments, but for no more than the driver may leave free", () => {
      const holds = (frames: number, length = 1000) => d.board.call("netHolds", PORT, frames, length) !== 0;
      const take = (count: number) => {
        for (let n = 0; n < count; n++) expect(d.board.deliver(PORT, frame())).toBe("done");
      };
      // RDMTS says half of the 16: 15 are free.
      take(11);
      expect(holds(4)).toBe(true);
      expect(holds(5)).toBe(false);
      while (d.take() !== undefined);
      d.giveBack();
      expect(d.board.ready).toEqual([PORT]);
      take(8);
      expect(holds(45)).toBe(false);
      while (d.take() !== undefined);
      d.giveBack();
      expect(d.board.ready).toEqual([PORT, PORT]);
      expect(holds(45)).toBe(true);
      // Nobody waits.
      expect(d.board.ready).toEqual([PORT, PORT]);
    });

    it("makes a backend keep a frame until there is room for all of its segments", () => {
      const backend = new NotingBackend(0);
      const nets = new Nets([...Array.from({ length: PORT }, () => new NotingBackend(0)), backend], {
        notice: () => {},
        wake: () => {},
      });
      nets.open(d.board as unknown as Engine);
      const payload = pattern(7 * 1000);
      const { bytes, start, headers } = tcpFrame({ version: 4, payload, to: [...MAC], from: PEER });
      const segment = { type: NetGso.TCPV4, size: 1000, headerLength: headers };
      const offload = { checksum: { start, offset: 16 }, segment };
      for (let n = 0; n < 10; n++) expect(backend.deliver(plainFrame(60, [...MAC]))).toBe(true);
      // Five descriptors are left for seven segments.
      expect(backend.deliver(bytes, offload)).toBe(false);
      expect(d.read(Reg.RDH)).toBe(10);
      while (d.take() !== undefined);
      d.giveBack();
      expect(d.board.ready).toEqual([PORT]);
      expect(backend.deliver(bytes, offload)).toBe(true);
      const got: Uint8Array[] = [];
      for (let one = d.take(); one !== undefined; one = d.take()) got.push(readTcp(one.bytes).payload);
      expect(Buffer.compare(Buffer.concat(got), payload)).toBe(0);
      expect(nets.counts(PORT)).toEqual({ sent: 0, delivered: 17, malformed: 0, lost: 0 });
    });

    it.each([
      ["segments of no bytes", { size: 0 }],
      ["headers that end in front of TCP's", { start: 30 }],
      ["headers that are longer than headers are", { start: 300 }],
      ["TCP without an end to its header", { start: 66 }],
      ["more than a frame has", { length: 70_000 }],
    ])("loses what cannot be cut: %s", (_what, wrong) => {
      const { bytes, start } = tcpFrame({ version: 4, payload: new Uint8Array(3000), to: [...MAC], from: PEER });
      d.board.bytes.set(bytes, NetCut.FRAME);
      d.board.bytes.set(header({ start, offset: 16, size: 1000, ...wrong }), Dev.NET + NetAt.HEADER_IN);
      const length = "length" in wrong ? (wrong.length as number) : bytes.length;
      expect(d.board.call("netSegments", PORT, length, 0)).toBe(1);
      expect(d.board.view.getUint32(NetCut.DELIVERED, true)).toBe(0);
      expect(d.board.view.getUint32(NetCut.LOST, true)).toBe(1);
      expect(d.take()).toBeUndefined();
      expect(d.read(Reg.RDH)).toBe(0);
    });

    it("sees a wrong IP header, and leaves alone what it does not know", () => {
      const bytes = frame();
      bytes[22] ^= 1;
      d.board.deliver(PORT, bytes);
      expect(d.take()?.errors).toBe(0x40);
      const fragment = frame();
      fragment[20] = 0x20;
      d.board.deliver(PORT, fragment);
      expect((d.take()?.status ?? 0) & Status.TCPCS).toBe(0);
      const odd = frame();
      odd.set([0x12, 0x34], 12);
      d.board.deliver(PORT, odd);
      expect(d.take()?.status).toBe(Status.DD | Status.EOP);
      d.write(Reg.RXCSUM, 0);
      d.board.deliver(PORT, frame({ sums: "wrong" }));
      expect(d.take()).toMatchObject({ status: Status.DD | Status.EOP | Status.IXSM, errors: 0 });
    });

    it("gives the packet checksum from where it is to begin", () => {
      for (const from of [0, 14, 34, 60]) {
        d.write(Reg.RXCSUM, 0x300 | from);
        d.board.deliver(PORT, frame({ data: 333 }));
        expect(d.take()?.checksum).toBe(~sum(frame({ data: 333 }).subarray(from)) & 0xffff);
      }
    });
  });

  describe("interrupts", () => {
    beforeEach(() => d.start());

    it("are causes and masks, and the pin is what both give", () => {
      d.write(Reg.ICS, Cause.TXDW | Cause.RXT0);
      expect(d.interrupt()).toBe(false);
      d.write(Reg.IMS, Cause.TXDW);
      expect(d.read(Reg.IMS)).toBe(Cause.TXDW);
      expect(d.interrupt()).toBe(true);
      d.write(Reg.IMC, Cause.TXDW);
      expect(d.interrupt()).toBe(false);
      d.write(Reg.IMS, Cause.RXT0);
      expect(d.interrupt()).toBe(true);
      expect(d.read(Reg.ICR) & 0xff).toBe(Cause.TXDW | Cause.RXT0);
      expect(d.interrupt()).toBe(false);
      expect(d.read(Reg.ICR)).toBe(0);
      d.write(Reg.ICS, Cause.RXT0 | Cause.TXDW);
      d.write(Reg.ICR, Cause.RXT0);
      expect(d.interrupt()).toBe(false);
    });

    it("come at most as often as ITR allows", () => {
      d.write(Reg.ITR, 400); // 102.4 us
      d.write(Reg.IMS, Cause.RXT0);
      d.later(1000);
      d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(true);
      d.read(Reg.ICR);
      d.later(40);
      d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(false);
      expect(d.board.ticks("nextDeadline")).toBe(BigInt(10_000 + 1024));
      d.later(60);
      expect(d.interrupt()).toBe(false);
      d.later(3);
      expect(d.interrupt()).toBe(true);
      d.read(Reg.ICR);
      // Idle long enough, the next is at once.
      d.later(200);
      expect(d.board.ticks("nextDeadline")).toBe(2n ** 64n - 1n);
      d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(true);
      // A higher rate holds at once.
      d.read(Reg.ICR);
      d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(false);
      d.write(Reg.ITR, 0);
      expect(d.interrupt()).toBe(true);
    });

    it("wait for RDTR, which each frame starts anew, until RADV ends it", () => {
      d.write(Reg.RDTR, 50);
      d.write(Reg.RADV, 100);
      d.write(Reg.IMS, Cause.RXT0);
      d.board.deliver(PORT, frame());
      expect(d.interrupt()).toBe(false);
      d.later(52);
      expect(d.interrupt()).toBe(true);
      d.read(Reg.ICR);
      for (let at = 0; at < 90; at += 30) {
        d.board.deliver(PORT, frame());
        expect(d.interrupt()).toBe(false);
        d.later(30);
      }
      expect(d.interrupt()).toBe(false);
      d.board.deliver(PORT, frame());
      d.later(15);
      expect(d.interrupt()).toBe(true);
      d.read(Reg.ICR);
      d.board.deliver(PORT, frame());
      d.board.write(BAR + Reg.RDTR, 2 ** 31 + 50);
      expect(d.interrupt()).toBe(true);
    });

    it("of sent frames wait for TIDV, if the descriptors ask for it", () => {
      d.write(Reg.TIDV, 50);
      d.write(Reg.TADV, 100);
      d.write(Reg.IMS, Cause.TXDW);
      const send = (cmd: number) => {
        d.legacy(d.store(frame()), 154, Cmd.EOP | Cmd.RS | cmd);
        d.ring();
      };
      send(0);
      expect(d.interrupt()).toBe(true);
      d.read(Reg.ICR);
      for (let at = 0; at < 90; at += 30) {
        send(Cmd.IDE);
        expect(d.interrupt()).toBe(false);
        d.later(30);
      }
      d.later(15);
      expect(d.interrupt()).toBe(true);
    });
  });

  it("answers inside a send: what comes back meanwhile is received", () => {
    d.start();
    d.board.onFrame = () => void d.board.deliver(PORT, frame({ data: 77 }));
    for (let i = 0; i < 3; i++) d.legacy(d.store(frame()), 154, Cmd.EOP | Cmd.RS);
    d.ring();
    expect(d.board.frames.length).toBe(3);
    for (let i = 0; i < 3; i++) expect(d.take()?.bytes.length).toBe(131);
    expect([0, 1, 2].every((i) => d.txDone(i))).toBe(true);
  });

  it("goes on after a restore as it would have", () => {
    d.start();
    d.write(Reg.IMS, Cause.RXT0);
    d.write(Reg.RDTR, 50);
    d.board.deliver(PORT, frame());
    const saved = d.board.save();
    const memory = d.board.peek(d.rx, RING * 16);
    const other = Driver.create(model);
    other.board.restore(saved);
    other.board.poke(other.rx, memory);
    expect(other.board.valid()).toBe(true);
    other.later(60);
    expect(other.interrupt()).toBe(true);
    expect(other.board.deliver(PORT, frame())).toBe("done");
    expect(other.read(Reg.RDH)).toBe(2);
  });
});

describe("82540EM alone", () => {
  let d: Driver;
  beforeEach(() => {
    d = Driver.create("82540EM");
  });

  it("is reset through its I/O BAR", () => {
    d.start();
    d.board.write(IO, Reg.RCTL);
    expect(d.board.read(IO)).toBe(Reg.RCTL);
    expect(d.board.read(IO + 4)).toBe(d.read(Reg.RCTL));
    d.board.write(IO, Reg.CTRL);
    d.board.write(IO + 4, 1 << 26);
    expect(d.read(Reg.RCTL)).toBe(0);
    d.board.write(IO, 0x2_0000);
    expect(d.board.read(IO + 4)).toBe(0);
    // Without I/O Space no one is there.
    d.board.write(d.board.ecam(SLOT, 4), 6, 2);
    expect(d.board.read(IO)).toBe(0xffff_ffff);
  });

  /** A Microwire bus by hand. */
  const clock = (bit: number) => {
    d.write(Reg.EECD, 0x42 | (bit << 2));
    d.write(Reg.EECD, 0x43 | (bit << 2));
    const out = (d.read(Reg.EECD) >> 3) & 1;
    d.write(Reg.EECD, 0x42 | (bit << 2));
    return out;
  };
  const send = (value: number, bits: number) => {
    for (let i = bits - 1; i >= 0; i--) clock((value >> i) & 1);
  };
  const select = () => {
    d.write(Reg.EECD, 0x40);
    d.write(Reg.EECD, 0x42);
  };
  const word = (address: number, count = 1) => {
    select();
    send((6 << 6) | address, 9);
    return Array.from({ length: count }, () =>
      Array.from({ length: 16 }, () => clock(0)).reduce((all, bit) => all * 2 + bit, 0),
    );
  };

  it("gives its EEPROM's words bit by bit", () => {
    expect(d.read(Reg.EECD) & 0x300).toBe(0x100);
    d.write(Reg.EECD, 0x40);
    expect(d.read(Reg.EECD) & 0x80).toBe(0x80);
    expect(word(0)).toEqual([0x5452]);
    expect(word(1, 3)).toEqual([0x1200, 0x5634, 0]);
    expect(word(0x0e)).toEqual([0x8086]);
  });

  it("writes its EEPROM when it is told that it may", () => {
    const write = (address: number, value: number) => {
      select();
      send((5 << 6) | address, 9);
      send(value, 16);
      select();
      expect((d.read(Reg.EECD) >> 3) & 1).toBe(1);
    };
    write(5, 0x1234);
    expect(word(5)).toEqual([0xffff]);
    select();
    send(0b100_110000, 9);
    write(5, 0x1234);
    expect(word(5)).toEqual([0x1234]);
    select();
    send((7 << 6) | 5, 9);
    expect(word(5)).toEqual([0xffff]);
  });
});

describe("82574L alone", () => {
  let d: Driver;
  beforeEach(() => {
    d = Driver.create("82574L");
  });

  it("writes its NVM through EEWR, and lends its semaphore once", () => {
    d.write(Reg.EEWR, 0x1234_0000 | (5 << 2) | 1);
    d.write(Reg.EERD, (5 << 2) | 1);
    expect(d.read(Reg.EERD) >>> 16).toBe(0x1234);
    expect(d.read(Reg.SWSM) & 1).toBe(0);
    expect(d.read(Reg.SWSM) & 1).toBe(1);
    d.write(Reg.SWSM, 0);
    expect(d.read(Reg.SWSM) & 1).toBe(0);
  });

  it("masks itself when ICR is read, and tells whether it interrupted", () => {
    d.start();
    d.write(Reg.CTRL_EXT, 1 << 27);
    d.write(Reg.IAM, 0xffff_ffff);
    d.write(Reg.IMS, Cause.RXT0);
    d.write(Reg.ICS, Cause.TXDW);
    // Not its interrupt: reading changes nothing.
    expect(d.read(Reg.ICR)).toBe(Cause.TXDW);
    expect(d.read(Reg.ICR)).toBe(Cause.TXDW);
    d.write(Reg.ICS, Cause.RXT0);
    expect(d.read(Reg.ICR)).toBe(ASSERTED + Cause.TXDW + Cause.RXT0);
    expect(d.read(Reg.IMS)).toBe(0);
    d.write(Reg.ICS, Cause.RXT0);
    expect(d.interrupt()).toBe(false);
    d.write(Reg.IMS, Cause.RXT0);
    expect(d.interrupt()).toBe(true);
  });

  it("takes frames with extended descriptors", () => {
    d.write(Reg.RFCTL, 0x8000);
    d.start();
    d.board.deliver(PORT, frame({ vlan: 9 }));
    d.write(Reg.CTRL, d.read(Reg.CTRL) | (1 << 30));
    d.board.deliver(PORT, frame({ vlan: 9, sums: "wrong" }));
    expect(d.take()).toMatchObject({ bytes: frame({ vlan: 9 }), tag: 0, errors: 0 });
    expect(d.take()).toMatchObject({ bytes: frame({ sums: "wrong" }), tag: 9, errors: 0x20 });
  });

  it("splits long frames over a header buffer and pages", () => {
    d.write(Reg.RFCTL, 0x8000);
    d.write(Reg.PSRCTL, 2 | (4 << 8) | (4 << 16) | (4 << 24)); // 256 bytes, three pages of 4 KiB
    const { view } = d.board;
    const places = Array.from({ length: RING }, () => [
      d.allocate(256),
      d.allocate(4096),
      d.allocate(4096),
      d.allocate(4096),
    ]);
    places.forEach((four, i) => {
      four.forEach((at, b) => {
        view.setBigUint64(d.board.at(d.rx + 32 * i + 8 * b), BigInt(at), true);
      });
    });
    d.start(Rctl.EN | Rctl.LPE | Rctl.SECRC | Rctl.SPLIT);
    places.forEach((four, i) => {
      four.forEach((at, b) => {
        view.setBigUint64(d.board.at(d.rx + 32 * i + 8 * b), BigInt(at), true);
      });
    });
    for (const [i, data] of [50, 4000, 9000].entries()) {
      const bytes = frame({ data });
      expect(d.board.deliver(PORT, bytes)).toBe("done");
      const at = d.board.at(d.rx + 32 * i);
      expect(view.getUint32(at + 8, true) & 3).toBe(3);
      const lengths = [12, 18, 20, 22].map((offset) => view.getUint16(at + offset, true));
      const got = Buffer.concat(lengths.map((length, b) => d.board.peek(places[i][b], length)));
      expect(Buffer.compare(got, padded(bytes))).toBe(0);
      expect(lengths[0]).toBe(Math.min(256, padded(bytes).length));
    }
    // Counted in units of 16 bytes.
    expect(d.read(Reg.RDH)).toBe(6);
  });

  it("counts its clock by what TIMINCA says", () => {
    d.write(Reg.TIMINCA, (2 << 24) | 1000);
    const before = d.board.read64(BAR + Reg.SYSTIML);
    d.later(8);
    // 80 ticks are 200 cycles of 40 ns, an increment every two.
    expect(d.board.read64(BAR + Reg.SYSTIML) - before).toBe(100_000n);
  });

  describe("vectors", () => {
    const sent: number[] = [];
    /** What is pending of the masked vectors, which is as good as sent. */
    const take = () => {
      const pending = d.board.read(MSIX_BAR + 0x2000);
      sent.push(pending);
      return pending;
    };
    beforeEach(() => {
      d.start();
      sent.length = 0;
      const capability = 0x40 + 8 + 0x14;
      expect(d.board.read(d.board.ecam(SLOT, capability), 1)).toBe(0x11);
      d.board.write(d.board.ecam(SLOT, capability + 2), 0x8000, 2);
      d.write(Reg.IVAR, 0x8 | (0x9 << 8) | (0xa << 16) | 0x8000_0000);
    });

    it("are sent for their causes, cleared and masked as EIAC and IAM say", () => {
      d.write(Reg.EIAC, Cause.RXQ0 | Cause.TXQ0);
      d.write(Reg.CTRL_EXT, 1 << 24);
      d.write(Reg.IAM, 0xffff_ffff);
      d.write(Reg.IMS, Cause.RXQ0 | Cause.TXQ0 | Cause.OTHER | Cause.LSC);
      expect(take()).toBe(0);
      d.board.deliver(PORT, frame());
      expect(take()).toBe(1);
      expect(d.read(Reg.IMS)).toBe(Cause.TXQ0 | Cause.OTHER | Cause.LSC);
      d.legacy(d.store(frame()), 154, Cmd.EOP | Cmd.RS);
      d.ring();
      expect(take()).toBe(3);
      d.board.call("netLink", PORT, 0);
      expect(take()).toBe(7);
      expect(d.read(Reg.ICR) & (Cause.LSC | Cause.RXQ0 | Cause.TXQ0)).toBe(Cause.LSC);
      expect(d.interrupt()).toBe(false);
    });

    it("keep apart by EITR", () => {
      d.write(Reg.EITR, 400);
      d.write(Reg.EIAC, Cause.RXQ0);
      d.write(Reg.IMS, Cause.RXQ0);
      const count = () => d.read(0x4100); // interrupts asserted
      d.later(1000);
      d.board.deliver(PORT, frame());
      expect(count()).toBe(1);
      d.board.deliver(PORT, frame());
      expect(count()).toBe(0);
      d.later(104);
      expect(count()).toBe(1);
    });
  });
});

it("cannot be attached where something is", () => {
  const b = TestBoard.create((board) => {
    board.call("netConfigure", 0, 1, 1, 1500, 1, 1000, 1);
    board.call("netConfigure", 1, 1, 1, 1500, 1, 1000, 1);
    expect(board.call("attachE1000", 1, 0, 0, 0, 0, 0)).toBe(1);
    expect(board.call("attachE1000", 1, 1, 0, 1, 0, 0)).toBe(0);
    expect(board.call("attachE1000", 2, 0, 0, 1, 0, 0)).toBe(0);
    expect(board.call("attachE1000", 2, 1, 0, 0, 0, 0)).toBe(0);
    expect(board.call("attachE1000", 2, 1, 2, 1, 0, 0)).toBe(0);
    expect(board.call("attachE1000", 2, 4, 0, 1, 0, 0)).toBe(0);
    expect(board.call("attachE1000", 2, 1, 1, 1, 0, 0)).toBe(1);
  });
  expect(b.valid()).toBe(true);
});
