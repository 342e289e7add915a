// A Debian guest with everything that links it to its host but disks and networks: folders,
// sockets, QEMU's agent. One boot for the files that try them.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGuest, type Guest } from "../../../src/index.ts";
import { run } from "./file-disks.ts";

export interface Linked {
  guest: Guest;
  /** Folder of the host that the guest has at /s, and one that it has read-only at /f. */
  shared: string;
  fixed: string;
  /** The Unix socket of the guest's sockets. */
  socket: string;
  /** Outside of all shares. */
  base: string;
}

let linked: Promise<Linked> | undefined;

async function boot(): Promise<Linked> {
  const base = mkdtempSync(join(tmpdir(), "paravane-linked-"));
  process.on("exit", () => rmSync(base, { recursive: true, force: true }));
  const [shared, fixed, socket] = [join(base, "shared"), join(base, "fixed"), join(base, "vsock")];
  mkdirSync(shared);
  mkdirSync(fixed);
  writeFileSync(join(base, "secret"), "secret");
  writeFileSync(join(shared, "from host"), "hello, guest\n");
  symlinkSync(join(base, "secret"), join(shared, "way-out"));
  writeFileSync(join(fixed, "kept"), "kept\n");
  const guest = await createGuest({
    guest: "debian",
    exec: true,
    tools: true,
    agent: true,
    vsock: { path: socket, cid: 42 },
    shares: [
      { path: shared, tag: "shared" },
      { path: fixed, tag: "fixed", readOnly: true },
    ],
  });
  await guest.ready();
  const mounted = await run(
    guest,
    "mkdir -p /s /f && modprobe 9pnet_virtio && modprobe 9p && modprobe vmw_vsock_virtio_transport && " +
      "mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 shared /s && " +
      "mount -t 9p -o trans=virtio,version=9p2000.L fixed /f",
  );
  if (mounted.status !== 0) throw new Error(mounted.output);
  return { guest, shared, fixed, socket, base };
}

/** Runs `measure` while this guest, if there is one, stands still: all are in one process. */
export async function withoutLinked(measure: () => Promise<void>): Promise<void> {
  const guest = (await linked)?.guest;
  guest?.pause();
  try {
    await measure();
  } finally {
    guest?.resume();
  }
}

export function linkedGuest(): Promise<Linked> {
  linked ??= boot();
  return linked;
}
