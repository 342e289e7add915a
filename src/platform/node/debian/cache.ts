// Where built guests are kept, and how processes that build at the same time take turns.
//
//   CACHE/debian/<release>/lock/            held while building; in it, who holds it
//   CACHE/debian/<release>/building-*/      a build on its way
//   CACHE/debian/<release>/kept/            what an interrupted build can go on with, a kernel's objects
//   CACHE/debian/<release>/<id>/guest.json  a finished build; the id is a hash of its recipe
//                                           and the versions of its packages
//   CACHE/debian/<release>/current.json     which one is in use, replaced by renaming
//   CACHE/debian/<release>-root/            the same for root disks
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** $PARAVANE_CACHE, else paravane below $XDG_CACHE_HOME or ~/.cache. */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.PARAVANE_CACHE) return env.PARAVANE_CACHE;
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "paravane");
}

/**
 * A holder that lives touches its lock this often. One untouched for STALE_MS has no holder, nor has one untouched for
 * ABANDONED_MS whose process on this machine is gone: it was interrupted.
 */
const TOUCH_MS = 2_000;
const ABANDONED_MS = 5_000;
const STALE_MS = 30_000;
const HOLDER = "holder";

/** True unless `lock` says that it is held by a process of this machine which is not there any more. */
function holderMayLive(lock: string): boolean {
  try {
    const [machine, pid] = readFileSync(join(lock, HOLDER), "utf8").split(" ");
    if (machine !== hostname() || !/^[1-9]\d*$/.test(pid)) return true;
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    // It is there, but another user's; or the lock says nothing, or went away meanwhile.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

/** Runs `work` while no other process runs its own under the same lock. `onWait` is called once if it has to wait. */
export async function withLock<T>(lock: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  for (let waited = false; ; ) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const touched = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    // Of several that see a stale lock, one succeeds in renaming it.
    const untouched = Date.now() - touched;
    if (untouched > STALE_MS || (untouched > ABANDONED_MS && !holderMayLive(lock))) {
      const stale = `${lock}-stale-${process.pid}-${Date.now()}`;
      try {
        renameSync(lock, stale);
        rmSync(stale, { recursive: true, force: true });
      } catch {
        // Another one did, or its holder has just let go.
      }
    } else {
      if (!waited) onWait();
      waited = true;
      await sleep(300);
    }
  }
  const touch = setInterval(() => {
    // Fails only if somebody removed the lock by hand.
    if (existsSync(lock)) utimesSync(lock, new Date(), new Date());
  }, TOUCH_MS);
  touch.unref();
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.on("exit", release);
  try {
    writeFileSync(join(lock, HOLDER), `${hostname()} ${process.pid}`);
    return await work();
  } finally {
    clearInterval(touch);
    process.off("exit", release);
    release();
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
