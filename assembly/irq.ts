// Interrupt lines from devices into harts: the device-driven bits of each hart's `mip`
// (Privileged Architecture, 3.1.9). Setting one asks the running hart to look.
import { Layout, Machine } from "./abi/layout";

export const enum Line {
  MSIP = 3,
  STIP = 5,
  MTIP = 7,
  SEIP = 9,
  MEIP = 11,
}

export function setLine(hart: u32, line: Line, level: bool): void {
  if (hart >= <u32>Layout.MAX_HARTS) return;
  const at = <usize>Machine.LINES + ((<usize>hart) << 2);
  const before = load<u32>(at);
  const after = level ? before | (1 << line) : before & ~(1 << line);
  if (after == before) return;
  store<u32>(at, after);
  store<u32>(<usize>Machine.ATTENTION, 1);
}
