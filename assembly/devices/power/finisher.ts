// SiFive test finisher, as on QEMU's `virt` board (`sifive,test0`; syscon-poweroff and
// syscon-reboot in the device tree). One register at offset 0:
//
//   31       16 15        0
//   [   code   |  command  ]
//
// A failure without a code ends with status 1, so that it is not taken for success.
import { Exit } from "../../abi/exit";
import { requestExit } from "./exit-request";

const enum Finish {
  FAIL = 0x3333,
  PASS = 0x5555,
  RESET = 0x7777,
}

export function finisherRead(): u64 {
  return 0;
}

export function finisherWrite(offset: u32, value: u32): void {
  if (offset != 0) return;
  switch (value & 0xffff) {
    case Finish.FAIL:
      requestExit(Exit.POWER_OFF, max(value >> 16, 1));
      break;
    case Finish.PASS:
      requestExit(Exit.POWER_OFF, 0);
      break;
    case Finish.RESET:
      requestExit(Exit.RESET, 0);
      break;
  }
}
