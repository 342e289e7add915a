// A chain's bytes as the host gets them: a list of pieces {address u32, length u32} in
// linear memory, buffers that touch taken together. Addresses are of use during one host
// call; nothing keeps them.
import { Chain, nextRun, seek } from "./chain";

const PIECE: usize = 8;

/** Lists the readable or the writable stream at `to`, at most `most` pieces; how many there are. */
export function listPieces(c: Chain, writable: bool, to: usize, most: u32): u32 {
  const bytes = writable ? c.writableBytes : c.readableBytes;
  if (!seek(c, writable, 0, bytes)) return 0;
  let count: u32 = 0;
  while (count < most) {
    const address = nextRun(c, bytes);
    if (address == 0) break;
    store<u32>(to, <u32>address);
    store<u32>(to, c.run, 4);
    to += PIECE;
    count++;
  }
  return count;
}
