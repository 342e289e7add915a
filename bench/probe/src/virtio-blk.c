// virtio-blk over virtio-mmio (virtio 1.2, section 5.2): read and write, one request at a time.
// Left out: flush, discard, write zeroes, multiple queues.
#include "disk.h"
#include "virtio-mmio.h"

enum { DEVICE_ID = 2, FEATURE_READ_ONLY_BIT = 5 };
enum RequestType { REQUEST_IN = 0, REQUEST_OUT = 1 };
enum { STATUS_OK = 0, STATUS_UNWRITTEN = 0xff };

static struct Disk disk;
static struct Virtqueue queue;
static u64 base;
static bool withInterrupts, started;
static volatile bool done;

// 5.2.6: header, data, status byte.
static struct {
  u32 type, reserved;
  u64 sector;
} header;
static volatile u8 status;

static void interrupt(void) {
  if (virtioMmioAcknowledge(base) && virtqueueTake(&queue)) done = true;
}

const char *virtioBlkStart(struct Disk **out) {
  *out = &disk;
  if (started) return NULL;
  const struct VirtioSlot *slot = virtioMmioFind(DEVICE_ID);
  if (slot == NULL) return "no modern virtio-blk on virtio-mmio";
  u64 features;
  base = slot->base;
  plicAttach(slot->source, interrupt);
  const char *wrong = virtioMmioStart(base, &queue, &features);
  if (wrong != NULL) return wrong;
  u64 sectors = read32(base + VIRTIO_MMIO_CONFIG) | (u64)read32(base + VIRTIO_MMIO_CONFIG + 4) << 32;
  disk = (struct Disk){
      .bytes = sectors * SECTOR_BYTES,
      .blockBytes = SECTOR_BYTES,
      .maximumBytes = DISK_BUFFER_BYTES,
      .readOnly = (features >> FEATURE_READ_ONLY_BIT & 1) != 0,
  };
  started = true;
  return NULL;
}

void virtioBlkInterrupts(bool on) {
  withInterrupts = on;
  virtqueueInterrupts(&queue, on);
}

enum Transfer virtioBlkTransfer(u64 offset, u32 bytes, bool write) {
  header.type = write ? REQUEST_OUT : REQUEST_IN;
  header.sector = offset / SECTOR_BYTES;
  status = STATUS_UNWRITTEN;
  done = false;
  virtqueueDescribe(&queue, 0, &header, sizeof header, DESCRIPTOR_NEXT);
  virtqueueDescribe(&queue, 1, diskBuffer, bytes, (u16)(DESCRIPTOR_NEXT | (write ? 0 : DESCRIPTOR_WRITE)));
  virtqueueDescribe(&queue, 2, (const void *)&status, 1, DESCRIPTOR_WRITE);
  virtqueuePublish(&queue);
  virtioMmioNotify(base);
  if (withInterrupts) {
    waitForInterrupt(&done);
  } else {
    u64 deadline = readTime() + 10 * machine.timebase;
    while (!virtqueueTake(&queue)) {
      if (readTime() > deadline) return TRANSFER_TIMEOUT;
    }
  }
  ioFence();
  disk.failureStatus = status;
  return status == STATUS_OK ? TRANSFER_DONE : TRANSFER_FAILED;
}
