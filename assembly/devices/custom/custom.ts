// Devices whose model is the host's: registers in a window of their own and one interrupt.
// What a register does is decided by whoever embeds the guest (src/machine/define-device.ts);
// here is only the way there. An access to a window costs a call of the host.
//
//   Dev.CUSTOM  16 devices of 16 bytes: {size of the window u32, level of the interrupt u32}
//
// Accesses of 8 bytes are two of 4, low half first, so that no value crosses as a BigInt.
import { Dev } from "../../abi/device";
import { Irq, Map } from "../../abi/memory-map";
import { customRead, customWrite } from "../../host";
import { raiseIrq } from "../irqchip/raise";

@unmanaged
class Custom {
  size: u32;
  level: u32;
}

// @ts-ignore: decorator
@inline
function at(index: u32): Custom {
  return changetype<Custom>(<usize>Dev.CUSTOM + ((<usize>index) << 4));
}

/** Takes every device away; before devices are attached. */
export function customInit(): void {
  memory.fill(<usize>Dev.CUSTOM, 0, (<usize>Map.CUSTOM_DEVICES) << 4);
}

/** Gives device `index` (below Map.CUSTOM_DEVICES) a window of `size` bytes. False if it has one, or the size cannot be. */
export function attachCustom(index: u32, size: u32): bool {
  if (index >= <u32>Map.CUSTOM_DEVICES || size == 0 || size > <u32>Map.CUSTOM_STRIDE || at(index).size != 0) return false;
  at(index).size = size;
  return true;
}

/** The device's interrupt wire. */
export function customInterrupt(index: u32, level: bool): void {
  if (index >= <u32>Map.CUSTOM_DEVICES || at(index).size == 0) return;
  at(index).level = level ? 1 : 0;
  raiseIrq(<u32>Irq.CUSTOM + index, level);
}

/** True if some device's window has `offset`, counted from Map.CUSTOM. */
export function customMapped(offset: u32): bool {
  const index = offset / <u32>Map.CUSTOM_STRIDE;
  return index < <u32>Map.CUSTOM_DEVICES && offset % <u32>Map.CUSTOM_STRIDE < at(index).size;
}

/** `offset` is within the window of device `index`, the access aligned. */
export function customDeviceRead(index: u32, offset: u32, size: u32): u64 {
  if (size < 8) return <u64>customRead(index, offset, size);
  const low = customRead(index, offset, 4);
  return <u64>low | ((<u64>customRead(index, offset + 4, 4)) << 32);
}

export function customDeviceWrite(index: u32, offset: u32, size: u32, value: u64): void {
  customWrite(index, offset, min(size, 4), <u32>value);
  if (size == 8) customWrite(index, offset + 4, 4, <u32>(value >> 32));
}

export function customValidate(): bool {
  for (let index: u32 = 0; index < <u32>Map.CUSTOM_DEVICES; index++) {
    if (at(index).size > <u32>Map.CUSTOM_STRIDE || at(index).level > 1) return false;
  }
  return true;
}
