// Kernels that `paravane guest kernel` has built, on what Debian's own leaves out: memory that is plugged and
// unplugged, the virtio clock, the SBI's console, steal time, files mapped out of persistent memory; and how much
// sooner the small one is there.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { createGuest, type Guest, type NodeGuestOptions } from "../../../src/index.ts";
import type { BuiltKernel } from "../../../src/platform/node/debian/kernel.ts";
import { Assembler } from "../../isa/generator/assembler.ts";
import { CODE_AT, staticProgram } from "../elf-files.ts";
import { builtKernel } from "./built-kernel.ts";
import { DiskFolder, MIB, run } from "./file-disks.ts";

const paravirt = builtKernel("paravirt");
const small = builtKernel("small");
const hasRtc = paravirt !== undefined && readFileSync(paravirt.config, "utf8").includes("\nCONFIG_VIRTIO_RTC_PTP=y\n");

const folder = new DiskFolder();
const open: Guest[] = [];

async function boot(kernel: BuiltKernel, options: NodeGuestOptions = {}): Promise<Guest> {
  const guest = await createGuest({ guest: "debian", kernel: kernel.kernel, exec: true, ...options });
  open.push(guest);
  return guest;
}

/** Standard output of a command that must succeed. */
async function sh(guest: Guest, command: string): Promise<string> {
  const { status, output } = await run(guest, command);
  expect({ command, status, output }).toMatchObject({ status: 0 });
  return output;
}

