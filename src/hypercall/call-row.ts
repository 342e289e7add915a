// What a row of the table of calls says.

/**
 * What an argument is. Numbers take a register each; a buffer takes two, its guest physical address and its length in
 * bytes: `buffer-in` holds what the callee reads, `buffer-out` is filled by it.
 */
export const ARGUMENT_TYPES = ["u8", "u32", "u64", "i64", "buffer-in", "buffer-out"] as const;
export type ArgumentType = (typeof ARGUMENT_TYPES)[number];

export interface CallArgument {
  name: string;
  type: ArgumentType;
}

/**
 * How its cost grows: `constant`; with the number of `harts`; with `bytes` that it moves; with the `entries` of a list; as
 * long as the `host` takes; or it `ends` what its caller was doing.
 */
export type CallCost = "constant" | "harts" | "bytes" | "entries" | "host" | "ends";

export interface CallRow {
  /** Extension id, 32 bits. */
  eid: number;
  /** Function id; 0 for the legacy extensions, which have none. */
  fid: number;
  name: string;
  /** The specification that it is from, with its chapter, and the version of it that the call came with. */
  spec: string;
  version: string;
  args: readonly CallArgument[];
  /** What a1 holds after success; "" where that is nothing. */
  returns: string;
  served: "engine" | "host";
  cost: CallCost;
}
