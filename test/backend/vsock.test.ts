// The host's half of a guest's sockets, with a driver and streams of our own: connections,
// credit, ends, and packets that no driver sends.
import { describe, expect, it } from "vitest";
import { VsockOp as Op, VsockShutdown as Shut, VsockHeader } from "../../assembly/abi/virtio.ts";
import { Pieces } from "../../src/backend/pieces.ts";
import { type PacketHeader, readHeader, writeHeader } from "../../src/backend/vsock/packet.ts";
import type { VsockBackend, VsockStream, VsockStreamEvents } from "../../src/backend/vsock/vsock-backend.ts";
import { VsockHost } from "../../src/backend/vsock/vsock-host.ts";

const CID = 42;
const BUFFER = 256 * 1024;

class TestStream implements VsockStream {
  events: VsockStreamEvents | undefined;
  incoming: Uint8Array = new Uint8Array();
  readonly written: Uint8Array[] = [];
  readonly leaving: (() => void)[] = [];
  log: string[] = [];
  start(events: VsockStreamEvents) {
    this.events = events;
  }
  accepted(port: number) {
    this.log.push(`accepted ${port}`);
  }
  write(bytes: Uint8Array, done: () => void) {
    this.written.push(bytes);
    this.leaving.push(done);
  }
  read(most: number) {
    if (this.incoming.length === 0) return undefined;
    const part = this.incoming.subarray(0, most);
    this.incoming = this.incoming.subarray(most);
    return part;
  }
  end() {
    this.log.push("end");
  }
  finish() {
    this.log.push("finish");
  }
  destroy() {
    this.log.push("destroy");
  }
  give(length: number) {
    this.incoming = new Uint8Array(length).fill(7);
    this.events?.readable();
  }
  drain() {
    for (const done of this.leaving.splice(0)) done();
  }
}

/** A host with a guest that has `rooms` buffers of `size` bytes for packets. */
function setUp(rooms = 1000, size = 4096) {
  const sent: { header: PacketHeader; payload: Uint8Array }[] = [];
  const streams: TestStream[] = [];
  const timers = new Set<() => void>();
  const state = { rooms, size, answers: true };
  let opened: (stream: VsockStream, port: number) => void = () => {};
  let into = new Uint8Array();
  const backend: VsockBackend = {
    name: "test",
    connect: (port, done) => {
      if (!state.answers) return;
      if (port >= 1000) return done(undefined);
      streams.push(new TestStream());
      done(streams.at(-1));
    },
    listen: (open) => {
      opened = open;
    },
    close: () => {},
  };
  const host = new VsockHost(backend, CID, {
    room: () => {
      if (state.rooms === 0) return undefined;
      state.rooms--;
      into = new Uint8Array(state.size);
      return new Pieces([into.subarray(0, 10), into.subarray(10)]);
    },
    give: (length) => {
      expect(length).toBeLessThanOrEqual(state.size);
      sent.push({ header: readHeader(into), payload: into.subarray(VsockHeader.SIZE, length) });
    },
    startTimer: (_milliseconds, wake) => {
      timers.add(wake);
      return () => timers.delete(wake);
    },
  });
  const receive = (op: number, fields: Partial<PacketHeader> = {}, payload = new Uint8Array()) => {
    const header = writeHeader({
      ...{ source: BigInt(CID), destination: 2n, sourcePort: 5, destinationPort: 80, length: payload.length },
      ...{ type: 1, op, flags: 0, bufferSize: 100_000, forwarded: 0, ...fields },
    });
    host.receive(new Pieces([header.subarray(0, 20), header.subarray(20), payload]));
  };
  const take = () => sent.splice(0).map(({ header }) => header.op);
  const ask = (port: number) => {
    const stream = new TestStream();
    streams.push(stream);
    opened(stream, port);
    return stream;
  };
  return { host, state, sent, streams, timers, receive, take, ask };
}

