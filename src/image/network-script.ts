// The guest's network, for /init: every network device comes up, and has its address before
// the first command runs. Which address is in a file that the host leaves (networkFile), by
// MAC address; a device that it does not name asks with DHCP.
//
// In the templates below a backslash and "${" are escaped for TypeScript's sake.

import { type FileEntry, file } from "./file-tree.ts";

/** How a device gets its address: from whoever answers DHCP, not at all (IPv6 has its link-local one), or this one. */
export type AddressWay = "dhcp" | "none" | (string & {});

const NETWORK_FILE = ".paravane-net";
const DHCP_SCRIPT = ".paravane-dhcp";

/** Seconds to wait for an answer: a device of the e1000 kind may take some of them to find its link. */
const DHCP_TRIES = 8;

/** What the script reads: a device a line. */
export function networkFile(devices: readonly { mac: readonly number[]; way: AddressWay }[]): FileEntry {
  const hex = (byte: number) => byte.toString(16).padStart(2, "0");
  return file(NETWORK_FILE, devices.map(({ mac, way }) => `${mac.map(hex).join(":")} ${way}\n`).join(""));
}

/** What busybox's DHCP client runs when it has something to say (its documentation calls it the default script). */
export function dhcpScript(): FileEntry {
  return file(
    DHCP_SCRIPT,
    `#!/bin/busybox sh
case $1 in
  deconfig) /bin/busybox ip -4 address flush dev "$interface" ;;
  bound | renew)
    [ -z "$mtu" ] || /bin/busybox ip link set dev "$interface" mtu "$mtu"
    /bin/busybox ip -4 address flush dev "$interface"
    /bin/busybox ip address add "$ip/\${mask:-24}" broadcast + dev "$interface"
    for router in $router; do
      /bin/busybox ip route add default via "$router" dev "$interface" 2>/dev/null && break
    done
    [ -z "$dns" ] || {
      [ -z "$domain" ] || echo "search $domain"
      for server in $dns; do echo "nameserver $server"; done
    } >/etc/resolv.conf
    ;;
esac
exit 0
`,
    0o755,
  );
}

/** A function of busybox's shell: bring_up_networks. */
export const networkFunctions = `# address_way MAC: sets $way
address_way() {
  way=dhcp
  [ -r /${NETWORK_FILE} ] || return
  while read -r mac known; do [ "$mac" = "$1" ] && way=$known; done </${NETWORK_FILE}
}

bring_up_networks() {
  for device in /sys/class/net/*; do
    [ -e "$device/device" ] || continue
    interface=\${device##*/}
    read -r address <"$device/address"
    address_way "$address"
    bb ip link set dev "$interface" up || continue
    case $way in
      none) ;;
      dhcp)
        bb udhcpc -n -t ${DHCP_TRIES} -T 1 -i "$interface" -s /${DHCP_SCRIPT} >/dev/null 2>&1 ||
          echo "paravane: $interface has no address: nobody answered DHCP within ${DHCP_TRIES} s" >&2
        ;;
      *) bb ip address add "$way" broadcast + dev "$interface" ;;
    esac
  done
}
`;
