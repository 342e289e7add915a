// A platform that counts how long its steps keep the thread busy: browsers do not tell that of a worker.
import type { Platform } from "../../guest/platform.ts";

export interface Metered {
  platform: Platform;
  /** Seconds so far in which steps ran; what they slept away is not among them. */
  busySeconds(): number;
}

export function metered(base: Platform): Metered {
  let busy = 0;
  const timed = (step: () => void) => () => {
    const begin = base.now();
    try {
      step();
    } finally {
      busy += base.now() - begin;
    }
  };
  const { blockFor } = base;
  const platform: Platform = {
    ...base,
    yieldToHost: (step) => base.yieldToHost(timed(step)),
    startTimer: (milliseconds, wake) => base.startTimer(milliseconds, timed(wake)),
    blockFor:
      blockFor &&
      ((milliseconds) => {
        const begin = base.now();
        blockFor(milliseconds);
        busy -= base.now() - begin;
      }),
  };
  return { platform, busySeconds: () => busy / 1000 };
}
