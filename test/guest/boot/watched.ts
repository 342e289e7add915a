// A guest whose console is read as a person would: wait for this, then type that.
import { createGuest, type Guest, type NodeGuestOptions } from "../../../src/index.ts";

export interface Watched {
  guest: Guest;
  /** Waits for `pattern`: what was said up to its end. Later calls see what follows. Rejects if the guest ends first. */
  until(pattern: RegExp): Promise<string>;
}

export async function watched(options: NodeGuestOptions): Promise<Watched> {
  const decoder = new TextDecoder();
  let said = "";
  let look = () => {};
  const guest = await createGuest({
    ...options,
    onConsole: (bytes) => {
      said += decoder.decode(bytes, { stream: true });
      look();
    },
  });
  let ended: string | undefined;
  guest
    .wait()
    .then(({ reason }) => reason, String)
    .then((how) => {
      ended = how;
      look();
    });
  const until = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      look = () => {
        const found = pattern.exec(said);
        if (found === null) {
          if (ended !== undefined)
            reject(new Error(`the guest ended (${ended}) before ${pattern}: ${said.slice(-2000)}`));
          return;
        }
        look = () => {};
        const before = said.slice(0, found.index + found[0].length);
        said = said.slice(before.length);
        resolve(before);
      };
      look();
    });
  return { guest, until };
}