async function until(reached: () => boolean | Promise<boolean>, what: () => unknown): Promise<void> {
  for (let tries = 0; !(await reached()); tries++) {
    if (tries === 2000) throw new Error(`never: it is at ${JSON.stringify(what())}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const exits = (guest: Guest, name: string) =>
  guest
    .counters()
    .filter((it) => it.name === name)
    .reduce((sum, { count }) => sum + Number(count), 0);

afterEach(() => {
  for (const guest of open.splice(0)) guest.close();
});
afterAll(() => folder.remove());

/** Runs what follows only on a kernel that is there; says how to make it where it is not. */
function onKernel(name: string, kernel: BuiltKernel | undefined, body: (kernel: BuiltKernel) => void): void {
  const reason = `(not built here: \`paravane guest kernel --config ${name}\` takes long)`;
  if (kernel === undefined) describe.skip(`the ${name} kernel ${reason}`, () => it("is built", () => {}));
  else describe(`the ${name} kernel, ${kernel.version}`, { timeout: 300_000 }, () => body(kernel));
}

onKernel("paravirt", paravirt, (kernel) => {
  it("plugs and unplugs memory", async () => {
    const guest = await boot(kernel, { memory: "256M", hotplugMemory: "512M" });
    const total = async () => Number(/MemTotal: +(\d+) kB/.exec(await sh(guest, "cat /proc/meminfo"))?.[1]) / 1024;
    const before = await total();
    expect(guest.memory()).toMatchObject({ ram: 256 * MIB, hotplug: 512 * MIB, plugged: 0 });
    guest.setHotplugMemory(384 * MIB);
    await until(
      () => guest.memory().plugged === 384 * MIB,
      () => guest.memory(),
    );
    expect((await total()) - before).toBe(384);
    // More than fits into RAM.
    await sh(guest, "mount -t tmpfs -o size=400m none /mnt && head -c 314572800 /dev/urandom >/mnt/random");
    const sum = await sh(guest, "sha256sum </mnt/random");
    expect(await sh(guest, "echo 1 >/proc/sys/vm/drop_caches; sha256sum </mnt/random; rm /mnt/random")).toBe(sum);
    guest.setHotplugMemory(0);
    await until(
      () => guest.memory().plugged === 0,
      () => guest.memory(),
    );
    expect((await total()) - before).toBe(0);
    guest.setHotplugMemory(128 * MIB);
    await until(
      () => guest.memory().plugged === 128 * MIB,
      () => guest.memory(),
    );
    // One line is not about memory that comes and goes, but about how the kernel was configured.
    const warnings = await sh(guest, "dmesg -r | grep -E '^<[0-4]>' | grep -iE 'virtio|hotplug|memory' || :");
    const others = warnings
      .split("\n")
      .filter((line) => !/Kernel memory protection not selected by kernel config\.$/.test(line));
    expect(others.join("\n")).toBe("");
  });

  it.skipIf(!hasRtc)("reads the host's clock through virtio-rtc (Linux 6.16 and later)", async () => {
    const date = 1_924_992_000; // 2031-01-01
    const guest = await boot(kernel, { rtc: true, wallClock: BigInt(date) * 1_000_000_000n });
    const names = await sh(guest, "cat /sys/class/ptp/*/clock_name");
    expect(names.trim().split("\n")).toEqual([
      expect.stringMatching(/virtio.*ptp/i),
      expect.stringMatching(/virtio.*ptp/i),
    ]);
    // A program that asks the clock which its standard input is (FD_TO_CLOCKID in clock_getres(2)).
    const asm = new Assembler(4096, CODE_AT);
    const call = (number: number) => {
      asm.li(17, number);
      asm.op("ecall");
    };
    asm.i("addi", 2, 2, -32);
    asm.i("addi", 10, 0, (~0 << 3) | 3);
    asm.i("addi", 11, 2, 0);
    call(113); // clock_gettime
    asm.i("addi", 8, 10, 0);
    asm.li(10, 1);
    asm.i("addi", 11, 2, 0);
    asm.li(12, 16);
    call(64); // write
    asm.i("addi", 10, 8, 0);
    call(93); // exit
    const program = Buffer.from(staticProgram(asm.finish())).toString("base64");
    await sh(guest, `echo ${program} | base64 -d >/tmp/clock && chmod +x /tmp/clock`);
    const read = async (clock: number) => {
      const { status, stdout } = await guest.exec(`/tmp/clock </dev/ptp${clock}`, { timeout: 60_000 });
      expect([status, stdout.length]).toEqual([0, 16]);
      const view = new DataView(stdout.buffer, stdout.byteOffset);
      return Number(view.getBigInt64(0, true)) + Number(view.getBigInt64(8, true)) / 1e9;
    };
    const before = exits(guest, "virtio-rtc");
    const times = [await read(0), await read(1)];
    expect(exits(guest, "virtio-rtc")).toBeGreaterThan(before);
    const uptime = Number((await sh(guest, "cat /proc/uptime")).split(" ")[0]);
    const [monotonic, utc] = times.sort((a, b) => a - b);
    expect(monotonic).toBeGreaterThan(0);
    expect(Math.abs(monotonic - uptime)).toBeLessThan(30);
    expect(Math.abs(utc - date - uptime)).toBeLessThan(30);
  });

  // It is its first console, whatever there is beside it.
  it.each(["sbi", "virtio"] as const)("has a shell on the SBI's console (--console %s)", async (console) => {
    let said = "";
    const guest = await boot(kernel, {
      exec: false,
      console,
      append: "console=hvc0 panic=1",
      onConsole: (bytes) => {
        said += new TextDecoder().decode(bytes);
      },
    });
    await until(
      () => said.includes("~ # "),
      () => said.slice(-2000),
    );
    guest.console.write("cat /sys/class/tty/console/active; echo $((6 * 7))-$(uname -m)\n");
    await until(
      () => said.includes("42-riscv64"),
      () => said.slice(-2000),
    );
    expect(said).toMatch(/hvc0\r?\n42-riscv64/);
    const calls = guest.counters().filter((it) => it.kind === "hypercall" && it.name === "dbcn");
    expect(calls.reduce((sum, { count }) => sum + Number(count), 0)).toBeGreaterThan(10);
  });

  it("counts the time that the host kept from it", async () => {
    const guest = await boot(kernel);
    /** Hundredths of a second: user, nice, system, idle, iowait, irq, softirq, steal. */
    const stolen = async () => Number((await sh(guest, "head -1 /proc/stat")).split(/\s+/)[8]);
    await sh(guest, "(while :; do :; done) >/dev/null 2>&1 </dev/null & echo $! >/tmp/busy");
    const before = await stolen();
    // The guest could run all that time, and this process does not let it.
    const lock = new Int32Array(new SharedArrayBuffer(4));
    for (let i = 0; i < 10; i++) {
      Atomics.wait(lock, 0, 0, 300);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const growth = (await stolen()) - before;
    await sh(guest, "kill $(cat /tmp/busy)");
    expect(growth).toBeGreaterThan(200);
    expect(growth).toBeLessThan(1000);
  });

  it("maps files out of persistent memory: ext4 with dax", async () => {
    const image = folder.create("dax.img", 64 * MIB);
    execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-b", "4096", image]);
    const guest = await boot(kernel, { pmem: [{ path: image }] });
    await sh(guest, "mount -t ext4 -o dax=always /dev/pmem0 /mnt");
    expect(await sh(guest, "grep ' /mnt ' /proc/mounts")).toMatch(/^\/dev\/pmem0 \/mnt ext4 .*dax=always/);
    await sh(guest, "head -c 16777216 /dev/urandom >/mnt/file && sync");
    const cached = async () => Number(/^Cached: +(\d+) kB/m.exec(await sh(guest, "cat /proc/meminfo"))?.[1]);
    const before = [exits(guest, "virtio-pmem"), await cached()];
    const sum = (await sh(guest, "sha256sum </mnt/file")).slice(0, 64);
    // Neither asked of the device, nor copied into the page cache.
    expect(exits(guest, "virtio-pmem") - before[0]).toBe(0);
    expect((await cached()) - before[1]).toBeLessThan(4096);
    await sh(guest, "umount /mnt");
    expect(execFileSync("e2fsck", ["-fn", image], { encoding: "utf8", stdio: "pipe" })).toMatch(/dax|files/);
    const there = execFileSync("debugfs", ["-R", "cat file", image], { maxBuffer: 64 * MIB, stdio: "pipe" });
    const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(there));
    expect(Buffer.from(digest).toString("hex")).toBe(sum);
  });

  it.each(["plic", "aia"] as const)("drives disks and networks of every kind (%s)", async (irqchip) => {
    const guest = await boot(kernel, {
      irqchip,
      harts: 2,
      disks: (["virtio", "nvme", "ahci"] as const).map((it) => ({ bytes: new Uint8Array(4 * MIB).fill(7), if: it })),
      nets: (["virtio", "e1000", "e1000e"] as const).map((model) => ({ backend: "user", model })),
      tools: true,
    });
    for (const disk of ["vda", "nvme0n1", "sda"]) {
      await sh(guest, `head -c 65536 /dev/urandom >/tmp/r; dd if=/tmp/r of=/dev/${disk} bs=64k conv=fsync 2>/dev/null`);
      await sh(guest, `echo 3 >/proc/sys/vm/drop_caches; head -c 65536 /dev/${disk} | cmp - /tmp/r`);
    }
    const drivers = await sh(guest, "for n in /sys/class/net/*/device/driver; do basename $(readlink $n); done | sort");
    expect(drivers).toBe("e1000\ne1000e\nvirtio_net\n");
    expect(await sh(guest, "ping -c 2 10.0.2.2")).toContain(" 0% packet loss");
    expect(await sh(guest, "fio --version")).toMatch(/^fio-3/);
  });
});

onKernel("small", small, (kernel) => {
  it("runs commands, on disks and a network", async () => {
    const guest = await boot(kernel, {
      harts: 2,
      disks: [{ bytes: new Uint8Array(4 * MIB) }, { bytes: new Uint8Array(4 * MIB), if: "nvme" }],
      nets: [{ backend: "user" }],
      tools: true,
    });
    expect(await sh(guest, "uname -rm; nproc")).toBe(`${kernel.version} riscv64\n2\n`);
    await sh(
      guest,
      "for d in vda nvme0n1; do dd if=/dev/urandom of=/dev/$d bs=64k count=4 conv=fsync 2>/dev/null; done",
    );
    expect(await sh(guest, "ping -c 2 10.0.2.2")).toContain(" 0% packet loss");
    expect(await sh(guest, "fio --version")).toMatch(/^fio-3/);
    await sh(guest, "mke2fs -q /dev/vda && mount -t ext4 /dev/vda /mnt && echo text >/mnt/file && umount /mnt");
  });

  it("is there sooner than Debian's", async () => {
    const shell = async (options: NodeGuestOptions) => {
      const start = performance.now();
      const guest = await createGuest({ guest: "debian", exec: true, clock: "virtual", ...options });
      open.push(guest);
      await guest.ready();
      const [instructions, time] = [guest.instructions, performance.now() - start];
      guest.close();
      return { instructions, time };
    };
    const debian = await shell({});
    const ours = await shell({ kernel: kernel.kernel });
    for (const [name, { instructions, time }] of Object.entries({ debian, small: ours })) {
      console.log(`${name}: a shell after ${(instructions / 1e6).toFixed(0)} M instructions, ${time.toFixed(0)} ms`);
    }
    expect(ours.instructions).toBeLessThan(debian.instructions / 2);
  });
});
