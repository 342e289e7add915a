// Errors of Node's file system calls as the guest is to see them.
import { LinuxErrno, ShareError } from "../../../backend/9p/share-error.ts";

export function shareError(cause: unknown): ShareError {
  if (cause instanceof ShareError) return cause;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? "";
  const errno = (LinuxErrno as Record<string, number>)[code] ?? LinuxErrno.EIO;
  return new ShareError(errno, { cause });
}

/** Does `action`; whatever it throws is an error of the share. */
export function sharing<R>(action: () => R): R {
  try {
    return action();
  } catch (cause) {
    throw shareError(cause);
  }
}

export function refuse(code: keyof typeof LinuxErrno): never {
  throw new ShareError(LinuxErrno[code]);
}
