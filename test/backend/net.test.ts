// The switch, captures, and checksums, without a guest.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NetGso, NetOffload } from "../../assembly/abi/net.ts";
import { addBytes, checksumOf } from "../../src/backend/checksum.ts";
import type { NetBackend, NetFrame, NetGuest } from "../../src/backend/net.ts";
import { copyFrame } from "../../src/backend/net-offload.ts";
import { captured } from "../../src/backend/pcap.ts";
import { createSwitch, type Switch, type SwitchPort } from "../../src/backend/switch.ts";
import { OptionError } from "../../src/errors.ts";
import { pcapFile } from "../../src/platform/node/pcap-file.ts";
import { pattern, plainFrame, sumOf, tcpFrame } from "../devices/virtio/net-frames.ts";

const GROUP = [0x33, 0x33, 0, 0, 0, 1];
const mac = (n: number) => [2, 0, 0, 0, n >> 8, n & 0xff];

/** A guest that keeps what it is given, as long as it has room. */
class KeepingGuest implements NetGuest {
  readonly frames: NetFrame[] = [];
  room = Number.POSITIVE_INFINITY;
  deliver(frame: NetFrame): boolean {
    if (this.frames.length >= this.room) return false;
    this.frames.push(copyFrame(frame));
    return true;
  }
  setLink(): void {}
  notice(): void {}
  take(): Uint8Array[] {
    return this.frames.splice(0).map(({ parts }) => parts[0]);
  }
}

function frameOf(bytes: Uint8Array, offload?: NetFrame["offload"]): NetFrame {
  // In pieces, the first of which does not hold both addresses.
  return { parts: [bytes.subarray(0, 5), bytes.subarray(5)], length: bytes.length, offload };
}

describe("the checksum", () => {
  it("is that of RFC 1071, at every alignment and length", () => {
    const bytes = pattern(700, 3);
    for (const start of [0, 1, 2, 3, 4, 5]) {
      for (const length of [0, 1, 2, 3, 20, 63, 64, 65, 66, 67, 68, 129, 600]) {
        const part = bytes.subarray(start, start + length);
        expect(checksumOf(addBytes(0, part))).toBe(0xffff - sumOf(part));
      }
    }
    expect(checksumOf(addBytes(0, new Uint8Array(65_536).fill(255)))).toBe(0);
  });
});

describe("a switch", () => {
  let lan: Switch;
  let ports: SwitchPort[];
  let guests: KeepingGuest[];
  const connect = (count: number) => {
    lan = createSwitch();
    ports = Array.from({ length: count }, () => lan.port());
    guests = ports.map((port) => {
      const guest = new KeepingGuest();
      port.open(guest);
      return guest;
    });
  };
  const send = (from: number, to: number[], source = mac(from)) => {
    const frame = plainFrame(60, to, source);
    ports[from].send(frameOf(frame));
    return frame;
  };

  it("floods what it does not know, and sends what it knows to one port", () => {
    connect(3);
    const first = send(0, mac(1));
    expect(guests.map((guest) => guest.take())).toEqual([[], [first], [first]]);
    const second = send(1, mac(0));
    expect(guests.map((guest) => guest.take())).toEqual([[second], [], []]);
    const third = send(0, mac(1));
    expect(guests.map((guest) => guest.take())).toEqual([[], [third], []]);
    const group = send(2, GROUP);
    expect(guests.map((guest) => guest.take())).toEqual([[group], [group], []]);
  });

  it("follows an address that moves, and sends nothing back where it came from", () => {
    connect(3);
    send(0, GROUP, mac(9));
    send(1, GROUP, mac(9));
    for (const guest of guests) guest.take();
    send(1, mac(9));
    expect(guests.flatMap((guest) => guest.take())).toEqual([]);
    const frame = send(2, mac(9));
    expect(guests.map((guest) => guest.take())).toEqual([[], [frame], []]);
  });

  it("does not believe that a group sends", () => {
    connect(3);
    send(0, mac(1), GROUP);
    for (const guest of guests) guest.take();
    const frame = send(2, GROUP);
    expect(guests.map((guest) => guest.take())).toEqual([[frame], [frame], []]);
  });

  it("passes on what is undone", () => {
    connect(2);
    const { bytes, start, headers } = tcpFrame({ version: 4, payload: pattern(5000) });
    const offload = {
      checksum: { start, offset: 16 },
      segment: { type: NetGso.TCPV4, size: 1448, headerLength: headers },
    };
    expect(ports[0].accepts & NetOffload.TSO4).toBe(NetOffload.TSO4);
    ports[0].send(frameOf(bytes, offload));
    expect(guests[1].frames[0].offload).toEqual(offload);
    expect(guests[1].take()).toEqual([bytes]);
  });

  it("keeps a bounded amount for a slow receiver, in order, and drops the rest", () => {
    connect(2);
    guests[1].room = 2;
    const sent = Array.from({ length: 200 }, (_, i) => {
      const frame = plainFrame(60_000, mac(1), mac(0));
      frame[100] = i;
      ports[0].send(frameOf(frame));
      return frame;
    });
    const { dropped } = ports[1].counts;
    expect(dropped).toBeGreaterThan(100);
    expect(dropped).toBeLessThan(198);
    guests[1].room = 20;
    ports[1].ready();
    guests[1].room = Number.POSITIVE_INFINITY;
    // What comes now waits behind what waits already.
    const last = send(0, mac(1));
    ports[1].ready();
    const got = guests[1].take();
    expect(got.map((frame) => frame[100])).toEqual([
      ...sent.slice(0, 200 - dropped).map((frame) => frame[100]),
      last[100],
    ]);
    expect(ports[1].counts.sent).toBe(201 - dropped);
  });

  it("remembers a bounded number of addresses", () => {
    connect(3);
    for (let i = 0; i < 5000; i++) send(0, GROUP, mac(i + 1000));
    for (const guest of guests) guest.take();
    // The newest is known, the oldest is not.
    const [known, unknown] = [send(1, mac(5999)), send(1, mac(1000))];
    expect(guests.map((guest) => guest.take())).toEqual([[known, unknown], [], [unknown]]);
  });

  it("forgets a guest that leaves", () => {
    connect(3);
    send(0, GROUP);
    ports[0].close();
    expect(lan.size).toBe(2);
    for (const guest of guests) guest.take();
    const frame = send(1, mac(0));
    expect(guests.map((guest) => guest.take())).toEqual([[], [], [frame]]);
  });
});

