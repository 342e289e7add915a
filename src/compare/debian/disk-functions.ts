// The disks that are measured, as functions on the guest's PCI bus. Those that share an interrupt
// with another answer for it too, so each has the bus to itself while it is measured: the others'
// drivers are detached.
import type { DiskDevice } from "./boots.ts";

/** Drivers by which Linux knows the devices; of one driver the first device has the lowest address. */
const DRIVERS: Record<Exclude<DiskDevice, "virtio">, [driver: string, nth: number]> = {
  nvme: ["nvme", 1],
  "nvme-dbbuf": ["nvme", 2],
  ahci: ["ahci", 1],
};

export class DiskFunctions {
  readonly #devices: readonly DiskDevice[];
  readonly #run: (command: string) => Promise<string>;
  #addresses: Map<DiskDevice, string> | undefined;
  #taken: { device: DiskDevice; node: string } | undefined;

  constructor(devices: readonly DiskDevice[], run: (command: string) => Promise<string>) {
    this.#devices = devices;
    this.#run = run;
  }

  /** Attaches the driver of this device, and of no other; the name of the disk's node. */
  async take(device: DiskDevice): Promise<string> {
    if (this.#taken?.device === device) return this.#taken.node;
    this.#addresses ??= await this.#find();
    const own = this.#addresses.get(device);
    if (own === undefined) throw new Error(`this boot has no ${device}`);
    const others = [...this.#addresses.values()].filter((address) => address !== own);
    const node = await this.#run(`cd /sys/bus/pci/devices
      for other in ${others.join(" ")}; do [ -e $other/driver ] && echo $other >$other/driver/unbind; done
      [ -e ${own}/driver ] || echo ${own} >/sys/bus/pci/drivers_probe
      for try in $(seq 500); do
        for block in /sys/class/block/*; do
          case $(readlink $block) in
            */${own}/*) echo \${block##*/} && exit ;;
          esac
        done
        sleep 0.02
      done
      echo "no disk at ${own}" >&2; exit 1`);
    this.#taken = { device, node };
    return node;
  }

  /** Where each device is on the bus. All have their drivers still. */
  async #find(): Promise<Map<DiskDevice, string>> {
    const find = this.#devices.map((device) => {
      // The first virtio disk is the one that is measured, the other holds the tools.
      if (device === "virtio") return `readlink /sys/class/block/vda | tr / '\\n' | grep '^0000:' | tail -n 1`;
      const [driver, nth] = DRIVERS[device];
      return `ls /sys/bus/pci/drivers/${driver} | grep '^0000:' | sed -n ${nth}p`;
    });
    const addresses = (await this.#run(find.join("; "))).split("\n");
    if (addresses.length !== find.length) throw new Error(`found the disks ${addresses.join(", ")} alone`);
    return new Map(this.#devices.map((device, i) => [device, addresses[i]]));
  }
}
