// Which guest runs, where several want to: asked by each guest's run loop before every turn.

/** A guest's part in the sharing out of processor time among guests. All calls are those of one guest's own thread. */
export interface CpuTurns {
  /** How much of the time the guest is to have beside others, in proportion to theirs: 1 to 10,000. */
  setWeight(weight: number): void;
  /** May it have a turn now? From here on, until leave(), it counts as one that wants to run. */
  mayRun(): boolean;
  /** After a no: blocks for some milliseconds, or until its turn may have come. */
  wait(): void;
  /** It has nothing to run: its time is the others'. */
  leave(): void;
}
