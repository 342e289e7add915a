// A checksum that is cheap on a 64-bit machine and easy anywhere else: FNV-1a over 32-bit little-endian words.
// A tail of one to three bytes counts as one word with zeros above.
#pragma once
#include "types.h"

enum { CHECKSUM_START = 0x811c9dc5, CHECKSUM_PRIME = 0x01000193 };

static inline u32 checksumWord(u32 sum, u32 word) { return (sum ^ word) * CHECKSUM_PRIME; }
