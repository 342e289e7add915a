import type { Absence, Finding, Task } from "../work.ts";
import type { DebianBoot } from "./boot.ts";
import type { BootKind } from "./boots.ts";

/** A measurement on Debian, and the boot that it needs. */
export interface DebianTask extends Task {
  boot: BootKind;
  run(boot: DebianBoot): Promise<Finding>;
}

/** A form that Debian's kernel cannot drive, in the row of this workload. */
export interface DebianAbsence extends Absence {
  function: Task["function"];
  workload: string;
}
