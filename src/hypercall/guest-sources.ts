// What a guest's programs are built with, for the calls that one guest has: all that the engine serves, and those defined.
import { assemblyStub } from "./assembly-stub.ts";
import { cHeader } from "./c-header.ts";
import { CALLS } from "./catalogue.ts";
import { checkHypercalls, type DefinedHypercall } from "./define-hypercall.ts";

/** Text of a C header. @throws OptionError if no guest can have these calls together. */
export function hypercallHeader(hypercalls: readonly DefinedHypercall[] = []): string {
  checkHypercalls(hypercalls);
  return cHeader([...CALLS, ...hypercalls.map(({ row }) => row)]);
}

/** Text of a file for the GNU assembler. @throws OptionError if no guest can have these calls together. */
export function hypercallStub(hypercalls: readonly DefinedHypercall[] = []): string {
  checkHypercalls(hypercalls);
  return assemblyStub([...CALLS, ...hypercalls.map(({ row }) => row)]);
}
