// Base extension (SBI 2.0, chapter 4): which specification, which implementation, which
// extensions, and the machine's id registers, which read as zero here as in the CSRs.
import { BaseFunction, SbiError, SbiVersion } from "../abi/sbi";
import { argument, fail, succeed } from "./call";
import { probeExtension } from "./grants";

export function handleBase(fid: u32): bool {
  switch (fid) {
    case BaseFunction.GET_SPEC_VERSION:
      return succeed(SbiVersion.SPECIFICATION);
    case BaseFunction.GET_IMPL_ID:
      return succeed(SbiVersion.IMPLEMENTATION_ID);
    case BaseFunction.GET_IMPL_VERSION:
      return succeed(SbiVersion.IMPLEMENTATION);
    case BaseFunction.PROBE_EXTENSION:
      return succeed(probeExtension(argument(0)) ? 1 : 0);
    case BaseFunction.GET_MVENDORID:
    case BaseFunction.GET_MARCHID:
    case BaseFunction.GET_MIMPID:
      return succeed(0);
    default:
      return fail(SbiError.NOT_SUPPORTED);
  }
}