describe("a connection of the guest's", () => {
  it("is opened, carries bytes both ways, and is closed", () => {
    const { host, sent, streams, receive, take } = setUp();
    receive(Op.REQUEST);
    expect(sent[0].header).toMatchObject({
      source: 2n,
      destination: 42n,
      sourcePort: 80,
      destinationPort: 5,
      bufferSize: BUFFER,
    });
    expect(take()).toEqual([Op.RESPONSE]);
    receive(Op.RW, {}, Uint8Array.of(1, 2, 3));
    expect(streams[0].written).toEqual([Uint8Array.of(1, 2, 3)]);
    streams[0].give(6000);
    expect(sent.map(({ payload }) => payload.length)).toEqual([4096 - 44, 6000 - 4096 + 44]);
    expect(take()).toEqual([Op.RW, Op.RW]);
    receive(Op.SHUTDOWN, { flags: Shut.BOTH });
    expect(take()).toEqual([Op.RST]);
    expect(streams[0].log).toEqual(["finish"]);
    streams[0].events?.closed();
    expect(host.connections).toBe(0);
  });

  it("is refused where nobody listens", () => {
    const { receive, take, host } = setUp();
    receive(Op.REQUEST, { destinationPort: 1000 });
    expect(take()).toEqual([Op.RST]);
    expect(host.connections).toBe(0);
  });

  it("ends in one direction at a time", () => {
    const { streams, receive, take, sent } = setUp();
    receive(Op.REQUEST);
    take();
    receive(Op.SHUTDOWN, { flags: Shut.SEND });
    expect(streams[0].log).toEqual(["end"]);
    streams[0].give(10);
    streams[0].events?.ended();
    expect(sent.map(({ header }) => [header.op, header.flags])).toEqual([
      [Op.RW, 0],
      [Op.SHUTDOWN, Shut.SEND],
    ]);
    take();
    streams[0].events?.closed();
    expect(sent[0].header).toMatchObject({ op: Op.SHUTDOWN, flags: Shut.BOTH });
    receive(Op.RST);
    expect(streams[0].log).toEqual(["end", "destroy"]);
  });

  it("that the guest does not confirm the end of is reset after a while", () => {
    const { streams, receive, take, timers, host } = setUp();
    receive(Op.REQUEST);
    streams[0].events?.closed();
    expect(take()).toEqual([Op.RESPONSE, Op.SHUTDOWN]);
    for (const wake of [...timers]) wake();
    expect(take()).toEqual([Op.RST]);
    expect(host.connections).toBe(0);
  });
});

describe("a connection of the host's", () => {
  it("waits for the guest's answer", () => {
    const { ask, sent, receive, take, timers } = setUp();
    const stream = ask(77);
    const { sourcePort } = sent[0].header;
    expect(sent[0].header).toMatchObject({ op: Op.REQUEST, destinationPort: 77 });
    take();
    stream.give(10);
    expect(take()).toEqual([]);
    receive(Op.RESPONSE, { sourcePort: 77, destinationPort: sourcePort });
    expect(stream.log).toEqual([`accepted ${sourcePort}`]);
    expect(take()).toEqual([Op.RW]);
    expect(timers.size).toBe(0);
  });

  it("is closed if the guest refuses, or says nothing", () => {
    const { ask, sent, receive, take, timers } = setUp();
    const refused = ask(77);
    receive(Op.RST, { sourcePort: 77, destinationPort: sent[0].header.sourcePort });
    expect(refused.log).toEqual(["destroy"]);
    take();
    const ignored = ask(78);
    for (const wake of [...timers]) wake();
    expect(ignored.log).toEqual(["destroy"]);
    expect(take()).toEqual([Op.REQUEST, Op.RST]);
  });

  it("waits for a driver that has no room yet", () => {
    const { ask, host, state, take } = setUp(0);
    ask(77);
    expect(take()).toEqual([]);
    state.rooms = 1;
    host.pump();
    expect(take()).toEqual([Op.REQUEST]);
  });
});

describe("credit", () => {
  it("keeps us from sending more than the guest has room for", () => {
    const { streams, receive, take, sent } = setUp();
    receive(Op.REQUEST, { bufferSize: 5000 });
    take();
    streams[0].give(20_000);
    const bytes = () => sent.reduce((sum, { payload }) => sum + payload.length, 0);
    expect(bytes()).toBe(5000);
    receive(Op.CREDIT_UPDATE, { bufferSize: 5000, forwarded: 3000 });
    expect(bytes()).toBe(8000);
    // What makes no sense is no room.
    receive(Op.CREDIT_UPDATE, { bufferSize: 5000, forwarded: 0xffff_0000 });
    expect(bytes()).toBe(8000);
    receive(Op.CREDIT_UPDATE, { bufferSize: 5000, forwarded: 8000 });
    expect(bytes()).toBe(13_000);
  });

  it("tells the guest of room as it comes, and when it asks", () => {
    const { streams, receive, take, sent } = setUp();
    receive(Op.REQUEST);
    take();
    receive(Op.RW, {}, new Uint8Array(100_000));
    expect(take()).toEqual([]);
    streams[0].drain();
    expect(sent[0].header).toMatchObject({ op: Op.CREDIT_UPDATE, forwarded: 100_000 });
    take();
    receive(Op.CREDIT_REQUEST);
    expect(take()).toEqual([Op.CREDIT_UPDATE]);
  });

  it("ends the connection of a guest that sends more than fits", () => {
    const { streams, receive, take } = setUp();
    receive(Op.REQUEST);
    take();
    for (let i = 0; i < 4; i++) receive(Op.RW, {}, new Uint8Array(BUFFER / 4));
    expect(take()).toEqual([]);
    receive(Op.RW, {}, new Uint8Array(1));
    expect(take()).toEqual([Op.RST]);
    expect(streams[0].log).toEqual(["finish"]);
  });
});

