// One-shot timer, three ways to arm it.
#pragma once
#include "types.h"

enum TimerDevice { TIMER_CLINT, TIMER_SBI, TIMER_SSTC };

/// Returns why this machine cannot use the device, or null.
const char *timerStart(enum TimerDevice device);
/// Arms the timer for `deadline`, waits, and returns the time seen by its interrupt.
u64 timerWait(enum TimerDevice device, u64 deadline);
void timerInterrupt(void);
