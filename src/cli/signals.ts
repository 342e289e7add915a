// Signals that end the process: the guest's disks are flushed first.
import { Status } from "./status.ts";

const STATUS: Partial<Record<NodeJS.Signals, number>> = {
  SIGINT: Status.INTERRUPTED,
  SIGTERM: Status.TERMINATED,
  SIGHUP: Status.HANGUP,
};

/** Calls `ended` with the status to end with at the first such signal; the result stops listening. */
export function onSignal(ended: (status: number) => void): () => void {
  const listeners = (Object.keys(STATUS) as NodeJS.Signals[]).map((signal) => {
    const listener = () => ended(STATUS[signal] as number);
    process.on(signal, listener);
    return () => process.off(signal, listener);
  });
  return () => {
    for (const stop of listeners) stop();
  };
}
