#pragma once
#include "machine.h"
#include "virtqueue.h"

enum { VIRTIO_MMIO_CONFIG = 0x100 };

/// The first modern device with this id, or null.
const struct VirtioSlot *virtioMmioFind(u32 deviceId);
/// Resets the device, negotiates version 1 alone and gives it queue 0; returns what went wrong, or null.
const char *virtioMmioStart(u64 base, struct Virtqueue *queue, u64 *offered);
void virtioMmioNotify(u64 base);
/// Acknowledges the interrupt as a driver must; true if a queue was used.
bool virtioMmioAcknowledge(u64 base);
