// What a block workload asks of a disk, whichever device it is.
#pragma once
#include "types.h"

enum { DISK_BUFFER_BYTES = 256 * 1024, SECTOR_BYTES = 512 };
enum Transfer { TRANSFER_DONE, TRANSFER_FAILED, TRANSFER_TIMEOUT };

struct Disk {
  u64 bytes;
  u32 blockBytes;   // transfers are multiples of it
  u32 maximumBytes; // of one transfer
  bool readOnly;
  u32 failureStatus; // of the last failed transfer, as the device gives it
};

/// The one buffer that is transferred, page aligned.
extern u8 diskBuffer[DISK_BUFFER_BYTES];

// Each driver: start finds and readies the device, once, and returns what is missing or null.
const char *nvmeStart(struct Disk **disk);
void nvmeInterrupts(bool on);
enum Transfer nvmeTransfer(u64 offset, u32 bytes, bool write);

const char *virtioBlkStart(struct Disk **disk);
void virtioBlkInterrupts(bool on);
enum Transfer virtioBlkTransfer(u64 offset, u32 bytes, bool write);
