// Block workloads: `count` transfers of `bs` bytes, one at a time, sequential from `offset` or at random.
// Data is looked at outside the measured window. After it the same transfers are read again, where `verify` says so,
// for the checksum of a read and to compare what a write should have left.
//
// Random: xorshift32 from `seed`; the block is its next value modulo the number of blocks behind `offset`.
// Written data, in 64-bit little-endian words: the first of each 512-byte sector is seed << 32 ^ sector number, word i
// of the transfer is otherwise (i + 1) * 0x9e3779b97f4a7c15 ^ seed.
#include "checksum.h"
#include "disk.h"
#include "workload.h"

enum { SECTOR_WORDS = SECTOR_BYTES / 8 };

u8 diskBuffer[DISK_BUFFER_BYTES] __attribute__((aligned(PAGE_SIZE)));

static u64 *const words = (u64 *)diskBuffer;
static u32 randomState;

static bool isWrite(const struct Workload *workload) {
  return workload->operation == BLOCK_WRITE || workload->operation == BLOCK_RANDWRITE;
}

static u64 nextOffset(const struct Workload *workload, u64 index, u64 blocks) {
  if (workload->operation == BLOCK_READ || workload->operation == BLOCK_WRITE) {
    index %= blocks;
  } else {
    randomState ^= randomState << 13;
    randomState ^= randomState >> 17;
    randomState ^= randomState << 5;
    index = randomState % blocks;
  }
  return workload->offset + index * workload->blockSize;
}

static enum Transfer transfer(const struct Workload *workload, u64 offset, bool write) {
  u32 bytes = (u32)workload->blockSize;
  return workload->device == BLOCK_NVME ? nvmeTransfer(offset, bytes, write) : virtioBlkTransfer(offset, bytes, write);
}

static u64 patternWord(u64 seed, u64 index) { return (index + 1) * 0x9e3779b97f4a7c15 ^ seed; }
static u64 sectorWord(u64 seed, u64 sector) { return seed << 32 ^ sector; }

static void fillPattern(const struct Workload *workload) {
  for (u64 i = 0; i < workload->blockSize / 8; i++) words[i] = patternWord(workload->seed, i);
}

static void stampSectors(const struct Workload *workload, u64 offset) {
  for (u64 at = 0; at < workload->blockSize; at += SECTOR_BYTES)
    words[at / 8] = sectorWord(workload->seed, (offset + at) / SECTOR_BYTES);
}

static bool holdsPattern(const struct Workload *workload, u64 offset) {
  for (u64 i = 0; i < workload->blockSize / 8; i++) {
    u64 wanted = i % SECTOR_WORDS == 0 ? sectorWord(workload->seed, offset / SECTOR_BYTES + i / SECTOR_WORDS)
                                       : patternWord(workload->seed, i);
    if (words[i] != wanted) return false;
  }
  return true;
}

static u64 failure(u32 number, const struct Workload *workload, u64 offset, u64 errors, u32 status) {
  if (errors == 0) {
    print("probe: error %u block %s: %s at byte %u fails with status %x\n", (u64)number, deviceName(workload),
          operationName(workload->operation), offset, (u64)status);
  }
  return errors + 1;
}

/// The measured window. Returns the number of errors; a timeout ends it.
static u64 runTransfers(u32 number, const struct Workload *workload, const struct Disk *disk, u64 blocks,
                        struct Measure *measure) {
  bool write = isWrite(workload);
  u64 errors = 0, firstOffset = 0;
  u32 firstStatus = 0;
  randomState = (u32)workload->seed;
  if (write) fillPattern(workload);
  measureBegin(number);
  for (u64 i = 0; i < workload->count; i++) {
    u64 offset = nextOffset(workload, i, blocks);
    if (write) stampSectors(workload, offset);
    enum Transfer result = transfer(workload, offset, write);
    if (result == TRANSFER_DONE) continue;
    if (errors++ == 0) {
      firstOffset = offset;
      firstStatus = disk->failureStatus;
    }
    if (result == TRANSFER_TIMEOUT) break;
  }
  *measure = measureEnd(number);
  if (errors != 0) failure(number, workload, firstOffset, 0, firstStatus);
  return errors;
}

/// Reads every block of the workload again, in the same order.
static u64 verify(u32 number, const struct Workload *workload, const struct Disk *disk, u64 blocks, u32 *checksum) {
  u64 errors = 0;
  *checksum = CHECKSUM_START;
  randomState = (u32)workload->seed;
  for (u64 i = 0; i < workload->count; i++) {
    u64 offset = nextOffset(workload, i, blocks);
    for (u64 at = 0; at < workload->blockSize; at += SECTOR_BYTES) words[at / 8] = ~words[at / 8];
    enum Transfer result = transfer(workload, offset, false);
    if (result != TRANSFER_DONE) {
      errors = failure(number, workload, offset, errors, disk->failureStatus);
      if (result == TRANSFER_TIMEOUT) break;
    } else if (isWrite(workload) && !holdsPattern(workload, offset)) {
      if (errors == 0) reportError(number, workload, "what was written does not read back");
      errors++;
    }
    for (u64 word = 0; word < workload->blockSize / 8; word++) {
      *checksum = checksumWord(*checksum, (u32)words[word]);
      *checksum = checksumWord(*checksum, (u32)(words[word] >> 32));
    }
  }
  return errors;
}

static const char *refuse(const struct Workload *workload, const struct Disk *disk) {
  if (workload->blockSize % disk->blockBytes != 0 || workload->offset % disk->blockBytes != 0)
    return "bs and offset must be multiples of the disk's block size";
  if (workload->blockSize > disk->maximumBytes) return "bs is more than the device transfers at once";
  if (workload->offset >= disk->bytes || disk->bytes - workload->offset < workload->blockSize)
    return "the disk ends before offset + bs";
  if (isWrite(workload) && disk->readOnly) return "the disk is read-only";
  return NULL;
}

u64 runBlock(u32 number, const struct Workload *workload) {
  struct Disk *disk;
  const char *wrong = workload->device == BLOCK_NVME ? nvmeStart(&disk) : virtioBlkStart(&disk);
  if (wrong == NULL) wrong = refuse(workload, disk);
  if (wrong != NULL) return reportError(number, workload, wrong);
  if (workload->device == BLOCK_NVME) nvmeInterrupts(workload->wait == WAIT_IRQ);
  else virtioBlkInterrupts(workload->wait == WAIT_IRQ);
  u64 blocks = (disk->bytes - workload->offset) / workload->blockSize;
  struct Measure measure;
  u32 checksum = 0;
  u64 errors = runTransfers(number, workload, disk, blocks, &measure);
  bool verified = workload->verify != 0 && errors == 0;
  if (verified) errors = verify(number, workload, disk, blocks, &checksum);
  print("probe: result %u block %s %s wait=%s bs=%u count=%u seed=%u offset=%u", (u64)number, deviceName(workload),
        operationName(workload->operation), waitName(workload->wait), workload->blockSize, workload->count,
        workload->seed, workload->offset);
  measurePrint(measure);
  print(" ops=%u bytes=%u errors=%u", workload->count, workload->count * workload->blockSize, errors);
  if (verified) print(" checksum=%k\n", (u64)checksum);
  else print(" checksum=none\n");
  return errors;
}
