// What the engine asks of its host. All of it is off the hot path; time is the one
// exception. Numbers cross as i32 or f64: an i64 would cost a BigInt each call.

/** Guest time in 10 MHz ticks since the guest started, from the host's clock. Never goes back. */
@external("host", "now")
export declare function now(): f64;

/** Bytes the console `port` (abi/device.ConsolePort) puts out. */
@external("host", "consoleOut")
export declare function consoleOut(port: u32, address: usize, length: u32): void;

/** Copies `length` bytes at byte `offset` of disk `backend` to `address`. 0, or a negative errno. */
@external("host", "diskRead")
export declare function diskRead(backend: u32, offset: f64, address: usize, length: u32): i32;

/** The reverse. 0, or a negative errno (EROFS -30, EIO -5, ENOSPC -28). */
@external("host", "diskWrite")
export declare function diskWrite(backend: u32, offset: f64, address: usize, length: u32): i32;

/** Makes everything written so far durable. 0 done, 1 under way (then `diskDone(backend, tag, status)`), or a negative errno. */
@external("host", "diskFlush")
export declare function diskFlush(backend: u32, tag: u32): i32;

/** Zeroes or forgets a range (kind 0 discard, 1 write zeroes). 0, or a negative errno. */
@external("host", "diskDiscard")
export declare function diskDiscard(backend: u32, offset: f64, length: f64, kind: u32): i32;

/** A read of `size` (1, 2 or 4) bytes at `offset` of a device that the host defines. */
@external("host", "customRead")
export declare function customRead(device: u32, offset: u32, size: u32): u32;

/** The reverse. */
@external("host", "customWrite")
export declare function customWrite(device: u32, offset: u32, size: u32, value: u32): void;
/**
 * A frame from the guest: `count` pieces {address u32, length u32} at `pieces`, without check sequence; `header` is the
 * address of 12 bytes (abi/net.NetHeader), or 0 if the frame is finished. All of it is of meaning during the call alone.
 * The host may call netRoom and netDeliver before it returns.
 */
@external("host", "netSend")
export declare function netSend(port: u32, pieces: usize, count: u32, header: usize): void;

/** The guest has given buffers since netRoom last said that there is no room. The same calls may come back. */
@external("host", "netReady")
export declare function netReady(port: u32): void;

/**
 * A 9P request to share `share`: `readable` pieces {address u32, length u32} at `pieces` hold it, the `writable` pieces
 * behind them are room for the reply. Valid during the call only. Bytes of the reply, or -1: it comes later, through
 * `shareDone(share, tag, ...)`.
 */
@external("host", "shareRequest")
export declare function shareRequest(share: u32, tag: u32, pieces: usize, readable: u32, writable: u32): i32;

/** A socket packet of the guest, header and payload, in `count` pieces {address u32, length u32}. Valid during the call only. */
@external("host", "vsockPacket")
export declare function vsockPacket(pieces: usize, count: u32): void;

/** The socket driver has room for packets again, after vsockRoom had none. */
@external("host", "vsockReady")
export declare function vsockReady(): void;

/** The socket driver started over: its connections are gone. */
@external("host", "vsockReset")
export declare function vsockReset(): void;

/** Fills `length` bytes with entropy: the host's, or the seed's stream. */
@external("host", "entropy")
export declare function entropy(address: usize, length: u32): void;

/**
 * A call that the host serves, by its number in the list of them; its arguments are at HypercallAt.ANSWER, where the answer
 * is to be. 0: it is there. 1: it comes later, through `hypercallDone(hart, ...)`, and the hart waits.
 */
@external("host", "hypercall")
export declare function hypercall(call: u32, hart: u32): i32;
