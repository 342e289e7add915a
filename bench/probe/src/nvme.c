// NVMe over PCIe (NVM Express 1.4): one controller, namespace 1, the admin queues and one pair of I/O queues, INTx.
// One command is in flight. The admin commands of the start are polled with the interrupt masked (INTMS).
// Left out: namespaces other than 1, metadata, SGLs, flush, asynchronous events.
#include "disk.h"
#include "pci.h"

enum Register {
  CAP = 0x00,
  INTMS = 0x0c,
  INTMC = 0x10,
  CC = 0x14,
  CSTS = 0x1c,
  AQA = 0x24,
  ASQ = 0x28,
  ACQ = 0x30,
  DOORBELLS = 0x1000,
};
enum { CC_ENABLE = 1, CC_IOSQES_64_IOCQES_16 = 6 << 16 | 4 << 20, CSTS_READY = 1, CSTS_FATAL = 2 };
enum AdminCommand { CREATE_IO_SQ = 1, CREATE_IO_CQ = 5, IDENTIFY = 6, SET_FEATURES = 9 };
enum IoCommand { IO_WRITE = 1, IO_READ = 2 };
enum { CONTIGUOUS = 1, WITH_INTERRUPTS = 2, FEATURE_QUEUES = 7, IDENTIFY_NAMESPACE = 0, IDENTIFY_CONTROLLER = 1 };
enum { ENTRIES = 16, NAMESPACE = 1, CLASS_NVME = 0x010802 };

struct Command { // 4.2, figure 104
  u32 opcode;    // command identifier in the high half
  u32 namespace;
  u64 reserved, metadata, prp1, prp2;
  u32 dword10, dword11, dword12, dword13, dword14, dword15;
};

struct Completion { // 4.6
  u32 result, reserved;
  u16 submissionHead, submissionId, commandId, status; // phase in bit 0 of the status
};

struct Queue {
  struct Command submissions[ENTRIES] __attribute__((aligned(PAGE_SIZE)));
  volatile struct Completion completions[ENTRIES] __attribute__((aligned(PAGE_SIZE)));
  u32 tail, head, id;
  u16 phase, commandId;
};

static struct Disk disk;
static struct Queue admin, io;
static u64 prpList[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));
static u8 identity[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static u64 base;
static u32 doorbellStride, blockShift;
static bool withInterrupts, started;
static volatile bool done;
static volatile u16 doneStatus;

static void submit(struct Queue *queue, struct Command command) {
  command.opcode |= (u32)++queue->commandId << 16;
  queue->submissions[queue->tail] = command;
  queue->tail = (queue->tail + 1) % ENTRIES;
  ioFence();
  write32(base + DOORBELLS + queue->id * 2 * doorbellStride, queue->tail);
}

/// Takes one completion, if its phase says that it is new, and frees its entry.
static bool take(struct Queue *queue, u16 *status) {
  u16 found = queue->completions[queue->head].status;
  if ((found & 1) != queue->phase) return false;
  ioFence();
  *status = found >> 1;
  queue->head++;
  if (queue->head == ENTRIES) {
    queue->head = 0;
    queue->phase ^= 1;
  }
  write32(base + DOORBELLS + (queue->id * 2 + 1) * doorbellStride, queue->head);
  return true;
}

static enum Transfer poll(struct Queue *queue) {
  u64 deadline = readTime() + 10 * machine.timebase;
  u16 status;
  while (!take(queue, &status)) {
    if (readTime() > deadline) return TRANSFER_TIMEOUT;
  }
  disk.failureStatus = status;
  return status == 0 ? TRANSFER_DONE : TRANSFER_FAILED;
}

static bool administer(struct Command command) {
  submit(&admin, command);
  return poll(&admin) == TRANSFER_DONE;
}

static void interrupt(void) {
  u16 status;
  while (take(&io, &status)) {
    doneStatus = status;
    done = true;
  }
}

/// Waits for CSTS.RDY, at most the time that CAP.TO grants (in units of 500 ms).
static bool waitReady(u32 wanted) {
  u64 halfSeconds = (read32(base + CAP) >> 24 & 0xff) + 1;
  u64 deadline = readTime() + halfSeconds * machine.timebase / 2;
  for (;;) {
    u32 status = read32(base + CSTS);
    if ((status & CSTS_FATAL) != 0) return false;
    if ((status & CSTS_READY) == wanted) return true;
    if (readTime() > deadline) return false;
  }
}

/// 7.6.1, "Controller Initialization".
static const char *enable(void) {
  u64 capLow = read32(base + CAP), capHigh = read32(base + CAP + 4);
  if ((capLow & 0xffff) + 1 < ENTRIES) return "NVMe queues are too small";
  if ((capHigh >> 16 & 0xf) != 0) return "NVMe controller takes no 4 KiB pages";
  doorbellStride = 4u << (capHigh & 0xf);
  write32(base + CC, 0);
  if (!waitReady(0)) return "NVMe controller does not stop";
  admin.phase = io.phase = 1;
  io.id = 1;
  write32(base + AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1));
  write64Halves(base + ASQ, (u64)admin.submissions);
  write64Halves(base + ACQ, (u64)admin.completions);
  write32(base + INTMS, 1);
  write32(base + CC, CC_IOSQES_64_IOCQES_16 | CC_ENABLE);
  return waitReady(CSTS_READY) ? NULL : "NVMe controller does not become ready";
}

