// Split virtqueue, one request at a time.
#pragma once
#include "types.h"

enum { VIRTQUEUE_SIZE = 8, VIRTIO_F_VERSION_1_BIT = 32 };
enum VirtioStatus { VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8 };
enum DescriptorFlag { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };

struct Descriptor {
  u64 address;
  u32 length;
  u16 flags, next;
};

struct Virtqueue {
  struct Descriptor descriptors[VIRTQUEUE_SIZE] __attribute__((aligned(16)));
  struct {
    volatile u16 flags, idx, ring[VIRTQUEUE_SIZE], usedEvent;
  } available __attribute__((aligned(4)));
  struct {
    volatile u16 flags, idx;
    struct {
      volatile u32 id, length;
    } ring[VIRTQUEUE_SIZE];
    volatile u16 availEvent;
  } used __attribute__((aligned(4)));
  u16 lastUsed;
};

/// Fills descriptor `index` of the one chain; its successor is `index + 1` if flags hold DESCRIPTOR_NEXT.
void virtqueueDescribe(struct Virtqueue *queue, u16 index, const void *data, u32 length, u16 flags);
/// Makes the chain that begins at descriptor 0 available. The caller notifies.
void virtqueuePublish(struct Virtqueue *queue);
/// Takes a used element if there is one.
bool virtqueueTake(struct Virtqueue *queue);
/// Asks the device for interrupts, or not to send any.
void virtqueueInterrupts(struct Virtqueue *queue, bool on);
