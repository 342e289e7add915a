// What runs in the worker that holds the switches of all guests: frames between them never
// pass the thread that answers the API.
import { createSwitch, type Switch } from "../backend/switch.ts";
import { type Channel, type PortLike, portChannel } from "./channel.ts";
import { linkToSwitch } from "./switch-link.ts";

export type SwitchCommand =
  /** A network device of a guest, by a number of the sender's, comes to the switch of this name. */
  { type: "connect"; link: number; lan: string; port: PortLike } | { type: "disconnect"; link: number };

/** Serves what comes over `channel`. Switches are made as they are named. */
export function serveSwitches(channel: Channel): void {
  const switches = new Map<string, Switch>();
  const links = new Map<number, () => void>();
  channel.listen((received) => {
    const command = received as SwitchCommand;
    if (command.type === "disconnect") {
      links.get(command.link)?.();
      links.delete(command.link);
      return;
    }
    let lan = switches.get(command.lan);
    if (lan === undefined) {
      lan = createSwitch();
      switches.set(command.lan, lan);
    }
    links.set(command.link, linkToSwitch(portChannel(command.port), lan));
  });
}
