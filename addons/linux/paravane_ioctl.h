/* SPDX-License-Identifier: MIT OR (GPL-2.0 WITH Linux-syscall-note) */
/* /dev/paravane: one ioctl, which makes a call to the Paravane hypervisor. */
#ifndef PARAVANE_IOCTL_H
#define PARAVANE_IOCTL_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Most bytes of a buffer, as the hypervisor bounds it. */
#define PARAVANE_BUFFER_MAX (1u << 20)
/* Of in_arg and out_arg: there is no such buffer. */
#define PARAVANE_NO_BUFFER 0xffffffffu

/*
 * A call. Arguments go to a0 to a5. Programs have no physical addresses, so a buffer is given by its address in the
 * program: the driver copies it, and puts the copy's physical address into args[in_arg] and its length into
 * args[in_arg + 1]; out_arg likewise, and what the hypervisor wrote there comes back if the call succeeds.
 */
struct paravane_request {
	__u32 eid;
	__u32 fid;
	__u64 args[6];
	__s64 error; /* a0 afterwards: 0, or an SBI error code */
	__u64 value; /* a1 afterwards */
	__u64 in;
	__u64 out;
	__u32 in_bytes;
	__u32 out_bytes;
	__u32 in_arg;
	__u32 out_arg;
};

#define PARAVANE_CALL _IOWR('V', 0x50, struct paravane_request)

#endif
