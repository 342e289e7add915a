// A guest as the API describes it, piece by piece, before it is created; and what that comes to
// as options.
import type { BudgetChange, DevicePolicy, TokenBucket } from "../../../hypercall/policy.ts";
import type { HostedGuestOptions, HostedNetOptions } from "../hypervisor.ts";
import type { NodeDiskOptions } from "../options.ts";
import type {
  Balloon,
  BootSource,
  ChangedLimiter,
  Drive,
  MachineConfig,
  NetworkInterface,
  RateLimiter,
  Vsock,
} from "./schemas.ts";
import { RequestError } from "./validate.ts";

/** As in Firecracker: what a guest has if nothing is said. */
const DEFAULTS: MachineConfig = { vcpu_count: 1, mem_size_mib: 128 };
const MIB = 1024 * 1024;
const SWITCH = "switch:";

export class GuestDraft {
  machine: MachineConfig = DEFAULTS;
  boot: BootSource | undefined;
  readonly drives = new Map<string, Drive>();
  readonly interfaces = new Map<string, NetworkInterface>();
  vsock: Vsock | undefined;
  balloon: Balloon | undefined;
  policy: HostedGuestOptions["policy"];

  /** Disks in the order in which the guest has them: the root device first. */
  get orderedDrives(): Drive[] {
    const all = [...this.drives.values()];
    return [...all.filter((it) => it.is_root_device), ...all.filter((it) => !it.is_root_device)];
  }

  /** Everything, as `GET /vm/config` shows it. */
  show(): Record<string, unknown> {
    return {
      "machine-config": this.machine,
      "boot-source": this.boot,
      drives: this.orderedDrives,
      "network-interfaces": [...this.interfaces.values()],
      vsock: this.vsock,
      balloon: this.balloon,
      policy: this.policy,
    };
  }

  /** @throws RequestError if it cannot be started yet. */
  options(): HostedGuestOptions {
    const { machine, boot, vsock } = this;
    if (boot === undefined) {
      throw new RequestError(400, "the guest has nothing to boot: PUT /boot-source with kernel_image_path, or guest");
    }
    if (boot.guest !== undefined && boot.kernel_image_path !== undefined) {
      throw new RequestError(400, "boot-source has both guest and kernel_image_path: give one of them");
    }
    return {
      guest: boot.guest,
      kernel: boot.kernel_image_path,
      initrd: boot.initrd_path,
      append: boot.boot_args,
      firmware: boot.firmware_path,
      memory: machine.mem_size_mib * MIB,
      harts: machine.vcpu_count,
      codeCache: machine.code_cache_mib === undefined ? undefined : machine.code_cache_mib * MIB,
      irqchip: machine.irqchip,
      cpu: machine.cpu,
      clock: machine.clock,
      tier: machine.tier,
      disks: this.orderedDrives.map(diskOf),
      nets: [...this.interfaces.values()].map(netOf),
      vsock: vsock && { path: vsock.uds_path, cid: vsock.guest_cid },
      balloon: this.balloon !== undefined,
      exec: boot.guest !== undefined || boot.initrd_path !== undefined,
      policy: this.#wholePolicy(),
    };
  }

  /** The policy, with the rate limiters of drives and interfaces as budgets of those devices. */
  #wholePolicy(): HostedGuestOptions["policy"] {
    const devices: Record<string, DevicePolicy> = { ...this.policy?.devices };
    const add = (name: string, limiter: RateLimiter | undefined) => {
      if (limiter === undefined) return;
      devices[name] = { ...devices[name], operations: limiter.ops, bytes: limiter.bandwidth };
    };
    for (const [n, { rate_limiter }] of this.orderedDrives.entries()) add(`disk${n}`, rate_limiter);
    for (const [n, { tx_rate_limiter, rx_rate_limiter: rx }] of [...this.interfaces.values()].entries()) {
      add(`net${n}`, tx_rate_limiter);
      if (rx !== undefined)
        devices[`net${n}`] = { ...devices[`net${n}`], receive: { operations: rx.ops, bytes: rx.bandwidth } };
    }
    return this.policy === undefined && Object.keys(devices).length === 0 ? undefined : { ...this.policy, devices };
  }
}

function diskOf({ path_on_host, is_read_only, is_overlay, interface: kind }: Drive): NodeDiskOptions {
  return { path: path_on_host, readOnly: is_read_only, overlay: is_overlay, if: kind };
}

function netOf({
  host_dev_name: name,
  guest_mac,
  guest_address,
  mtu,
  model,
  settings,
}: NetworkInterface): HostedNetOptions {
  const to = name.startsWith(SWITCH) ? { switch: name.slice(SWITCH.length) } : { backend: name, settings };
  return { ...to, mac: guest_mac, address: guest_address, mtu, model };
}

/** @throws RequestError unless both say that there is a limit, or neither. */
function bucketOf(where: string, bucket: NonNullable<ChangedLimiter["ops"]>): TokenBucket | null {
  const { size, refill_time } = bucket;
  if (size > 0 && refill_time > 0) return bucket;
  if (size === 0 && refill_time === 0) return null;
  throw new RequestError(
    400,
    `${where} has size ${size} and refill_time ${refill_time}: write 0 for both, or for neither`,
  );
}

/** What a limiter that is to be changed comes to as a budget. */
export function changeOf(where: string, { ops, bandwidth }: ChangedLimiter): Omit<BudgetChange, "receive"> {
  return {
    ...(ops !== undefined && { operations: bucketOf(`${where}.ops`, ops) }),
    ...(bandwidth !== undefined && { bytes: bucketOf(`${where}.bandwidth`, bandwidth) }),
  };
}

/** The limiter after the change. */
export function changedLimiter(
  before: RateLimiter | undefined,
  where: string,
  change: ChangedLimiter,
): RateLimiter | undefined {
  const { operations = before?.ops, bytes = before?.bandwidth } = changeOf(where, change);
  if (!operations && !bytes) return undefined;
  return { ...(operations && { ops: operations }), ...(bytes && { bandwidth: bytes }) };
}
