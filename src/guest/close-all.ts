// Closing several things where one that fails is no reason to leave the others open.

export interface Closable {
  close(): void;
}

/** Closes each, in order; throws the first error when all were tried. What is undefined is passed over. */
export function closeAll(all: Iterable<Closable | undefined>): void {
  let first: unknown;
  for (const it of all) {
    try {
      it?.close();
    } catch (error) {
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}
