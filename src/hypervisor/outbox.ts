// What a guest's worker has to tell: its console, notices, restarts. A guest may write as fast as it
// likes; here it is one message at a time, each of bounded size, and the next only once
// the last was read. What does not fit is dropped, oldest first, and counted.

import type { CallRefusal } from "../hypercall/refusals.ts";

/** Bytes of console output that wait. */
const CONSOLE_BYTES = 0x4_0000;
const MOST_NOTICES = 64;
const MOST_REFUSALS = 64;

export interface News {
  type: "news";
  console: Uint8Array<ArrayBuffer>;
  /** Bytes of console output before it that nobody will see. */
  consoleLost: number;
  notices: string[];
  noticesLost: number;
  resets: number;
  refusals: CallRefusal[];
}

export class Outbox {
  readonly #post: (news: News) => void;
  readonly #later: (step: () => void) => void;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #consoleLost = 0;
  #notices: string[] = [];
  #noticesLost = 0;
  #resets = 0;
  #refusals: CallRefusal[] = [];
  #awaitsAnswer = false;
  #isDue = false;

  /** `later` calls its argument once, after what is under way. */
  constructor(post: (news: News) => void, later: (step: () => void) => void) {
    this.#post = post;
    this.#later = later;
  }

  console(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    while (this.#bytes > CONSOLE_BYTES) {
      const [first] = this.#pieces;
      const tooMany = Math.min(first.length, this.#bytes - CONSOLE_BYTES);
      if (tooMany === first.length) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(tooMany);
      this.#bytes -= tooMany;
      this.#consoleLost += tooMany;
    }
    this.#soon();
  }

  notice(message: string): void {
    if (this.#notices.length < MOST_NOTICES) this.#notices.push(message);
    else this.#noticesLost++;
    this.#soon();
  }

  /** The guest's own counters have those that are not told. */
  refusal(refusal: CallRefusal): void {
    if (this.#refusals.length < MOST_REFUSALS) this.#refusals.push(refusal);
    this.#soon();
  }

  reset(): void {
    this.#resets++;
    this.#soon();
  }

  /** The last message was read. */
  answered(): void {
    this.#awaitsAnswer = false;
    if (this.#hasNews) this.#soon();
  }

  /** Sends what there is, read or not: the guest has ended. */
  flush(): void {
    if (this.#hasNews) this.#send();
  }

  get #hasNews(): boolean {
    return this.#bytes > 0 || this.#notices.length > 0 || this.#resets > 0 || this.#refusals.length > 0;
  }

  #soon(): void {
    if (this.#awaitsAnswer || this.#isDue) return;
    this.#isDue = true;
    this.#later(() => {
      this.#isDue = false;
      if (!this.#awaitsAnswer && this.#hasNews) this.#send();
    });
  }

  #send(): void {
    const console = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      console.set(piece, at);
      at += piece.length;
    }
    this.#awaitsAnswer = true;
    const news: News = {
      type: "news",
      console,
      consoleLost: this.#consoleLost,
      notices: this.#notices,
      noticesLost: this.#noticesLost,
      resets: this.#resets,
      refusals: this.#refusals,
    };
    this.#pieces = [];
    this.#bytes = 0;
    this.#consoleLost = 0;
    this.#notices = [];
    this.#noticesLost = 0;
    this.#resets = 0;
    this.#refusals = [];
    this.#post(news);
  }
}
