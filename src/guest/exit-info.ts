/** How a guest ended. */
export interface ExitInfo {
  /** The guest switched itself off, or the host did. */
  reason: "power-off" | "closed";
  /** Status that the guest gave the test finisher; 0 from an ordinary power-off. */
  status: number;
}
