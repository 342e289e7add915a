// A guest's linear memory: engine state below Layout.RAM, guest RAM from there on. It is
// created once at its final size and never grows, so views of it stay valid.
import { Layout } from "../../assembly/abi/layout.ts";
import { HostError } from "../errors.ts";

const WASM_PAGE = 65536;
const MIB = 1024 * 1024;

/** Linear memory for a guest with `ramBytes` of RAM, and `behind` bytes for other uses from there on. */
export function createMemory(ramBytes: number, behind = 0): WebAssembly.Memory {
  const pages = Math.ceil((Layout.RAM + ramBytes + behind) / WASM_PAGE);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new HostError(
      `the host cannot provide ${Math.ceil(ramBytes / MIB)} MiB for the guest: give it less memory, or free some`,
      { cause },
    );
  }
}
