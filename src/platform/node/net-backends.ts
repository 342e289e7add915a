// The network backends that Node has by name, for `--net NAME` and NetOptions.backend. One
// more is one more line.
import { USER_SETTINGS, userOptions } from "../../backend/nat/options.ts";
import type { NetBackends } from "../../backend/net-backends.ts";
import { unpluggedNet } from "../../backend/unplugged-net.ts";
import { STREAM_BACKEND } from "./stream-net.ts";
import { userNet } from "./user-net.ts";

export const NET_BACKENDS: NetBackends = {
  none: { description: "a cable that is plugged in nowhere", dhcp: false, settings: {}, create: unpluggedNet },
  user: {
    description: "this host's network, through its sockets",
    settings: USER_SETTINGS,
    create: (settings) => userNet(userOptions(settings)),
  },
  stream: STREAM_BACKEND,
};
