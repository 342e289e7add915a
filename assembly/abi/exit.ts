// Why run() came back to the host, in the machine's run record.
export const enum Exit {
  /** The slice's budget is used up: call again. */
  BUDGET = 0,
  /** Every hart waits for an interrupt; Machine.DEADLINE says until when. */
  IDLE = 1,
  /** The guest asked for power-off; Machine.EXIT_CODE has its status. */
  POWER_OFF = 2,
  /** The guest asked for a reset. */
  RESET = 3,
  /** A trap's handler cannot be fetched: the guest can make no progress. */
  DOUBLE_FAULT = 4,
  /** A breakpoint or single step of the host's. */
  DEBUG = 5,
}
