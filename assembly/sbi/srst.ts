// System Reset extension (SBI 2.0, chapter 10). Warm and cold reboot are the same here: the
// host starts the machine anew. A guest that gives system failure as its reason ends with
// status 1.
import { Exit } from "../abi/exit";
import { ResetReason, ResetType, SbiError } from "../abi/sbi";
import { requestExit } from "../devices/power/exit-request";
import { argument, fail } from "./call";

const SYSTEM_RESET: u32 = 0;

export function handleSrst(fid: u32): bool {
  if (fid != SYSTEM_RESET) return fail(SbiError.NOT_SUPPORTED);
  const type = <u32>argument(0);
  const reason = <u32>argument(1);
  if (type > <u32>ResetType.WARM_REBOOT || reason > <u32>ResetReason.SYSTEM_FAILURE) return fail(SbiError.INVALID_PARAM);
  requestExit(type == <u32>ResetType.SHUTDOWN ? Exit.POWER_OFF : Exit.RESET, reason);
  return false;
}
