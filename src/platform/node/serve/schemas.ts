// The bodies of the API, in the shape that Firecracker gave them; what is our own says so.
import * as v from "valibot";
import { choice, object, whole } from "../../../validate.ts";
import { flag, text } from "./validate.ts";

const PATH = 4096;
const path = text(PATH, "the path of a file");
const maybe = v.optional;

/** {size, one_time_burst, refill_time}: tokens are operations or bytes, times are milliseconds. */
const bucket = object({
  size: whole(1, 2 ** 40),
  one_time_burst: maybe(whole(0, 2 ** 40)),
  refill_time: whole(1, 86_400_000),
});

export const rateLimiter = object({ bandwidth: maybe(bucket), ops: maybe(bucket) });
export type RateLimiter = v.InferOutput<typeof rateLimiter>;

/** As in Firecracker: of a guest that runs, zeros take a limit away, and what is left out stays. */
const changedBucket = object({
  size: whole(0, 2 ** 40),
  one_time_burst: maybe(whole(0, 2 ** 40)),
  refill_time: whole(0, 86_400_000),
});
const changedLimiter = object({ bandwidth: maybe(changedBucket), ops: maybe(changedBucket) });
export type ChangedLimiter = v.InferOutput<typeof changedLimiter>;

const machineMembers = {
  vcpu_count: whole(1, 8),
  mem_size_mib: whole(4, 3072),
  /** Our own: host memory for translated code, the interrupt controller, extensions, the clock. */
  code_cache_mib: maybe(whole(1, 256)),
  irqchip: maybe(choice("plic", "aia")),
  cpu: maybe(text(512, 'extensions, as in "rv64,sstc=off"')),
  clock: maybe(choice("host", "virtual")),
  tier: maybe(choice("auto", "interpreter", "translator")),
};

export const machineConfig = object(machineMembers);
export type MachineConfig = v.InferOutput<typeof machineConfig>;
export const machinePatch = object({
  ...machineMembers,
  vcpu_count: maybe(machineMembers.vcpu_count),
  mem_size_mib: maybe(machineMembers.mem_size_mib),
});

export const bootSource = object({
  kernel_image_path: maybe(path),
  initrd_path: maybe(path),
  boot_args: maybe(text(2048, "the kernel command line")),
  /** Our own: a guest made for the caller, in place of a kernel. */
  guest: maybe(choice("debian")),
  /** Our own: M-mode firmware that runs first. */
  firmware_path: maybe(path),
});
export type BootSource = v.InferOutput<typeof bootSource>;

const name = v.pipe(
  v.string("write a name"),
  v.regex(/^[A-Za-z0-9_]{1,64}$/, "write letters, digits or _, at most 64 of them"),
);

export const drive = object({
  drive_id: name,
  path_on_host: path,
  is_root_device: maybe(flag),
  is_read_only: maybe(flag),
  rate_limiter: maybe(rateLimiter),
  /** Our own: which device it is, and whether what is written is thrown away. */
  interface: maybe(choice("virtio", "nvme", "ahci")),
  is_overlay: maybe(flag),
});
export type Drive = v.InferOutput<typeof drive>;

export const drivePatch = object({
  drive_id: name,
  path_on_host: maybe(path),
  rate_limiter: maybe(changedLimiter),
  /** Our own: another size for a virtio disk of a guest that runs. */
  size_bytes: maybe(whole(512, 2 ** 44)),
});

export const networkInterface = object({
  iface_id: name,
  /** "user", "switch:NAME", or another backend of this host. */
  host_dev_name: text(64, '"user" or "switch:NAME"'),
  guest_mac: maybe(text(17, "a MAC address")),
  rx_rate_limiter: maybe(rateLimiter),
  tx_rate_limiter: maybe(rateLimiter),
  mtu: maybe(whole(68, 65_535)),
  /** Our own: the device, an address for the Debian guest, settings of the backend. */
  model: maybe(choice("virtio", "e1000", "e1000e")),
  guest_address: maybe(text(64, 'an address such as "10.0.0.1/24"')),
  settings: maybe(
    v.record(text(32, "a name"), v.array(text(256, "a value"), "write a list of values"), "write an object of lists"),
  ),
});
export type NetworkInterface = v.InferOutput<typeof networkInterface>;

export const networkInterfacePatch = object({
  iface_id: name,
  rx_rate_limiter: maybe(changedLimiter),
  tx_rate_limiter: maybe(changedLimiter),
});

export const vsock = object({ guest_cid: maybe(whole(3, 2 ** 32 - 2)), uds_path: path });
export type Vsock = v.InferOutput<typeof vsock>;

export const balloon = object({
  amount_mib: whole(0, 3072),
  deflate_on_oom: maybe(flag),
  stats_polling_interval_s: maybe(whole(0, 3600)),
});
export type Balloon = v.InferOutput<typeof balloon>;
export const balloonPatch = object({ amount_mib: whole(0, 3072) });

export const action = object({
  action_type: choice("InstanceStart", "InstanceStop", "InstanceReset", "SendCtrlAltDel", "FlushMetrics"),
});
export const vmState = object({ state: choice("Paused", "Resumed") });

/** Our own: a command for a guest that runs commands. */
export const command = object({
  command: text(0x1_0000, "a command for /bin/sh"),
  stdin: maybe(v.pipe(v.string("write text"), v.maxLength(0x10_0000, "write at most 1 MiB"))),
  timeout_ms: maybe(whole(1, 3_600_000)),
});

/** Our own: input for the console. */
export const consoleInput = object({ data: text(0x1_0000, "what to type") });
