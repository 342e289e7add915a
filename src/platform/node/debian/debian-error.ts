// Why the Debian guest could not be made. Every message ends with the way round it.
import { ParavaneError } from "../../../errors.ts";

export class DebianGuestError extends ParavaneError {
  constructor(reason: string, options?: { cause?: unknown }) {
    super(`${reason}; or pass files of your own with --kernel FILE --initrd FILE`, options);
  }
}

/** An error of the file system in the same words as apt's, so that one place explains both. */
export function explainSystemError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code === "ENOSPC") {
    return new DebianGuestError("no space left on the disk of the cache: free 700 MB or set PARAVANE_CACHE", {
      cause: error,
    });
  }
  if (code && ["EACCES", "EROFS", "EPERM", "ENOTDIR"].includes(code)) {
    const path = (error as NodeJS.ErrnoException).path ?? "the cache";
    return new DebianGuestError(`${path} cannot be written: set PARAVANE_CACHE to a folder of your own`, {
      cause: error,
    });
  }
  return error;
}