static u32 identityWord(u32 offset) {
  return identity[offset] | (u32)identity[offset + 1] << 8 | (u32)identity[offset + 2] << 16 |
         (u32)identity[offset + 3] << 24;
}

static const char *identify(void) {
  if (!administer((struct Command){.opcode = IDENTIFY, .prp1 = (u64)identity, .dword10 = IDENTIFY_CONTROLLER}))
    return "NVMe identify controller fails";
  u32 maximumShift = identity[77]; // MDTS: a power of two of 4 KiB pages, 0 is no limit
  disk.maximumBytes = DISK_BUFFER_BYTES;
  if (maximumShift != 0 && maximumShift < 6) disk.maximumBytes = PAGE_SIZE << maximumShift;
  if (!administer((struct Command){
          .opcode = IDENTIFY, .namespace = NAMESPACE, .prp1 = (u64)identity, .dword10 = IDENTIFY_NAMESPACE}))
    return "NVMe identify namespace fails";
  u64 blocks = identityWord(0) | (u64)identityWord(4) << 32;
  u32 format = identity[26] & 0xf;
  blockShift = identity[128 + format * 4 + 2];
  if (blocks == 0 || blockShift < 9 || blockShift > 12) return "NVMe namespace 1 has no usable format";
  disk.blockBytes = 1u << blockShift;
  disk.bytes = blocks << blockShift;
  disk.readOnly = (identity[99] & 1) != 0; // NSATTR: write protected
  return NULL;
}

static const char *createQueues(void) {
  u32 sizeAndId = (ENTRIES - 1) << 16 | io.id;
  if (!administer((struct Command){.opcode = SET_FEATURES, .dword10 = FEATURE_QUEUES}))
    return "NVMe set number of queues fails";
  if (!administer((struct Command){.opcode = CREATE_IO_CQ,
                                   .prp1 = (u64)io.completions,
                                   .dword10 = sizeAndId,
                                   .dword11 = WITH_INTERRUPTS | CONTIGUOUS}))
    return "NVMe create I/O completion queue fails";
  if (!administer((struct Command){.opcode = CREATE_IO_SQ,
                                   .prp1 = (u64)io.submissions,
                                   .dword10 = sizeAndId,
                                   .dword11 = io.id << 16 | CONTIGUOUS}))
    return "NVMe create I/O submission queue fails";
  return NULL;
}

const char *nvmeStart(struct Disk **out) {
  *out = &disk;
  if (started) return NULL;
  struct PciFunction function;
  if (!pciFind(PCI_CLASS_REVISION, 0xffffff00, CLASS_NVME << 8, &function)) return "no NVMe controller on PCI";
  if (!pciEnable(&function) || function.bars[0] == 0) return "NVMe BAR does not fit the PCI window";
  u32 source = pciInterruptSource(&function);
  if (source == 0) return "NVMe controller has no INTx in the device tree";
  base = function.bars[0];
  plicAttach(source, interrupt);
  const char *wrong = enable();
  if (wrong == NULL) wrong = identify();
  if (wrong == NULL) wrong = createQueues();
  started = wrong == NULL;
  return wrong;
}

void nvmeInterrupts(bool on) {
  withInterrupts = on;
  write32(base + (on ? INTMC : INTMS), 1);
}

enum Transfer nvmeTransfer(u64 offset, u32 bytes, bool write) {
  // 4.3: the second entry is a page if two pages suffice, else the address of a list of pages.
  u64 first = (u64)diskBuffer;
  u32 pages = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
  u64 second = pages < 2 ? 0 : first + PAGE_SIZE;
  if (pages > 2) {
    for (u32 i = 1; i < pages; i++) prpList[i - 1] = first + (u64)i * PAGE_SIZE;
    second = (u64)prpList;
  }
  u64 block = offset >> blockShift;
  done = false;
  submit(&io, (struct Command){.opcode = write ? IO_WRITE : IO_READ,
                               .namespace = NAMESPACE,
                               .prp1 = first,
                               .prp2 = second,
                               .dword10 = (u32)block,
                               .dword11 = (u32)(block >> 32),
                               .dword12 = (bytes >> blockShift) - 1});
  if (!withInterrupts) return poll(&io);
  waitForInterrupt(&done);
  disk.failureStatus = doneStatus;
  return doneStatus == 0 ? TRANSFER_DONE : TRANSFER_FAILED;
}
