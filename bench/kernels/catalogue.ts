// The kernels: what they exercise, and how many rounds of each take QEMU's translator about a second.
export type Group = "integer" | "memory" | "floating point";

export interface Kernel {
  /** Name of the file without `.c`. */
  name: string;
  group: Group;
  iterations: number;
}

export const KERNELS: readonly Kernel[] = [
  { name: "sort", group: "integer", iterations: 300 },
  { name: "crc32", group: "integer", iterations: 2000 },
  { name: "list", group: "integer", iterations: 4500 },
  { name: "fib", group: "integer", iterations: 350 },
  { name: "bytecode", group: "integer", iterations: 800 },
  { name: "strings", group: "integer", iterations: 12000 },
  { name: "core-mix", group: "integer", iterations: 800 },
  { name: "records", group: "integer", iterations: 550 },
  { name: "inflate", group: "integer", iterations: 450 },
  { name: "sha256", group: "integer", iterations: 3000 },
  { name: "aes", group: "integer", iterations: 1500 },
  { name: "json", group: "integer", iterations: 2000 },
  { name: "script", group: "integer", iterations: 550 },
  { name: "string-sort", group: "integer", iterations: 550 },
  { name: "memcpy", group: "memory", iterations: 18000 },
  { name: "stream", group: "memory", iterations: 600 },
  { name: "random-walk", group: "memory", iterations: 900 },
  { name: "binary-trees", group: "memory", iterations: 550 },
  { name: "matmul", group: "floating point", iterations: 400 },
  { name: "nbody", group: "floating point", iterations: 2500 },
  { name: "mandelbrot", group: "floating point", iterations: 450 },
  { name: "dot", group: "floating point", iterations: 10000 },
  { name: "spectral-norm", group: "floating point", iterations: 220 },
  { name: "fft", group: "floating point", iterations: 420 },
];
