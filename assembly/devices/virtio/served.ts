/** What serveChain answers instead of the number of bytes written. */
export const enum Served {
  /** The device keeps the chain and will push it later. */
  HELD = -1,
  /** The chain cannot even carry an error back. */
  BROKEN = -2,
}
