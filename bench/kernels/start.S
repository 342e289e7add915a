# Entry at the start of RAM, in M-mode, on one hart. The checksum lies at a fixed place,
# the second doubleword, where whoever loaded the program finds it.
  .section .start, "ax"
  .globl _start
  .globl checksum
_start:
  .option push
  .option norvc
  j 1f
  .option pop
  .balign 8
checksum:
  .dword 0
1:
  la sp, stackTop
  li t0, 0x2000               # mstatus.FS = initial: floating point is allowed
  csrs mstatus, t0
  csrw fcsr, zero
  la t0, bssStart
  la t1, bssEnd
2:
  bgeu t0, t1, 3f
  sd zero, 0(t0)
  addi t0, t0, 8
  j 2b
3:
  call main
4:
  wfi
  j 4b
