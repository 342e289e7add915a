#pragma once
#include "machine.h"
#include "virtqueue.h"

struct VirtioPci {
  u64 common, notify, isr; // CPU addresses of the three structures that the probe uses
  u32 notifyMultiplier;
  u32 source; // of the PLIC
};

/// Finds the first function of this virtio device and maps its structures; returns what is missing, or null.
const char *virtioPciFind(u32 deviceId, struct VirtioPci *out);
/// Resets the device, negotiates version 1 alone and sets up queues 0 to count-1; returns what went wrong, or null.
const char *virtioPciStart(const struct VirtioPci *device, struct Virtqueue *queues, u64 *notify, u32 count);
/// Reads and thereby clears the ISR status; true if a queue was used.
bool virtioPciAcknowledge(const struct VirtioPci *device);
