# Entry and trap vectors.
#
# Entered with a0 = hart id and a1 = device tree, either in S-mode by an SBI implementation (SBI specification, "Hart
# state management") or in M-mode by the reset vector, at whatever address the image was placed: nothing here is absolute.
#
# Which mode it is cannot be read from a register. stvec may be written in both, mstatus may be read in M-mode alone: so
# stvec is pointed at the S-mode continuation and mstatus is read. Falling through means M-mode.
# Left out: harts other than the boot hart. In M-mode every hart arrives here, and all but hart 0 are parked.

  .section .text.entry, "ax"
  .globl probeEntry
probeEntry:
  csrw sie, zero
  csrci sstatus, 2            # sstatus.SIE
  lla t0, enteredInSMode
  csrw stvec, t0
  csrr t0, mstatus            # an illegal instruction in S-mode: continues at enteredInSMode
  csrci mstatus, 8            # mstatus.MIE
  csrw mie, zero
  csrw medeleg, zero
  csrw mideleg, zero
  csrr a0, mhartid
  bnez a0, park
  li a2, 1
  lla t0, trapInMMode
  csrw mtvec, t0
  j start

  .balign 4
enteredInSMode:
  li a2, 0
  lla t0, trapInSMode
  csrw stvec, t0

start:
  .option push
  .option norelax
  lla gp, __global_pointer$
  .option pop
  lla t0, bssStart
  lla t1, bssEnd
1:sd zero, 0(t0)
  addi t0, t0, 8
  bltu t0, t1, 1b
  lla sp, stackTop
  call probeMain

  .globl park
  .balign 4
park:
  wfi
  j park

# Saves what a C function may change, calls trap(cause, epc, tval), continues at the address it returns.
  .macro TRAP_VECTOR name, cause, epc, tval, return
  .balign 4
\name:
  addi sp, sp, -128
  sd ra, 0(sp)
  sd t0, 8(sp)
  sd t1, 16(sp)
  sd t2, 24(sp)
  sd t3, 32(sp)
  sd t4, 40(sp)
  sd t5, 48(sp)
  sd t6, 56(sp)
  sd a0, 64(sp)
  sd a1, 72(sp)
  sd a2, 80(sp)
  sd a3, 88(sp)
  sd a4, 96(sp)
  sd a5, 104(sp)
  sd a6, 112(sp)
  sd a7, 120(sp)
  csrr a0, \cause
  csrr a1, \epc
  csrr a2, \tval
  call trap
  csrw \epc, a0
  ld ra, 0(sp)
  ld t0, 8(sp)
  ld t1, 16(sp)
  ld t2, 24(sp)
  ld t3, 32(sp)
  ld t4, 40(sp)
  ld t5, 48(sp)
  ld t6, 56(sp)
  ld a0, 64(sp)
  ld a1, 72(sp)
  ld a2, 80(sp)
  ld a3, 88(sp)
  ld a4, 96(sp)
  ld a5, 104(sp)
  ld a6, 112(sp)
  ld a7, 120(sp)
  addi sp, sp, 128
  \return
  .endm

  TRAP_VECTOR trapInMMode, mcause, mepc, mtval, mret
  TRAP_VECTOR trapInSMode, scause, sepc, stval, sret

  .section .bss.stack, "aw", @nobits
  .balign 16
  .skip 16384
stackTop:
