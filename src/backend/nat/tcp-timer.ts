// When a TCP connection sends again what was not acknowledged, or probes a closed window
// (RFC 9293, 3.8.1 and 3.8.6.1), and when it gives up.

const FIRST_TIMEOUT = 1000;
const LONGEST_TIMEOUT = 60_000;

export class RetransmissionTimer {
  /** When to send again; Infinity while there is no need to. */
  #deadline = Number.POSITIVE_INFINITY;
  #timeout = FIRST_TIMEOUT;
  #retries = 0;
  /** When something was sent again. */
  #asked = 0;

  get isRunning(): boolean {
    return this.#deadline !== Number.POSITIVE_INFINITY;
  }

  start(now: number): void {
    this.#deadline = now + this.#timeout;
  }

  /** Something was acknowledged: time begins anew. */
  reset(): void {
    this.#retries = 0;
    this.#timeout = FIRST_TIMEOUT;
    this.#deadline = Number.POSITIVE_INFINITY;
  }

  /** Somebody is there, though nothing was acknowledged. */
  heard(): void {
    this.#retries = 0;
  }

  /** Has it run out? Then it does not run any more. */
  isOver(now: number): boolean {
    if (now < this.#deadline) return false;
    this.#deadline = Number.POSITIVE_INFINITY;
    return true;
  }

  /**
   * Something is to be sent again, and waited for twice as long. False if that was done `most` times in vain; a time at
   * which the other side, last heard of at `lastHeard`, can have answered nobody does not count.
   */
  again(now: number, lastHeard: number, most: number): boolean {
    if (lastHeard > this.#asked) this.#retries++;
    if (this.#retries > most) return false;
    this.#asked = now;
    this.#timeout = Math.min(this.#timeout * 2, LONGEST_TIMEOUT);
    return true;
  }
}
