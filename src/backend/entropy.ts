// Random bytes that a seed fixes: the stream behind virtio-rng and the firmware's seed when
// a run has to repeat. xoshiro128** of Blackman and Vigna, its state filled from the seed by
// SplitMix64. Not for cryptography: who knows the seed knows the stream.

export interface EntropySource {
  fill(bytes: Uint8Array): void;
}

const MASK = 0xffff_ffff_ffff_ffffn;

function splitMix(seed: bigint): () => bigint {
  let state = seed & MASK;
  return () => {
    state = (state + 0x9e37_79b9_7f4a_7c15n) & MASK;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & MASK;
    z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & MASK;
    return z ^ (z >> 31n);
  };
}

function rotateLeft(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

export function seededEntropy(seed: bigint): EntropySource {
  const next = splitMix(seed);
  const [low, high] = [next(), next()];
  const s = new Uint32Array([
    Number(low & 0xffff_ffffn),
    Number(low >> 32n),
    Number(high & 0xffff_ffffn),
    Number(high >> 32n),
  ]);

  const word = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(s[1], 5), 7), 9);
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotateLeft(s[3], 11);
    return result;
  };

  return {
    fill(bytes) {
      for (let i = 0; i < bytes.length; i += 4) {
        const bits = word();
        for (let b = 0; b < 4 && i + b < bytes.length; b++) bytes[i + b] = bits >>> (8 * b);
      }
    },
  };
}
