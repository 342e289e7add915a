// The two lists in which frames cross the border: pieces of a frame from the guest, and of
// room for one into it. They are of meaning inside one call alone. A frame from the guest
// may be answered before netSend() returns, so there are two.
import { Dev } from "../../abi/device";
import { NetAt } from "../../abi/net";
import { netSend } from "../../host";

const OUT: usize = <usize>Dev.NET + <usize>NetAt.PIECES_OUT;
const IN: usize = <usize>Dev.NET + <usize>NetAt.PIECES_IN;

/** Where a device builds the header of the frame that it sends. */
export const HEADER_OUT: usize = <usize>Dev.NET + <usize>NetAt.HEADER_OUT;

function begin(list: usize): void {
  store<u32>(list, 0);
}

/** Adds `length` bytes at host address `address`, to the piece before if they touch. False: the list is full. */
function add(list: usize, address: usize, length: u32): bool {
  if (length == 0) return true;
  const count = load<u32>(list);
  if (count != 0) {
    const last = list + (<usize>count << 3);
    if (load<u32>(last) + load<u32>(last, 4) == <u32>address) {
      store<u32>(last, load<u32>(last, 4) + length, 4);
      return true;
    }
  }
  if (count >= <u32>NetAt.MAX_PIECES) return false;
  const at = list + (<usize>(count + 1) << 3);
  store<u32>(at, <u32>address);
  store<u32>(at, length, 4);
  store<u32>(list, count + 1);
  return true;
}

/** Begins the list of a frame from the guest. */
export function outBegin(): void {
  begin(OUT);
}

export function outAdd(address: usize, length: u32): bool {
  return add(OUT, address, length);
}

/** Sends what the list holds; `header` is HEADER_OUT, filled in, or 0 if the frame is finished. */
export function outSend(port: u32, header: usize): void {
  const count = load<u32>(OUT);
  if (count != 0) netSend(port, OUT + 8, count, header);
}

/** The list of a frame from the guest. */
export function outList(): usize {
  return OUT;
}

/** Begins the list of room for a frame into the guest. */
export function inBegin(): void {
  begin(IN);
}

export function inAdd(address: usize, length: u32): bool {
  return add(IN, address, length);
}

/** What netRoom answers with. */
export function inList(): usize {
  return IN;
}
