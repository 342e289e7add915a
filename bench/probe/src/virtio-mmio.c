// virtio over MMIO, version 2 (virtio 1.2, section 4.2). Left out: the legacy interface (version 1).
#include "virtio-mmio.h"

enum Register {
  MAGIC_VALUE = 0x000,
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_NUM_MAX = 0x034,
  QUEUE_NUM = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC = 0x080,
  QUEUE_DRIVER = 0x090,
  QUEUE_DEVICE = 0x0a0,
};
enum { MAGIC = 0x74726976 };

const struct VirtioSlot *virtioMmioFind(u32 deviceId) {
  const struct VirtioSlot *found = NULL;
  for (u32 i = 0; i < machine.virtioCount; i++) {
    const struct VirtioSlot *slot = &machine.virtio[i];
    if (read32(slot->base + MAGIC_VALUE) != MAGIC || read32(slot->base + VERSION) != 2) continue;
    if (read32(slot->base + DEVICE_ID) != deviceId) continue;
    // The tree may list the slots in either order: take the lowest.
    if (found == NULL || slot->base < found->base) found = slot;
  }
  return found;
}

const char *virtioMmioStart(u64 base, struct Virtqueue *queue, u64 *offered) {
  write32(base + STATUS, 0);
  write32(base + STATUS, VIRTIO_ACKNOWLEDGE);
  write32(base + STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
  write32(base + DEVICE_FEATURES_SEL, 1);
  *offered = (u64)read32(base + DEVICE_FEATURES) << 32;
  write32(base + DEVICE_FEATURES_SEL, 0);
  *offered |= read32(base + DEVICE_FEATURES);
  if ((*offered >> VIRTIO_F_VERSION_1_BIT & 1) == 0) return "virtio device does not offer version 1";
  write32(base + DRIVER_FEATURES_SEL, 0);
  write32(base + DRIVER_FEATURES, 0);
  write32(base + DRIVER_FEATURES_SEL, 1);
  write32(base + DRIVER_FEATURES, 1); // VIRTIO_F_VERSION_1
  u32 status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK;
  write32(base + STATUS, status);
  if ((read32(base + STATUS) & VIRTIO_FEATURES_OK) == 0) return "virtio device refuses version 1 alone";
  write32(base + QUEUE_SEL, 0);
  if (read32(base + QUEUE_READY) != 0) return "virtio queue is in use after a reset";
  if (read32(base + QUEUE_NUM_MAX) < VIRTQUEUE_SIZE) return "virtio queue is too small";
  write32(base + QUEUE_NUM, VIRTQUEUE_SIZE);
  write64Halves(base + QUEUE_DESC, (u64)queue->descriptors);
  write64Halves(base + QUEUE_DRIVER, (u64)&queue->available);
  write64Halves(base + QUEUE_DEVICE, (u64)&queue->used);
  write32(base + QUEUE_READY, 1);
  write32(base + STATUS, status | VIRTIO_DRIVER_OK);
  return NULL;
}

void virtioMmioNotify(u64 base) { write32(base + QUEUE_NOTIFY, 0); }

bool virtioMmioAcknowledge(u64 base) {
  u32 status = read32(base + INTERRUPT_STATUS);
  write32(base + INTERRUPT_ACK, status);
  return (status & 1) != 0;
}
