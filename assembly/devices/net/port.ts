// Network ports: which device a port is, and what the host set for it. A port is what the
// host names a network device by, whatever its model; ports.ts passes its calls on.
import { Dev, DeviceKind } from "../../abi/device";
import { NET_PORTS, NetAt } from "../../abi/net";

/** Largest MTU: what IPv4 can say of a datagram's length. */
const MTU_MAX: u32 = 65535;
const MTU_MIN: u32 = 68;

@unmanaged
export class NetPort {
  /** DeviceKind of the device, NONE while there is none, and which of that kind. */
  kind: u32;
  instance: u32;
  /** 1 while the link is up. */
  up: u32;
  /** The MAC address: its first four bytes, little-endian, and the last two. */
  macLow: u32;
  macHigh: u16;
  mtu: u16;
  /** Queue pairs that the device is to have, where it can have several. */
  pairs: u32;
  /** Mbit/s that the device tells. */
  speed: u32;
  /** 1: a frame of the host's waits for the budget of what comes in. */
  held: u32;
}

// @ts-ignore: decorator
@inline
export function netPort(port: u32): NetPort {
  return changetype<NetPort>(<usize>Dev.NET + <usize>NetAt.PORTS + <usize>port * <usize>NetAt.PORT_SIZE);
}

/** Power-on: no port is any device's. */
export function netInit(): void {
  memory.fill(<usize>Dev.NET, 0, <usize>NetAt.END);
}

/** What the host wants of a port; before a device is attached to it. Out of range counts as the nearest that is not. */
export function netConfigure(port: u32, macLow: u32, macHigh: u32, mtu: u32, pairs: u32, speed: u32, up: u32): void {
  if (port >= <u32>NET_PORTS) return;
  const p = netPort(port);
  p.macLow = macLow;
  p.macHigh = <u16>macHigh;
  p.mtu = <u16>min(max(mtu, MTU_MIN), MTU_MAX);
  p.pairs = max(pairs, 1);
  p.speed = speed;
  p.up = up != 0 ? 1 : 0;
}

/** Makes `port` the device that is being attached. False if it is taken, or no port. */
export function bindPort(port: u32, kind: DeviceKind, instance: u32): bool {
  if (port >= <u32>NET_PORTS) return false;
  const p = netPort(port);
  if (p.kind != <u32>DeviceKind.NONE) return false;
  p.kind = kind;
  p.instance = instance;
  return true;
}

/** Copies the port's MAC address to 6 bytes at `to`. */
export function copyMac(port: u32, to: usize): void {
  const p = netPort(port);
  store<u32>(to, p.macLow);
  store<u16>(to, p.macHigh, 4);
}

// @ts-ignore: decorator
@inline
export function linkUp(port: u32): bool {
  return netPort(port).up != 0;
}

/** After a restore: is `port` this device's, and what it says in range? For the device's own check. */
export function portSound(port: u32, kind: DeviceKind, instance: u32): bool {
  if (port >= <u32>NET_PORTS) return false;
  const p = netPort(port);
  return p.kind == <u32>kind && p.instance == instance && p.up <= 1 && p.pairs != 0 && <u32>p.mtu >= MTU_MIN;
}
