// The client of QEMU's guest agent, against an agent of our own that does what agents should
// not: says nothing, says too much, says something else, answers late.
import { describe, expect, it } from "vitest";
import { AgentConnection } from "../../src/guest/qemu-agent/connection.ts";
import { QemuAgent } from "../../src/guest/qemu-agent/qemu-agent.ts";
import { LineReader, parseReply } from "../../src/guest/qemu-agent/replies.ts";

type Request = { execute: string; arguments?: Record<string, unknown> };

/** What `answer` gives is sent as it is; an object becomes a reply. */
function setUp(answer: (request: Request) => unknown) {
  const asked: Request[] = [];
  const connection: AgentConnection = new AgentConnection({
    write: (bytes) => {
      if (bytes[0] === 0xff) return;
      const request = JSON.parse(Buffer.from(bytes).toString()) as Request;
      asked.push(request);
      queueMicrotask(() => {
        if (request.execute === "guest-sync-delimited") {
          const reply = answer(request) ?? `\xff{"return": ${request.arguments?.id}}\n`;
          connection.receive(Buffer.from(String(reply), "latin1"));
          return;
        }
        const reply = answer(request);
        if (reply === undefined) return;
        connection.receive(Buffer.from(typeof reply === "string" ? reply : `${JSON.stringify(reply)}\n`, "latin1"));
      });
    },
    startTimer: (milliseconds, wake) => {
      const timer = setTimeout(wake, milliseconds);
      return () => clearTimeout(timer);
    },
    randomNumber: () => 123_456,
  });
  return { agent: new QemuAgent(connection, async () => {}), connection, asked };
}

const only = (reply: unknown) => (request: Request) => (request.execute === "guest-sync-delimited" ? undefined : reply);

describe("replies", () => {
  it("come in any pieces, and the sentinel drops what was before", () => {
    const reader = new LineReader();
    const bytes = Buffer.from('half a li\xff{"return": 1}\n{"return": 2}\n', "latin1");
    const lines = [...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte)));
    expect(lines).toEqual([
      { text: '{"return": 1}', isDelimited: true },
      { text: '{"return": 2}', isDelimited: false },
    ]);
  });

  it("that are too long are dropped, and the next is read", () => {
    const reader = new LineReader();
    const part = new Uint8Array(16 << 20).fill(97);
    for (let i = 0; i < 4; i++) expect(reader.push(part)).toEqual([]);
    expect(reader.push(Buffer.from("\nnext\n"))).toEqual([{ text: "next", isDelimited: false }]);
  });

  it("that nest too deep, or are none, are no replies", () => {
    for (const text of [
      "[".repeat(100_000),
      '{"return":'.repeat(100_000),
      "",
      "null",
      "[]",
      '"x"',
      "{}",
      '{"event": 1}',
    ]) {
      expect(parseReply(text)).toBeUndefined();
    }
    expect(parseReply('{"return": {"a": "[[[[\\"]]"}}')).toEqual({ result: { a: '[[[["]]' } });
    expect(parseReply('{"error": null}')).toEqual({ error: { class: "", description: "" } });
  });
});

describe("a call", () => {
  it("begins a conversation, and then asks", async () => {
    const { agent, asked } = setUp(only({ return: { "host-name": "guest" } }));
    expect(await agent.hostName()).toBe("guest");
    expect(await agent.hostName()).toBe("guest");
    expect(asked.map(({ execute }) => execute)).toEqual([
      "guest-sync-delimited",
      "guest-get-host-name",
      "guest-get-host-name",
    ]);
  });

  it("asks nothing of an agent that does not answer", async () => {
    const { agent, asked } = setUp((request) => (request.execute === "guest-sync-delimited" ? "" : {}));
    await expect(agent.exec("/bin/rm", ["x"], { timeout: 20 })).rejects.toThrow("start qemu-guest-agent");
    expect(asked.map(({ execute }) => execute)).toEqual(["guest-sync-delimited"]);
  });

  it("takes no late reply for its own", async () => {
    let isLate = true;
    const { agent, connection } = setUp((request) => {
      if (request.execute === "guest-sync-delimited") return undefined;
      return isLate ? undefined : { return: { "host-name": "right" } };
    });
    await expect(agent.hostName({ timeout: 20 })).rejects.toMatchObject({ timedOut: true });
    isLate = false;
    const next = agent.hostName();
    connection.receive(Buffer.from('{"return": {"host-name": "late"}}\n'));
    expect(await next).toBe("right");
  });

  it("fails if the answer is nonsense", async () => {
    const wrong: unknown[] = [
      "garbage\n",
      { return: {} },
      { return: null },
      { return: { "host-name": 5 } },
      { return: [] },
    ];
    for (const reply of wrong) {
      await expect(setUp(only(reply)).agent.hostName({ timeout: 1000 })).rejects.toMatchObject({ name: "AgentError" });
    }
    await expect(setUp(only({ return: [{ name: 1 }] })).agent.interfaces()).rejects.toThrow("no text");
    await expect(setUp(only({ return: { version: "1", supported_commands: "all" } })).agent.info()).rejects.toThrow(
      "no list",
    );
  });

  it("of a file that has no end is ended", async () => {
    const endless = (request: Request) => {
      if (request.execute === "guest-sync-delimited") return undefined;
      if (request.execute === "guest-file-read") return { return: { "buf-b64": btoa("x".repeat(1000)), eof: false } };
      return { return: 1 };
    };
    await expect(setUp(endless).agent.readFile("/dev/zero", { limit: 10_000 })).rejects.toThrow(
      "more than 10000 bytes",
    );
  });

  it("to end the guest is done when nothing comes back, and fails if it is refused", async () => {
    await setUp(only(undefined)).agent.shutdown();
    const refusing = setUp(only({ error: { class: "GenericError", desc: "no" } }));
    await expect(refusing.agent.shutdown()).rejects.toThrow("refused: no");
  });

  it("fails when the guest is gone", async () => {
    const { agent, connection } = setUp(only(undefined));
    const call = agent.ping();
    setTimeout(() => connection.close(new Error("gone")), 10);
    await expect(call).rejects.toThrow("gone");
    await expect(agent.ping()).rejects.toThrow("gone");
  });
});
