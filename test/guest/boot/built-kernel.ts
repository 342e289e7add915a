// Kernels that `paravane guest kernel` has built on this machine, if it has.
import { type BuiltKernel, cachedKernel } from "../../../src/platform/node/debian/kernel.ts";

/** Of sid's source, which has more to try, or else of Debian 13's. */
export function builtKernel(config: "paravirt" | "small"): BuiltKernel | undefined {
  return cachedKernel({ config, release: "sid" }) ?? cachedKernel({ config, release: "trixie" });
}
