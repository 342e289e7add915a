import { describe, expect, it } from "vitest";
import { seededEntropy } from "../../src/backend/entropy.ts";

function bytes(seed: bigint, length: number): Uint8Array {
  const into = new Uint8Array(length);
  seededEntropy(seed).fill(into);
  return into;
}

describe("seeded entropy", () => {
  it("is fixed by its seed, bit 63 included", () => {
    expect(bytes(1n, 64)).toEqual(bytes(1n, 64));
    expect(bytes(1n, 64)).not.toEqual(bytes(2n, 64));
    expect(bytes(1n, 64)).not.toEqual(bytes((1n << 63n) | 1n, 64));
  });

  it("has no bias that a count of bits shows", () => {
    const ones = bytes(7n, 100_000).reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    // 800,000 fair bits: standard deviation 447.
    expect(Math.abs(ones - 400_000)).toBeLessThan(2500);
  });
});
