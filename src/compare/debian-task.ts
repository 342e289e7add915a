import type { BootKind, DebianBoot } from "./debian-boot.ts";
import type { Finding, Task } from "./work.ts";

/** A measurement on Debian, and the boot that it needs. */
export interface DebianTask extends Task {
  boot: BootKind;
  run(boot: DebianBoot): Promise<Finding>;
}