describe("a capture", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "paravane-pcap-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** A backend that answers every frame with the same. */
  function echo(): NetBackend {
    let guest: NetGuest | undefined;
    return {
      name: "echo",
      accepts: NetOffload.CHECKSUM | NetOffload.TSO4,
      open: (it) => {
        guest = it;
      },
      send: (frame) => void guest?.deliver(frame),
      ready() {},
      close() {},
    };
  }

  const tcp = tcpFrame({ version: 4, payload: pattern(4000) });
  const offload = {
    checksum: { start: tcp.start, offset: 16 },
    segment: { type: NetGso.TCPV4, size: 1448, headerLength: tcp.headers },
  };

  it("has every frame that passed, finished, both ways, with its time", () => {
    const path = join(folder, "capture.pcap");
    const backend = captured(echo(), pcapFile(path), () => 1_700_000_000_123.5);
    const guest = new KeepingGuest();
    guest.room = 1;
    backend.open(guest);
    backend.send(frameOf(tcp.bytes, offload));
    expect(guest.frames[0].offload).toEqual(offload);
    backend.send(frameOf(plainFrame(60))); // whose answer finds no room, and does not pass
    backend.close();
    backend.close();

    const bytes = readFileSync(path);
    expect([...bytes.subarray(0, 8)]).toEqual([0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0]);
    const lengths: number[] = [];
    for (let at = 24; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) {
      expect(bytes.readUInt32LE(at)).toBe(1_700_000_000);
      expect(bytes.readUInt32LE(at + 4)).toBe(123_500_000);
      lengths.push(bytes.readUInt32LE(at + 12));
    }
    expect(lengths).toEqual([1502, 1502, 1158, 1502, 1502, 1158, 60]);
  });

  const hasTshark = spawnSync("tshark", ["--version"], { stdio: "ignore" }).status === 0;
  it.skipIf(!hasTshark)("is one that tshark reads, with checksums that it finds right (skipped: needs tshark)", () => {
    const path = join(folder, "tshark.pcap");
    const backend = captured(echo(), pcapFile(path), () => 1_700_000_000_000.25);
    backend.open(new KeepingGuest());
    backend.send(frameOf(tcp.bytes, offload));
    backend.close();
    const fields = ["frame.time_epoch", "tcp.checksum.status", "ip.checksum.status", "tcp.len"];
    const said = execFileSync(
      "tshark",
      ["-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-T", "fields"].concat(
        fields.flatMap((field) => ["-e", field]),
      ),
      { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    );
    const lines = said
      .trim()
      .split("\n")
      .map((line) => line.split("\t"));
    expect(lines.map((line) => line.slice(1))).toEqual(
      [1448, 1448, 1104, 1448, 1448, 1104].map((length) => ["1", "1", `${length}`]),
    );
    expect(lines[0][0]).toMatch(/^1700000000\.00025|^2023-11-14T22:13:20\.00025/);
  });

  it("that cannot be written ends with a notice, and the network goes on", () => {
    const notices: string[] = [];
    const guest = new KeepingGuest();
    guest.notice = ((line: string) => void notices.push(line)) as KeepingGuest["notice"];
    let written = 0;
    const sink = {
      write() {
        if (written++ > 0) throw new Error("the disk is full");
      },
      close() {},
    };
    const backend = captured(echo(), sink, () => 0);
    backend.open(guest);
    backend.send(frameOf(plainFrame(60)));
    backend.send(frameOf(plainFrame(61)));
    expect(guest.take()).toHaveLength(2);
    expect(notices).toEqual(["the capture of network echo ends here: the disk is full"]);
  });

  it("in a place that there is not is a mistake in the options", () => {
    expect(() => pcapFile(join(folder, "none", "x.pcap"))).toThrow(OptionError);
  });
});
