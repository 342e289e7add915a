// What bootargs ask for, and what a workload reports.
#pragma once
#include "machine.h"

enum WorkloadKind { WORKLOAD_CALIBRATE, WORKLOAD_CONSOLE, WORKLOAD_BLOCK, WORKLOAD_TIMER, WORKLOAD_LOAD };
enum ConsoleDevice { CONSOLE_UART, CONSOLE_VIRTIO, CONSOLE_DBCN, CONSOLE_PUTCHAR };
enum BlockDevice { BLOCK_NVME, BLOCK_VIRTIO };
enum LoadOperation { LOAD_NONE, LOAD_NULL, LOAD_UNKNOWN, LOAD_DBCN, LOAD_DISK, LOAD_HOST, LOAD_REGISTER, LOAD_FLOOD };
enum BlockOperation { BLOCK_READ, BLOCK_RANDREAD, BLOCK_WRITE, BLOCK_RANDWRITE };
enum Wait { WAIT_IRQ, WAIT_POLL };

struct Workload {
  enum WorkloadKind kind;
  u32 device; // of that kind
  u32 operation, wait, verify;
  u64 bytes, chunk, blockSize, count, seed, offset, period, burst, work;
};

enum { MAX_WORKLOADS = 32, MAX_CHUNK = 4096 };

struct Plan {
  u32 control, powerOff;
  struct Workload workloads[MAX_WORKLOADS];
  u32 count;
};

// bootargs.c
/// Reads the bootargs; on an error prints it and returns false.
bool bootargsParse(const char *text, u32 length, struct Plan *plan);
/// The words that the bootargs use.
const char *kindName(const struct Workload *workload);
const char *deviceName(const struct Workload *workload);
const char *operationName(u32 operation);
const char *waitName(u32 wait);

// measure.c
struct Measure {
  u64 ticks, instret;
};
/// Prints the begin marker of the current workload, then starts to measure.
void measureBegin(u32 number);
/// Stops to measure, then prints the end marker.
struct Measure measureEnd(u32 number);
/// Prints ` ticks=... instret=...` into a result line.
void measurePrint(struct Measure measure);
/// Prints why a workload cannot run or failed: `probe: error 2 block nvme: ...`; returns 1, the error to count.
u64 reportError(u32 number, const struct Workload *workload, const char *reason);

// Each runs one workload and returns how many errors it met.
u64 runConsole(u32 number, const struct Workload *workload);
u64 runBlock(u32 number, const struct Workload *workload);
u64 runTimer(u32 number, const struct Workload *workload);
u64 runLoad(u32 number, const struct Workload *workload);
u64 runCalibrate(u32 number, const struct Workload *workload);
