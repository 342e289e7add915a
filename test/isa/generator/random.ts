// Deterministic random numbers (xorshift128): a seed names a program for ever.
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor(seed: number) {
    this.#a = seed >>> 0;
    this.#b = 0x9e3779b9;
    this.#c = Math.imul(seed, 0x85ebca6b) >>> 0;
    this.#d = 0xc2b2ae35;
    for (let i = 0; i < 20; i++) this.word();
  }

  /** 32 random bits. */
  word(): number {
    let t = this.#a ^ (this.#a << 11);
    t ^= t >>> 8;
    this.#a = this.#b;
    this.#b = this.#c;
    this.#c = this.#d;
    this.#d = (this.#d ^ (this.#d >>> 19) ^ t) >>> 0;
    return this.#d;
  }

  /** 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.word() / 2 ** 32) * n);
  }

  /** `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  wide(): bigint {
    return (BigInt(this.word()) << 32n) | BigInt(this.word());
  }
}
