// virtio-console over virtio-pci (virtio 1.2, section 5.3): output of port 0.
// The multiport feature is not negotiated: queue 0 receives for port 0 and gets no buffers, queue 1 transmits.
#include "console.h"
#include "virtio-pci.h"

enum { DEVICE_ID = 3, RECEIVE = 0, TRANSMIT = 1, QUEUES = 2 };

static struct VirtioPci device;
static struct Virtqueue queues[QUEUES];
static u64 notify[QUEUES];
static bool started, withInterrupts;
static volatile bool done;

static void interrupt(void) {
  if (virtioPciAcknowledge(&device) && virtqueueTake(&queues[TRANSMIT])) done = true;
}

const char *virtioConsoleStart(void) {
  if (started) return NULL;
  const char *wrong = virtioPciFind(DEVICE_ID, &device);
  if (wrong != NULL) return wrong;
  if (device.source == 0) return "virtio-console has no INTx in the device tree";
  // Before DRIVER_OK: a device may interrupt at once, and an edge that the PLIC does not pass on may be the last one.
  plicAttach(device.source, interrupt);
  wrong = virtioPciStart(&device, queues, notify, QUEUES);
  started = wrong == NULL;
  return wrong;
}

void virtioConsoleInterrupts(bool on) {
  withInterrupts = on;
  virtqueueInterrupts(&queues[TRANSMIT], on);
}

bool virtioConsoleWrite(const u8 *bytes, u32 length) {
  done = false;
  virtqueueDescribe(&queues[TRANSMIT], 0, bytes, length, 0);
  virtqueuePublish(&queues[TRANSMIT]);
  write16(notify[TRANSMIT], TRANSMIT);
  if (withInterrupts) {
    waitForInterrupt(&done);
    return true;
  }
  u64 deadline = readTime() + 10 * machine.timebase;
  while (!virtqueueTake(&queues[TRANSMIT])) {
    if (readTime() > deadline) return false;
  }
  return true;
}
