// Legacy extensions (SBI 2.0, chapter 5; the whole of SBI 0.1). They have no functions,
// return in a0 alone, and pass hart masks as virtual addresses of bit vectors. The masks
// are not read: fences and IPIs go to every hart that runs. A fence more is never wrong,
// and a guest this old starts no other hart, for that needs the HSM extension.
import { Exit } from "../abi/exit";
import { ResetReason, SbiExtension } from "../abi/sbi";
import { requestExit } from "../devices/power/exit-request";
import { setSoftInterrupt } from "../hart/control";
import { allHarts, argument, legacyReturn } from "./call";
import { putByte, takeByte } from "./dbcn";
import { sendIpi } from "./ipi";
import { fenceI, sfenceVma, sfenceVmaAsid } from "./rfence";
import { setTimer } from "./time";

export function handleLegacy(hart: u32, extension: u32): bool {
  switch (extension) {
    case SbiExtension.LEGACY_SET_TIMER:
      setTimer(hart, argument(0));
      return legacyReturn(0);
    case SbiExtension.LEGACY_CONSOLE_PUTCHAR:
      putByte(argument(0));
      return legacyReturn(0);
    case SbiExtension.LEGACY_CONSOLE_GETCHAR:
      return legacyReturn(takeByte());
    case SbiExtension.LEGACY_CLEAR_IPI:
      setSoftInterrupt(hart, false);
      return legacyReturn(0);
    case SbiExtension.LEGACY_SEND_IPI:
      sendIpi(hart, allHarts());
      return legacyReturn(0);
    case SbiExtension.LEGACY_REMOTE_FENCE_I:
      fenceI(hart, allHarts());
      return legacyReturn(0);
    case SbiExtension.LEGACY_REMOTE_SFENCE_VMA:
      sfenceVma(hart, allHarts(), argument(1), argument(2));
      return legacyReturn(0);
    case SbiExtension.LEGACY_REMOTE_SFENCE_VMA_ASID:
      sfenceVmaAsid(hart, allHarts(), argument(1), argument(2), argument(3));
      return legacyReturn(0);
    default: // LEGACY_SHUTDOWN
      requestExit(Exit.POWER_OFF, ResetReason.NONE);
      return false;
  }
}
