// The Web Worker with the switches of a hypervisor: an entry of its own.
import { type PortLike, portChannel } from "../../hypervisor/channel.ts";
import { serveSwitches } from "../../hypervisor/switch-worker.ts";

serveSwitches(portChannel(self as unknown as PortLike));
