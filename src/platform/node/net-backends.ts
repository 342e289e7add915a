// The network backends that Node has by name, for `--net NAME` and NetOptions.backend. One
// more is one more line.
import type { NetBackends } from "../../backend/net-backends.ts";
import { unpluggedNet } from "../../backend/unplugged-net.ts";

export const NET_BACKENDS: NetBackends = {
  none: { description: "a cable that is plugged in nowhere", dhcp: false, settings: {}, create: unpluggedNet },
};
