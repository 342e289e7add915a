// A guest's network device and a switch that live in different threads. Both ends send frames in
// batches and say how many bytes they have passed on: neither sends more than a window ahead, so
// nobody can fill the other's memory. What a guest sends past that is lost, as on a wire.
import { NetOffload } from "../../assembly/abi/net.ts";
import type { NetBackend, NetFrame, NetGuest } from "../backend/net.ts";
import type { Switch, SwitchPort } from "../backend/switch.ts";
import type { Channel } from "./channel.ts";
import { FrameBatch, type FrameMessage, framesOf } from "./frame-batch.ts";

/** Bytes that may be under way in one direction. */
const WINDOW = 2 << 20;

type LinkMessage =
  | { type: "open"; mtu: number | undefined }
  | ({ type: "frames" } & FrameMessage)
  /** So many bytes have been passed on. */
  | { type: "passed"; bytes: number }
  | { type: "link"; up: boolean }
  | { type: "close" };

/** What both ends have: a batch to be sent, and how much is under way. */
class Sender {
  readonly #channel: Channel;
  readonly #batch = new FrameBatch();
  #underWay = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get waits(): boolean {
    return this.#batch.size > 0;
  }

  /** Takes a frame, unless too much is under way. */
  add(frame: NetFrame): boolean {
    if (this.#underWay + this.#batch.size + frame.length > WINDOW) return false;
    if (this.#batch.isFull) this.flush();
    return this.#batch.add(frame);
  }

  flush(): void {
    if (!this.waits) return;
    const message = this.#batch.take();
    this.#underWay += message.bytes.length;
    this.post({ type: "frames", ...message }, [message.bytes.buffer]);
  }

  passed(bytes: number): void {
    this.#underWay -= bytes;
  }

  post(message: LinkMessage, transfer?: readonly ArrayBuffer[]): void {
    this.#channel.post(message, transfer);
  }
}

/** The guest's end: a backend for one of its network devices. */
export class SwitchLink implements NetBackend {
  readonly name = "switch";
  readonly accepts = NetOffload.CHECKSUM | NetOffload.TSO4 | NetOffload.TSO6 | NetOffload.ECN;
  readonly dhcp = false;
  readonly #channel: Channel;
  readonly #sender: Sender;
  #guest: NetGuest | undefined;
  /** Frames that the guest has had no room for. */
  #queue: NetFrame[] = [];
  /** Frames of the guest's that were lost. */
  lost = 0;

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#sender = new Sender(channel);
  }

  open(guest: NetGuest): void {
    this.#guest = guest;
    this.#channel.listen((message) => this.#receive(message as LinkMessage));
    this.#sender.post({ type: "open", mtu: guest.mtu });
  }

  send(frame: NetFrame): void {
    if (!this.#sender.add(frame)) this.lost++;
  }

  settle(): void {
    this.#sender.flush();
  }

  ready(): void {
    const passed = this.#give(this.#queue);
    this.#queue.splice(0, passed.frames);
    this.#say(passed.bytes);
  }

  close(): void {
    this.#guest = undefined;
    this.#queue = [];
    this.#sender.post({ type: "close" });
    this.#channel.close();
  }

  #receive(message: LinkMessage): void {
    switch (message.type) {
      case "frames": {
        const frames = [...framesOf(message)];
        // Frames stay in order: none passes those that wait.
        const passed = this.#queue.length > 0 ? { frames: 0, bytes: 0 } : this.#give(frames);
        this.#queue.push(...frames.slice(passed.frames));
        this.#say(passed.bytes);
        break;
      }
      case "passed":
        this.#sender.passed(message.bytes);
        break;
      case "link":
        this.#guest?.setLink(message.up);
        break;
    }
  }

  /** Gives the guest what it has room for. */
  #give(frames: readonly NetFrame[]): { frames: number; bytes: number } {
    let bytes = 0;
    for (let n = 0; n < frames.length; n++) {
      if (this.#guest === undefined || !this.#guest.deliver(frames[n])) return { frames: n, bytes };
      bytes += frames[n].length;
    }
    return { frames: frames.length, bytes };
  }

  #say(bytes: number): void {
    if (bytes > 0) this.#sender.post({ type: "passed", bytes });
  }
}

/** The switch's end of a link: connects it to a port of `lan` as soon as the guest is there. The result takes it out. */
export function linkToSwitch(channel: Channel, lan: Switch): () => void {
  const sender = new Sender(channel);
  let port: SwitchPort | undefined;
  let isDue = false;
  const flushSoon = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      sender.flush();
    });
  };
  const guestOf = (mtu: number | undefined): NetGuest => ({
    mtu,
    deliver(frame) {
      const taken = sender.add(frame);
      if (taken) flushSoon();
      return taken;
    },
    setLink: (up) => sender.post({ type: "link", up }),
    notice: () => {},
  });
  const disconnect = () => {
    port?.close();
    port = undefined;
    channel.close();
  };
  channel.listen((received) => {
    const message = received as LinkMessage;
    switch (message.type) {
      case "open":
        port = lan.port();
        port.open(guestOf(message.mtu));
        break;
      case "frames":
        for (const frame of framesOf(message)) port?.send(frame);
        sender.post({ type: "passed", bytes: message.bytes.length });
        break;
      case "passed":
        sender.passed(message.bytes);
        port?.ready();
        break;
      case "close":
        disconnect();
        break;
    }
  });
  return disconnect;
}
