// Watches the console for Linux's panic message, and reads from the report around it what
// the kernel says about the trap. Text alone proves nothing (a user can print the same
// words), so a panic counts only once the guest then resets, or a hart spins in the kernel without
// ever waiting or entering user mode. The others may still do so: they are told to stop a while
// after the message.

const MARK = "Kernel panic - not syncing";
/** In a backtrace, the line below panic(): `[<ffffffff8055e1b4>] sysrq_handle_crash+0x1e/0x20`. */
const CALLER_OF_PANIC = /\bpanic\+0x\S+[^\n]*\n[^\n]*?\[<([0-9a-f]{8,16})>\]/g;

/** Console text kept for the report. */
const KEPT = 16_384;

export interface PanicReport {
  /** What the kernel says after the mark. */
  reason: string;
  /** `epc` of the last register dump before the panic; without a dump, where panic() was called. */
  pc?: bigint;
  /** `cause` and `badaddr` of that dump. */
  cause?: bigint;
  tval?: bigint;
}

function hexField(text: string, pattern: RegExp): bigint | undefined {
  const match = [...text.matchAll(pattern)].at(-1);
  return match ? BigInt(`0x${match[1]}`) : undefined;
}

export class PanicWatch {
  #text = "";
  #decoder = new TextDecoder();
  #suspected = false;
  /** Harts that went on after the message. */
  #alive = new Set<number>();

  /** True from the moment the mark is seen until cleared. */
  get suspected(): boolean {
    return this.#suspected;
  }

  see(bytes: Uint8Array): void {
    const from = Math.max(0, this.#text.length - MARK.length);
    this.#text += this.#decoder.decode(bytes, { stream: true });
    if (this.#text.indexOf(MARK, from) >= 0) {
      this.#suspected = true;
      this.#alive.clear();
    }
    if (this.#text.length > 2 * KEPT) this.#text = this.#text.slice(-KEPT);
  }

  /** What each hart does after the message: waits or is in user mode (true), or not. When all have gone on the words meant nothing. */
  look(goesOn: readonly boolean[]): void {
    goesOn.forEach((goes, hart) => {
      if (goes) this.#alive.add(hart);
    });
    if (this.#alive.size === goesOn.length) this.clear();
  }

  /** The guest went on: the words meant nothing. */
  clear(): void {
    this.#suspected = false;
  }

  /** The last `lines` lines of the console. */
  tail(lines: number): string {
    return this.#text.trimEnd().split(/\r?\n/).slice(-lines).join("\n");
  }

  report(): PanicReport {
    const at = this.#text.lastIndexOf(MARK);
    const rest = at < 0 ? "" : this.#text.slice(at + MARK.length).split(/\r?\n/, 1)[0];
    const [before, after] = at < 0 ? [this.#text, ""] : [this.#text.slice(0, at), this.#text.slice(at)];
    return {
      reason:
        rest
          .replace(/^:\s*/, "")
          .replace(/\s*\]-+$/, "")
          .trim() || "no reason given",
      pc: hexField(before, /\bepc\s*:\s*([0-9a-f]{8,16})\b/g) ?? hexField(after, CALLER_OF_PANIC),
      cause: hexField(before, /\bcause:\s*([0-9a-f]{8,16})\b/g),
      tval: hexField(before, /\bbadaddr:\s*([0-9a-f]{8,16})\b/g),
    };
  }
}
