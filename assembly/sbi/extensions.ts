// Which extensions there are: what BASE's probe answers. dispatch.ts has an arm for each.
import { SbiExtension } from "../abi/sbi";

export function probeExtension(extension: u64): bool {
  if (extension <= <u64>SbiExtension.LEGACY_SHUTDOWN) return true;
  if (extension > <u64>i32.MAX_VALUE) return false;
  switch (<u32>extension) {
    case SbiExtension.BASE:
    case SbiExtension.TIME:
    case SbiExtension.IPI:
    case SbiExtension.RFENCE:
    case SbiExtension.HSM:
    case SbiExtension.SRST:
    case SbiExtension.PMU:
    case SbiExtension.DBCN:
    case SbiExtension.SUSP:
    case SbiExtension.STA:
      return true;
    default:
      return false;
  }
}
