// Where built guests are kept, and how processes that build at the same time take turns.
//
//   CACHE/debian/<release>/lock/            held while building
//   CACHE/debian/<release>/building-*/      a build on its way
//   CACHE/debian/<release>/<id>/guest.json  a finished build; the id is a hash of its recipe
//                                           and the versions of its packages
//   CACHE/debian/<release>/current.json     which one is in use, replaced by renaming
//   CACHE/debian/<release>-root/            the same for root disks
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** $PARAVANE_CACHE, else paravane below $XDG_CACHE_HOME or ~/.cache. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PARAVANE_CACHE) return env.PARAVANE_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "paravane");
}

/** A holder that lives touches its lock this often; one untouched for STALE_MS has no holder. */
const TOUCH_MS = 2_000;
const STALE_MS = 30_000;

/** Runs `work` while no other process runs its own under the same lock. `onWait` is called once if it has to wait. */
export async function withLock<T>(lock: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (!waited) onWait();
    const touched = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    // Of several that see a stale lock, one succeeds in renaming it.
    if (Date.now() - touched > STALE_MS) {
      const stale = `${lock}-stale-${process.pid}-${Date.now()}`;
      try {
        renameSync(lock, stale);
        rmSync(stale, { recursive: true, force: true });
      } catch {
        // Another one did, or its holder has just let go.
      }
    } else {
      await sleep(300);
    }
  }
  const touch = setInterval(() => {
    // Fails only if somebody removed the lock by hand.
    if (existsSync(lock)) utimesSync(lock, new Date(), new Date());
  }, TOUCH_MS);
  touch.unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    rmSync(lock, { recursive: true, force: true });
  }
}

/** What guest.json says. */
export interface BuildRecord {
  recipe: string;
  release: string;
  /** Empty where there is no kernel. */
  kernelVersion: string;
  packages: Record<string, string>;
  /** Sizes in bytes, by file name: a build with other sizes is damaged. */
  files: Record<string, number>;
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch {
    return undefined;
  }
}

/** Writes so that a reader sees the old content or the new one, never a part. */
export function replaceFile(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}

/** The build in use, if there is one of this recipe and it is whole. */
export function currentBuild(folder: string, recipe: string): { folder: string; record: BuildRecord } | undefined {
  const current = readJson<{ id: string; recipe: string }>(join(folder, "current.json"));
  if (current?.recipe !== recipe || !/^[0-9a-f]+$/.test(current.id)) return undefined;
  const build = join(folder, current.id);
  const record = readJson<BuildRecord>(join(build, "guest.json"));
  if (!record) return undefined;
  const whole = Object.entries(record.files).every(
    ([name, size]) => existsSync(join(build, name)) && statSync(join(build, name)).size === size,
  );
  return whole ? { folder: build, record } : undefined;
}