describe("packets that no driver sends", () => {
  it("are answered with a reset, or not at all", () => {
    const { host, receive, take } = setUp();
    host.receive(new Pieces([new Uint8Array(43)]));
    receive(Op.RST);
    expect(take()).toEqual([]);
    const wrong: [number, Partial<PacketHeader>][] = [
      [Op.RW, {}],
      [Op.RESPONSE, {}],
      [Op.SHUTDOWN, { flags: 3 }],
      [Op.REQUEST, { source: 3n }],
      [Op.REQUEST, { destination: 7n }],
      [Op.REQUEST, { type: 2 }],
      [Op.REQUEST, { length: 100 }],
      [99, {}],
    ];
    for (const [op, fields] of wrong) {
      receive(op, fields);
      expect(take(), JSON.stringify([op, String(Object.values(fields))])).toEqual([Op.RST]);
    }
    expect(host.connections).toBe(0);
  });

  it("end the connection that they are for", () => {
    for (const op of [Op.REQUEST, Op.RESPONSE, Op.INVALID, 1000]) {
      const { host, receive, take } = setUp();
      receive(Op.REQUEST);
      take();
      receive(op);
      expect(take()).toEqual([Op.RST]);
      expect(host.connections).toBe(1); // the stream, which is still to send what the guest wrote
    }
  });

  it("make us hold a bounded number of connections and resets", () => {
    const { host, receive, take, state } = setUp(0);
    for (let port = 0; port < 5000; port++) receive(Op.REQUEST, { sourcePort: port });
    expect(host.connections).toBe(512);
    state.rooms = 100_000;
    host.pump();
    const said = take();
    expect(said.filter((op) => op === Op.RST)).toHaveLength(256);
    expect(said.filter((op) => op === Op.RESPONSE)).toHaveLength(512);
    host.reset();
    expect(host.connections).toBe(0);
    state.answers = false;
    for (let port = 0; port < 5000; port++) {
      receive(Op.REQUEST, { sourcePort: port });
      receive(Op.RST, { sourcePort: port });
    }
    expect(host.connections).toBe(512);
  });

  it("of any kind, thousands of them, end nothing", () => {
    let x = 12345;
    const pick = (n: number) => {
      x = (Math.imul(x, 1103515245) + 12345) >>> 0;
      return (x >>> 8) % n;
    };
    const { host, receive, streams, state, sent } = setUp(50, 100);
    for (let round = 0; round < 20_000; round++) {
      receive(
        pick(9),
        {
          ...{ sourcePort: pick(3), destinationPort: pick(30) === 0 ? 1001 : pick(3), flags: pick(5) },
          ...{ bufferSize: pick(2) === 0 ? pick(500) : pick(2 ** 32), forwarded: pick(2 ** 32) },
        },
        new Uint8Array(pick(20) === 0 ? 70_000 : pick(50)),
      );
      if (pick(4) === 0) streams[pick(streams.length)]?.give(pick(300));
      if (pick(4) === 0) streams[pick(streams.length)]?.drain();
      if (pick(20) === 0) streams[pick(streams.length)]?.events?.closed();
      if (pick(20) === 0) streams[pick(streams.length)]?.events?.ended();
      if (pick(2) === 0) state.rooms = 10;
      if (streams.length > 20) streams.shift()?.events?.closed();
      if (pick(3) === 0) host.pump();
      sent.length = 0;
    }
    expect(host.connections).toBeLessThanOrEqual(512);
    host.close();
    expect(host.connections).toBe(0);
  });
});
