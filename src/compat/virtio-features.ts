// Names of virtio's feature bits (virtio 1.2, 6 and each device's "Feature bits"), by number.

const COMMON: Record<number, string> = {
  28: "VIRTIO_F_INDIRECT_DESC",
  29: "VIRTIO_F_EVENT_IDX",
  32: "VIRTIO_F_VERSION_1",
  33: "VIRTIO_F_ACCESS_PLATFORM",
  34: "VIRTIO_F_RING_PACKED",
  35: "VIRTIO_F_IN_ORDER",
  36: "VIRTIO_F_ORDER_PLATFORM",
  37: "VIRTIO_F_SR_IOV",
  38: "VIRTIO_F_NOTIFICATION_DATA",
  39: "VIRTIO_F_NOTIF_CONFIG_DATA",
  40: "VIRTIO_F_RING_RESET",
};

const named = (prefix: string, names: Record<number, string>): Record<number, string> =>
  Object.fromEntries(Object.entries(names).map(([bit, name]) => [bit, `VIRTIO_${prefix}_F_${name}`]));

/** By device number. */
const OF_DEVICE: Record<number, Record<number, string>> = {
  1: named("NET", {
    ...{ 0: "CSUM", 1: "GUEST_CSUM", 2: "CTRL_GUEST_OFFLOADS", 3: "MTU", 5: "MAC", 7: "GUEST_TSO4", 8: "GUEST_TSO6" },
    ...{ 9: "GUEST_ECN", 10: "GUEST_UFO", 11: "HOST_TSO4", 12: "HOST_TSO6", 13: "HOST_ECN", 14: "HOST_UFO" },
    ...{ 15: "MRG_RXBUF", 16: "STATUS", 17: "CTRL_VQ", 18: "CTRL_RX", 19: "CTRL_VLAN", 20: "CTRL_RX_EXTRA" },
    ...{ 21: "GUEST_ANNOUNCE", 22: "MQ", 23: "CTRL_MAC_ADDR", 53: "NOTF_COAL", 54: "GUEST_USO4", 55: "GUEST_USO6" },
    ...{ 56: "HOST_USO", 57: "HASH_REPORT", 59: "GUEST_HDRLEN", 60: "RSS", 61: "RSC_EXT", 62: "STANDBY" },
    63: "SPEED_DUPLEX",
  }),
  2: named("BLK", {
    ...{ 1: "SIZE_MAX", 2: "SEG_MAX", 4: "GEOMETRY", 5: "RO", 6: "BLK_SIZE", 9: "FLUSH", 10: "TOPOLOGY" },
    ...{
      11: "CONFIG_WCE",
      12: "MQ",
      13: "DISCARD",
      14: "WRITE_ZEROES",
      15: "LIFETIME",
      16: "SECURE_ERASE",
      17: "ZONED",
    },
  }),
  3: named("CONSOLE", { 0: "SIZE", 1: "MULTIPORT", 2: "EMERG_WRITE" }),
  5: named("BALLOON", {
    ...{ 0: "MUST_TELL_HOST", 1: "STATS_VQ", 2: "DEFLATE_ON_OOM", 3: "FREE_PAGE_HINT", 4: "PAGE_POISON" },
    5: "PAGE_REPORTING",
  }),
  9: named("9P", { 0: "MOUNT_TAG" }),
  17: named("RTC", { 0: "ALARM" }),
  19: named("VSOCK", { 0: "STREAM", 1: "SEQPACKET" }),
  24: named("MEM", { 0: "ACPI_PXM", 1: "UNPLUGGED_INACCESSIBLE", 2: "PERSISTENT_SUSPEND" }),
  27: named("PMEM", { 0: "SHMEM_REGION" }),
};

/** Names of the bits of `features` that device number `device` offers; a bit without a name has its number. */
export function virtioFeatureNames(device: number, features: bigint): string[] {
  const own = OF_DEVICE[device] ?? {};
  const names: string[] = [];
  for (let bit = 0; bit < 64; bit++) {
    if (((features >> BigInt(bit)) & 1n) === 1n) names.push(own[bit] ?? COMMON[bit] ?? `bit ${bit}`);
  }
  return names;
}
