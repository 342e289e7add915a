// virtio over PCI (virtio 1.2, section 4.1): the structures are found through vendor capabilities, interrupts are INTx.
// Left out: the legacy interface, MSI-X, the PCI configuration access capability.
#include "virtio-pci.h"
#include "pci.h"

enum { VENDOR = 0x1af4, MODERN_DEVICE = 0x1040, VENDOR_CAPABILITY = 9, MAX_CAPABILITIES = 48 };
enum ConfigType { COMMON = 1, NOTIFY = 2, ISR = 3 };
enum CommonField {
  DEVICE_FEATURE_SELECT = 0x00,
  DEVICE_FEATURE = 0x04,
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  DEVICE_STATUS = 0x14,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_ENABLE = 0x1c,
  QUEUE_NOTIFY_OFF = 0x1e,
  QUEUE_DESC = 0x20,
  QUEUE_DRIVER = 0x28,
  QUEUE_DEVICE = 0x30,
};

const char *virtioPciFind(u32 deviceId, struct VirtioPci *out) {
  struct PciFunction function;
  u32 wanted = (MODERN_DEVICE + deviceId) << 16 | VENDOR;
  if (!pciFind(PCI_VENDOR_DEVICE, 0xffffffff, wanted, &function)) return "no such modern virtio device on PCI";
  if (!pciEnable(&function)) return "virtio BARs do not fit the PCI window";
  *out = (struct VirtioPci){.source = pciInterruptSource(&function)};
  u32 at = read8(function.config + PCI_CAPABILITIES) & ~3u;
  for (u32 i = 0; at != 0 && i < MAX_CAPABILITIES; i++) {
    u64 capability = function.config + at; // 4.1.4: id, next, length, type, BAR, ..., offset, length, multiplier
    u8 bar = read8(capability + 4);
    if (read8(capability) == VENDOR_CAPABILITY && bar < 6 && function.bars[bar] != 0) {
      u64 address = function.bars[bar] + read32(capability + 8);
      u8 type = read8(capability + 3);
      if (type == COMMON && out->common == 0) out->common = address;
      if (type == ISR && out->isr == 0) out->isr = address;
      if (type == NOTIFY && out->notify == 0) {
        out->notify = address;
        out->notifyMultiplier = read32(capability + 16);
      }
    }
    at = read8(capability + 1) & ~3u;
  }
  if (out->common == 0 || out->notify == 0 || out->isr == 0) return "virtio capabilities are incomplete";
  return NULL;
}

const char *virtioPciStart(const struct VirtioPci *device, struct Virtqueue *queues, u64 *notify, u32 count) {
  u64 common = device->common;
  u64 deadline = readTime() + machine.timebase;
  write8(common + DEVICE_STATUS, 0);
  while (read8(common + DEVICE_STATUS) != 0) { // 4.1.4.3.2: a reset has ended when zero reads back
    if (readTime() > deadline) return "virtio device does not finish its reset";
  }
  write8(common + DEVICE_STATUS, VIRTIO_ACKNOWLEDGE);
  write8(common + DEVICE_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
  write32(common + DEVICE_FEATURE_SELECT, 1);
  if ((read32(common + DEVICE_FEATURE) & 1) == 0) return "virtio device does not offer version 1";
  write32(common + DRIVER_FEATURE_SELECT, 0);
  write32(common + DRIVER_FEATURE, 0);
  write32(common + DRIVER_FEATURE_SELECT, 1);
  write32(common + DRIVER_FEATURE, 1); // VIRTIO_F_VERSION_1
  u8 status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK;
  write8(common + DEVICE_STATUS, status);
  if ((read8(common + DEVICE_STATUS) & VIRTIO_FEATURES_OK) == 0) return "virtio device refuses version 1 alone";
  for (u32 i = 0; i < count; i++) {
    write16(common + QUEUE_SELECT, (u16)i);
    if (read16(common + QUEUE_SIZE) < VIRTQUEUE_SIZE) return "virtio queue is too small";
    write16(common + QUEUE_SIZE, VIRTQUEUE_SIZE);
    write64Halves(common + QUEUE_DESC, (u64)queues[i].descriptors);
    write64Halves(common + QUEUE_DRIVER, (u64)&queues[i].available);
    write64Halves(common + QUEUE_DEVICE, (u64)&queues[i].used);
    notify[i] = device->notify + (u64)read16(common + QUEUE_NOTIFY_OFF) * device->notifyMultiplier;
    write16(common + QUEUE_ENABLE, 1);
  }
  write8(common + DEVICE_STATUS, status | VIRTIO_DRIVER_OK);
  return NULL;
}

bool virtioPciAcknowledge(const struct VirtioPci *device) { return (read8(device->isr) & 1) != 0; }
