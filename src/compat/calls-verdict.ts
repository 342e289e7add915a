// Whether a guest's programs reach the hypervisor by calls: its own (0x0a005056) and those that the host defined, through
// /dev/paravane in Linux (addons/linux). The driver comes as a module that is built for a kernel and loaded while it
// runs, so no image has to hold it; what has to be is a kernel that takes modules, a boot in which calls arrive here, and a grant.
import { PARAVANE } from "../hypercall/catalogue.ts";
import type { Policy } from "../hypercall/policy.ts";
import { resolvePolicy } from "../hypercall/resolve-policy.ts";
import type { CatalogueId } from "../machine/catalogue.ts";
import type { DriverSet } from "./driver-set.ts";
import { type HardwareModel, offeredDevice } from "./hardware-model.ts";

/** What the row is called. */
export const CALLS_DEVICE = "/dev/paravane";

/** What the paravirtual boot serves by SBI, and a kernel in S-mode cannot do without. */
export const SBI_BOOT: readonly CatalogueId[] = ["sbi-timer", "sbi-ipi", "sbi-hsm", "sbi-reset"];

/** What stands between a guest and the calls, or null. @throws OptionError for a policy that cannot be. */
export function lackingCalls(
  drivers: DriverSet,
  hardware: HardwareModel,
  firmware: boolean,
  policy: Policy = {},
): string | null {
  const { denied } = resolvePolicy(policy);
  const unserved = SBI_BOOT.find((id) => offeredDevice(hardware, id) === undefined);
  if (firmware || unserved !== undefined) {
    const why = firmware ? "" : `, by which the hardware has to boot without ${unserved}`;
    return `a paravirtual boot: ecalls reach the guest's own firmware${why}`;
  }
  if (drivers.kind === "linux" && drivers.config !== undefined && drivers.config.get("MODULES") !== "y") {
    return "CONFIG_MODULES in the kernel";
  }
  if ([...denied].some(({ eid, fid }) => eid === PARAVANE.eid && fid === 0)) {
    return `a grant of ${PARAVANE.name} in the policy`;
  }
  return null;
}
