// The kernels: what they exercise, and how many rounds of each take one or two seconds.
export type Group = "integer" | "memory" | "floating point";

export interface Kernel {
  /** Name of the file without `.c`. */
  name: string;
  group: Group;
  iterations: number;
}

export const KERNELS: readonly Kernel[] = [
  { name: "sort", group: "integer", iterations: 60 },
  { name: "crc32", group: "integer", iterations: 600 },
  { name: "list", group: "integer", iterations: 1200 },
  { name: "fib", group: "integer", iterations: 140 },
  { name: "bytecode", group: "integer", iterations: 300 },
  { name: "strings", group: "integer", iterations: 2500 },
  { name: "memcpy", group: "memory", iterations: 3500 },
  { name: "stream", group: "memory", iterations: 150 },
  { name: "random-walk", group: "memory", iterations: 200 },
  { name: "matmul", group: "floating point", iterations: 60 },
  { name: "nbody", group: "floating point", iterations: 400 },
  { name: "mandelbrot", group: "floating point", iterations: 150 },
  { name: "dot", group: "floating point", iterations: 2000 },
];
