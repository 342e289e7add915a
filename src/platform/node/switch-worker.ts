// The worker thread with the switches of a hypervisor: an entry of its own.
import { type MessagePort, parentPort } from "node:worker_threads";
import { type PortLike, portChannel } from "../../hypervisor/channel.ts";
import { serveSwitches } from "../../hypervisor/switch-worker.ts";

serveSwitches(portChannel(parentPort as MessagePort as unknown as PortLike));
