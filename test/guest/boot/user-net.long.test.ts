// Debian on `user`: apt-get, ssh, and 1 GiB each way.
import { userNet } from "../../../src/index.ts";
import { reachesTheWorld } from "./world.ts";

reachesTheWorld("user", async () => {
  const net = userNet({ hostfwd: ["tcp:127.0.0.1:0-:22"] });
  return { net: { backend: net }, host: "10.0.2.2", sshPort: () => net.forwards[0].hostPort, close: () => {} };
});
