// Split virtqueues (virtio 1.2, section 2.7). One chain is in flight, and it always begins at descriptor 0.
// Left out, because they change nothing at queue depth one: event index, indirect descriptors.
#include "virtqueue.h"

enum { AVAILABLE_NO_INTERRUPT = 1 };

void virtqueueDescribe(struct Virtqueue *queue, u16 index, const void *data, u32 length, u16 flags) {
  queue->descriptors[index] = (struct Descriptor){(u64)data, length, flags, (u16)(index + 1)};
}

void virtqueuePublish(struct Virtqueue *queue) {
  u16 idx = queue->available.idx;
  queue->available.ring[idx % VIRTQUEUE_SIZE] = 0;
  ioFence(); // 2.7.13.3: the entry before the index, the index before the notification
  queue->available.idx = (u16)(idx + 1);
  ioFence();
}

bool virtqueueTake(struct Virtqueue *queue) {
  if (queue->used.idx == queue->lastUsed) return false;
  ioFence();
  queue->lastUsed++;
  return true;
}

void virtqueueInterrupts(struct Virtqueue *queue, bool on) {
  queue->available.flags = on ? 0 : AVAILABLE_NO_INTERRUPT;
  ioFence();
}
