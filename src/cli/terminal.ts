// The person's terminal as the guest's console: raw mode while the guest runs, Ctrl-A as
// the key that speaks to us instead of the guest, the terminal's size passed on.
import type { GuestConsole } from "../guest/guest.ts";

const CTRL_A = 0x01;

/** Takes Ctrl-A sequences out of what is typed: Ctrl-A X leaves, Ctrl-A Ctrl-A is one Ctrl-A. */
export class EscapeFilter {
  #afterPrefix = false;

  /** The bytes for the guest; `leave` is true if the person wants to go. */
  filter(bytes: Uint8Array): { bytes: Uint8Array; leave: boolean } {
    const kept: number[] = [];
    for (const byte of bytes) {
      if (this.#afterPrefix) {
        this.#afterPrefix = false;
        if (byte === 0x78 || byte === 0x58) return { bytes: Uint8Array.from(kept), leave: true };
        // Any other key is passed on, without the prefix.
        kept.push(byte);
      } else if (byte === CTRL_A) this.#afterPrefix = true;
      else kept.push(byte);
    }
    return { bytes: Uint8Array.from(kept), leave: false };
  }
}

/**
 * Connects stdin with the guest's console until the result is called. On a terminal the
 * mode is raw; otherwise bytes pass as they are, and their end does not end the guest.
 */
export function connectInput(console: GuestConsole, leave: () => void): () => void {
  const { stdin, stdout } = process;
  const interactive = stdin.isTTY === true;
  const escapes = new EscapeFilter();

  const onData = (chunk: Buffer) => {
    if (!interactive) return console.write(chunk);
    const { bytes, leave: wantsToLeave } = escapes.filter(chunk);
    if (bytes.length > 0) console.write(bytes);
    if (wantsToLeave) leave();
  };
  const onResize = () => console.resize(stdout.columns, stdout.rows);
  const restore = () => {
    if (interactive) stdin.setRawMode(false);
  };

  if (interactive) {
    stdin.setRawMode(true);
    // Also where the process ends without coming back to us.
    process.on("exit", restore);
  }
  if (stdout.isTTY) {
    stdout.on("resize", onResize);
    onResize();
  }
  stdin.on("data", onData);
  stdin.on("error", () => {});
  stdin.resume();

  return () => {
    stdin.off("data", onData);
    stdin.pause();
    stdout.off("resize", onResize);
    process.off("exit", restore);
    restore();
  };
}
