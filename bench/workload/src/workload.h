// What the workloads share: system calls of Linux on riscv64, and how each is written.
#ifndef WORKLOAD_H
#define WORKLOAD_H

// include/uapi/asm-generic/unistd.h
enum {
  SYS_IOCTL = 29,
  SYS_OPENAT = 56,
  SYS_CLOSE = 57,
  SYS_PIPE2 = 59,
  SYS_READ = 63,
  SYS_WRITE = 64,
  SYS_PREAD64 = 67,
  SYS_EXIT_GROUP = 94,
  SYS_NANOSLEEP = 101,
  SYS_SCHED_SETAFFINITY = 122,
  SYS_SYSINFO = 179,
  SYS_SOCKET = 198,
  SYS_CONNECT = 203,
  SYS_SENDTO = 206,
  SYS_CLONE = 220,
  SYS_MMAP = 222,
  SYS_MPROTECT = 226,
};

enum { AT_FDCWD = -100, O_RDONLY = 0, O_DIRECT = 0x4000, PAGE = 4096 };

long system_call(long number, long a, long b, long c, long d, long e, long f);
long start_thread(long flags, void *stack, void (*function)(void));

/** The result of a system call; a negative one ends the program with `what` and the error's number. */
long must(const char *what, long result);
/** Ends the program: it says why on standard error. */
void fail(const char *why, long number);

/** Argument `index` behind the program's own, which must be there. */
const char *argument(int index);
unsigned long number(int index);
/** The auxiliary vector's entry of this type (getauxval(3)), or 0. */
unsigned long auxiliary(unsigned long type);
/** `bytes` of memory, on a page's boundary. */
void *memory(unsigned long bytes);
/** This thread runs on hart `hart` from here on. */
void stay_on(int hart);
void sleep_ms(long milliseconds);

typedef void steps(unsigned long count);

/** A workload prepares itself, and gives the function that does so many operations. */
steps *prepare_wake(void);
steps *prepare_fence(void);
steps *prepare_rtc(void);
steps *prepare_time(void);
steps *prepare_seed(void);
steps *prepare_balloon(void);
steps *prepare_read(void);
steps *prepare_open(void);
steps *prepare_udp(void);
steps *prepare_vsock_send(void);
steps *prepare_vsock_echo(void);

#endif
