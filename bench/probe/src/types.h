// Fixed-width names, device registers and CSRs.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE_SIZE 4096

static inline u8 read8(u64 address) { return *(volatile u8 *)address; }
static inline u16 read16(u64 address) { return *(volatile u16 *)address; }
static inline u32 read32(u64 address) { return *(volatile u32 *)address; }
static inline void write8(u64 address, u8 value) { *(volatile u8 *)address = value; }
static inline void write16(u64 address, u16 value) { *(volatile u16 *)address = value; }
static inline void write32(u64 address, u32 value) { *(volatile u32 *)address = value; }
static inline void write64(u64 address, u64 value) { *(volatile u64 *)address = value; }

/// A 64-bit device register as two 32-bit stores, low half first.
static inline void write64Halves(u64 address, u64 value) {
  write32(address, (u32)value);
  write32(address + 4, (u32)(value >> 32));
}

/// Orders memory and device accesses: before a doorbell, and after a device said that it is done.
static inline void ioFence(void) { __asm__ volatile("fence iorw, iorw" ::: "memory"); }

#define csrRead(name)                                                \
  ({                                                                 \
    u64 csrValue_;                                                   \
    __asm__ volatile("csrr %0, " name : "=r"(csrValue_)::"memory"); \
    csrValue_;                                                       \
  })
#define csrWrite(name, value) __asm__ volatile("csrw " name ", %0" ::"r"((u64)(value)) : "memory")
#define csrSet(name, bits) __asm__ volatile("csrs " name ", %0" ::"r"((u64)(bits)) : "memory")
#define csrClear(name, bits) __asm__ volatile("csrc " name ", %0" ::"r"((u64)(bits)) : "memory")

// By number: assemblers learnt these two names late.
#define CSR_STIMECMP "0x14d"
#define CSR_MENVCFG "0x30a"

static inline u64 readTime(void) { return csrRead("time"); }
