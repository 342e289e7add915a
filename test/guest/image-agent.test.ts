import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { GuestAgent } from "../../src/guest/agent.ts";
import { AgentPort, endMark, startMark } from "../../src/guest/agent-protocol.ts";
import { MarkedStream } from "../../src/guest/marked-stream.ts";
import { agentScript } from "../../src/image/agent-script.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The guest's side of the ports: takes requests apart, and says what a test makes it say. */
class GuestSide {
  readonly agent: GuestAgent;
  readonly requests: { id: string; token: string; command: string; stdin: string | undefined }[] = [];
  readonly words: string[] = [];
  #stdinLength = "-";

  constructor() {
    this.agent = new GuestAgent({ seed: 1, write: (port, bytes) => this.#take(port, bytes) });
  }

  #take(port: AgentPort, bytes: Uint8Array): void {
    const text = decode(bytes);
    if (port === AgentPort.STDIN) {
      expect(String(bytes.length)).toBe(this.#stdinLength);
      this.requests[this.requests.length - 1].stdin = text;
      return;
    }
    expect(port).toBe(AgentPort.CONTROL);
    const line = text.slice(0, text.indexOf("\n"));
    const [word, id, token, size, stdin] = line.split(" ");
    this.words.push(word);
    if (word !== "exec") return;
    const command = bytes.subarray(line.length + 1);
    expect(String(command.length)).toBe(size);
    this.#stdinLength = stdin;
    this.requests.push({ id, token, command: decode(command), stdin: undefined });
  }

  get last() {
    return this.requests[this.requests.length - 1];
  }

  say(line: string): void {
    this.agent.onBytes(AgentPort.CONTROL, encode(`${line}\n`));
  }

  put(port: AgentPort, text: string): void {
    this.agent.onBytes(port, encode(text));
  }

  /** Ends the last command, with its marks. */
  finish(status: number, stdout = "", stderr = ""): void {
    const { id, token } = this.last;
    this.put(AgentPort.STDOUT, startMark(token) + stdout + endMark(token));
    this.put(AgentPort.STDERR, startMark(token) + stderr + endMark(token));
    this.say(`exit ${id} ${status}`);
  }
}

function readyGuest(): GuestSide {
  const guest = new GuestSide();
  guest.say("ready 1");
  return guest;
}

describe("the agent's host side", () => {
  it("holds commands back until the guest is ready, then sends one after the other", async () => {
    const guest = new GuestSide();
    const first = guest.agent.exec("first");
    const second = guest.agent.exec("second");
    expect(guest.words).toEqual([]);
    guest.say("ready 1");
    await guest.agent.ready;
    expect(guest.requests.map(({ command }) => command)).toEqual(["first"]);
    guest.finish(3, "out", "err");
    expect(await first).toEqual({ status: 3, stdout: encode("out"), stderr: encode("err") });
    expect(guest.last.command).toBe("second");
    guest.finish(0);
    expect((await second).status).toBe(0);
    expect(guest.requests[0].token).not.toBe(guest.requests[1].token);
  });

  it("passes commands and input on as bytes", async () => {
    const guest = readyGuest();
    const command = `echo 'quotes' "and"\n${"long ".repeat(2000)}\u00e9`;
    const result = guest.agent.exec(command, { stdin: encode("some\ninput") });
    expect(guest.last.command).toBe(command);
    expect(guest.last.stdin).toBe("some\ninput");
    guest.finish(0);
    await result;
    await expect(guest.agent.exec("nul\0byte")).rejects.toThrow("NUL byte");
  });

  it("waits for output that the status overtakes, on either stream", async () => {
    const guest = readyGuest();
    let done = false;
    const result = guest.agent.exec("x").finally(() => {
      done = true;
    });
    const { id, token } = guest.last;
    guest.say(`exit ${id} 0`);
    guest.put(AgentPort.STDERR, startMark(token) + endMark(token));
    await Promise.resolve();
    expect(done).toBe(false);
    guest.put(AgentPort.STDOUT, `${startMark(token)}late${endMark(token)}`);
    expect(decode((await result).stdout)).toBe("late");
  });

  it("drops what lies outside the marks: output of processes left behind", async () => {
    const guest = readyGuest();
    const first = guest.agent.exec("first");
    guest.finish(0, "one");
    expect(decode((await first).stdout)).toBe("one");
    guest.put(AgentPort.STDOUT, "between");
    const second = guest.agent.exec("second");
    guest.put(AgentPort.STDOUT, "still the first's");
    guest.finish(0, "two");
    expect(decode((await second).stdout)).toBe("two");
  });

  it("streams output as it comes, and collects none if told so", async () => {
    const guest = readyGuest();
    const seen: string[] = [];
    const result = guest.agent.exec("x", { onStdout: (bytes) => seen.push(decode(bytes)), collect: false });
    guest.put(AgentPort.STDOUT, startMark(guest.last.token));
    guest.put(AgentPort.STDOUT, "a");
    guest.put(AgentPort.STDOUT, "b");
    expect(seen).toEqual(["a", "b"]);
    guest.put(AgentPort.STDOUT, endMark(guest.last.token));
    guest.put(AgentPort.STDERR, startMark(guest.last.token) + endMark(guest.last.token));
    guest.say(`exit ${guest.last.id} 0`);
    expect((await result).stdout.length).toBe(0);
  });

  it("fails a command that writes too much, and takes the next one when it has ended", async () => {
    const guest = readyGuest();
    const greedy = guest.agent.exec("yes", { outputLimit: 10 });
    const next = guest.agent.exec("next");
    guest.put(AgentPort.STDOUT, `${startMark(guest.last.token)}${"y".repeat(11)}`);
    await expect(greedy).rejects.toThrow("more than 10 bytes");
    expect(guest.last.command).toBe("yes");
    guest.put(AgentPort.STDOUT, endMark(guest.last.token));
    guest.put(AgentPort.STDERR, startMark(guest.last.token) + endMark(guest.last.token));
    guest.say(`exit ${guest.last.id} 0`);
    expect(guest.last.command).toBe("next");
    guest.finish(0, "fine");
    expect(decode((await next).stdout)).toBe("fine");
  });

  it("fails what runs when the guest restarts, and goes on with the next", async () => {
    const guest = readyGuest();
    const lost = guest.agent.exec("lost");
    const next = guest.agent.exec("next");
    guest.say("ready 1");
    await expect(lost).rejects.toThrow("restarted");
    expect(guest.last.command).toBe("next");
    guest.finish(0);
    await next;
  });

  it("fails everything once the guest is gone", async () => {
    const guest = new GuestSide();
    const running = guest.agent.exec("x");
    guest.agent.close(new Error("powered off"));
    await expect(guest.agent.ready).rejects.toThrow("powered off");
    await expect(running).rejects.toThrow("powered off");
    await expect(guest.agent.exec("y")).rejects.toThrow("powered off");
  });

  it.each(["exit 99 0", "exit 1 256", "exit 1 -1", "exit 1 x", "nonsense", "x".repeat(1000), "ready 2"])(
    "ends the conversation when the guest says %s",
    async (line) => {
      const guest = readyGuest();
      const running = guest.agent.exec("x");
      guest.say(line);
      await expect(running).rejects.toThrow(/agent/);
      await expect(guest.agent.exec("y")).rejects.toThrow(/agent/);
    },
  );

  it("asks for power-off after the commands given before", async () => {
    const guest = readyGuest();
    const running = guest.agent.exec("x");
    guest.agent.poweroff();
    expect(guest.words).toEqual(["exec"]);
    guest.finish(0);
    await running;
    expect(guest.words).toEqual(["exec", "poweroff"]);
  });
});

describe("a marked stream", () => {
  const start = startMark("token");
  const end = endMark("token");

  it("gives the same bytes however the stream is cut", () => {
    const content = `binary \0\0token \0token+ ${"\0".repeat(20)}\0toke`;
    const stream = encode(`junk\0${start}${content}${end}\0more`);
    for (let size = 1; size <= stream.length; size++) {
      let got = "";
      const marked = new MarkedStream(start, end, (bytes) => {
        expect(bytes.length).toBeGreaterThan(0);
        got += decode(bytes);
      });
      for (let at = 0; at < stream.length; at += size) marked.feed(stream.subarray(at, at + size));
      expect(got, `pieces of ${size}`).toBe(content);
      expect(marked.ended).toBe(true);
    }
  });

  it("keeps nothing of the caller's buffer", () => {
    const kept: Uint8Array[] = [];
    const marked = new MarkedStream(start, end, (bytes) => kept.push(bytes));
    const buffer = encode(`${start}abc`);
    marked.feed(buffer);
    buffer.fill(0);
    expect(kept.map(decode)).toEqual(["abc"]);
  });
});

describe("the guest's script", () => {
  it("is proper shell", () => {
    execFileSync("sh", ["-n"], { input: agentScript });
  });

  it("writes the marks that the host looks for", () => {
    const formats = [...agentScript.matchAll(/printf '([^']*)' "\$token"/g)].map(([, format]) => format);
    const written = formats.map((format) => decode(execFileSync("sh", ["-c", `printf '${format}' "$1"`, "sh", "tok"])));
    expect(written).toEqual([startMark("tok"), startMark("tok"), endMark("tok"), endMark("tok")]);
  });
});
