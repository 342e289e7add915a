// Every operation under test, once: our function, the RISC-V instruction that is its
// reference, and the shape of both. In the assembly text the operands are in ft0, ft1,
// ft2 (or %[a], %[b] for integers) and the result goes to ft3 (or %[r]).

/** s binary32, d binary64, w u32/i32, x u64/i64, and i an integer result in an x register. */
export type Kind = "s" | "d" | "w" | "x" | "i";

export interface Operation {
  name: string;
  assembly: string;
  operands: Kind;
  arity: 1 | 2 | 3;
  result: Kind;
  /** Takes a rounding mode. */
  rounds: boolean;
}

const list: Operation[] = [];

function declare(
  name: string,
  assembly: string,
  operands: Kind,
  arity: 1 | 2 | 3,
  result: Kind,
  rounds: boolean,
): void {
  list.push({ name, assembly, operands, arity, result, rounds });
}

for (const [width, f] of [
  ["64", "d"],
  ["32", "s"],
] as const) {
  for (const name of ["add", "sub", "mul", "div"]) declare(name + width, `f${name}.${f} ft3, ft0, ft1`, f, 2, f, true);
  declare(`sqrt${width}`, `fsqrt.${f} ft3, ft0`, f, 1, f, true);
  declare(`fma${width}`, `fmadd.${f} ft3, ft0, ft1, ft2`, f, 3, f, true);
  for (const name of ["min", "max"]) declare(name + width, `f${name}.${f} ft3, ft0, ft1`, f, 2, f, false);
  for (const name of ["eq", "lt", "le"]) declare(name + width, `f${name}.${f} %[r], ft0, ft1`, f, 2, "i", false);
  declare(`class${width}`, `fclass.${f} %[r], ft0`, f, 1, "i", false);
  for (const [type, suffix, kind] of [
    ["I32", "w", "w"],
    ["U32", "wu", "w"],
    ["I64", "l", "x"],
    ["U64", "lu", "x"],
  ] as const) {
    declare(`f${width}To${type}`, `fcvt.${suffix}.${f} %[r], ft0`, f, 1, "i", true);
    const exact = width === "64" && kind === "w";
    declare(`${type.toLowerCase()}ToF${width}`, `fcvt.${f}.${suffix} ft3, %[a]`, kind, 1, f, !exact);
  }
}
declare("f64ToF32", "fcvt.s.d ft3, ft0", "d", 1, "s", true);
declare("f32ToF64", "fcvt.d.s ft3, ft0", "s", 1, "d", false);

export const operations: readonly Operation[] = list;

/** The cases of the reference program's switch, as C. */
export function referenceCases(): string {
  return operations.map((o, i) => `CASE(${i}, ${o.operands}, ${o.result}, "${o.assembly}")\n`).join("");
}
