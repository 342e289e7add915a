// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * /dev/paravane: calls to the Paravane hypervisor for programs, which cannot make them: an ecall from U-mode is a system
 * call. Only calls in the SBI's range for firmware pass (EIDs 0x0a000000 to 0x0affffff): those of the hypervisor itself and those
 * that its host defined. Everything else of the SBI is the kernel's own affair. A multicall does not pass either: its list
 * would hold physical addresses, and any call at all.
 *
 * The device is root's alone until somebody says otherwise. What may be called beyond that is the hypervisor's to say:
 * it has a table of grants for each guest.
 */
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "paravane_ioctl.h"

#define SBI_BASE 0x10
#define SBI_BASE_GET_IMPL_ID 1
#define PARAVANE_IMPL_ID 0x5056
#define PARAVANE_EID (FIRMWARE_FIRST | PARAVANE_IMPL_ID)
#define PARAVANE_FID_MULTICALL 1
#define FIRMWARE_FIRST 0x0a000000u
#define FIRMWARE_LAST 0x0affffffu
#define REGISTERS 6

struct answer {
	long error;
	unsigned long value;
};

static struct answer ecall(u32 eid, u32 fid, const u64 *args)
{
	register unsigned long a0 asm("a0") = args[0];
	register unsigned long a1 asm("a1") = args[1];
	register unsigned long a2 asm("a2") = args[2];
	register unsigned long a3 asm("a3") = args[3];
	register unsigned long a4 asm("a4") = args[4];
	register unsigned long a5 asm("a5") = args[5];
	register unsigned long a6 asm("a6") = fid;
	register unsigned long a7 asm("a7") = eid;

	asm volatile("ecall"
		     : "+r"(a0), "+r"(a1)
		     : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
		     : "memory");
	return (struct answer){ .error = (long)a0, .value = a1 };
}

/* A buffer of the program, as the hypervisor gets it: pages that lie side by side, zeroed. */
struct buffer {
	void *pages;
	u32 bytes;
};

static int make_buffer(struct buffer *buffer, u64 *args, u32 arg, u32 bytes)
{
	buffer->pages = NULL;
	buffer->bytes = 0;
	if (arg == PARAVANE_NO_BUFFER)
		return 0;
	if (arg > REGISTERS - 2 || bytes > PARAVANE_BUFFER_MAX)
		return -EINVAL;
	arg = array_index_nospec(arg, REGISTERS - 1);
	args[arg] = 0;
	args[arg + 1] = bytes;
	if (bytes == 0)
		return 0;
	buffer->pages = alloc_pages_exact(bytes, GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (!buffer->pages)
		return -ENOMEM;
	buffer->bytes = bytes;
	args[arg] = virt_to_phys(buffer->pages);
	return 0;
}

static void free_buffer(struct buffer *buffer)
{
	if (buffer->pages)
		free_pages_exact(buffer->pages, buffer->bytes);
}

static bool overlap(u32 a, u32 b)
{
	return a != PARAVANE_NO_BUFFER && b != PARAVANE_NO_BUFFER && a < b + 2 && b < a + 2;
}

static long make_call(struct paravane_request *request)
{
	struct buffer in = {}, out = {};
	struct answer answer;
	long status;

	if (request->eid < FIRMWARE_FIRST || request->eid > FIRMWARE_LAST)
		return -EPERM;
	if (request->eid == PARAVANE_EID && request->fid == PARAVANE_FID_MULTICALL)
		return -EPERM;
	if (overlap(request->in_arg, request->out_arg))
		return -EINVAL;
	status = make_buffer(&in, request->args, request->in_arg, request->in_bytes);
	if (!status)
		status = make_buffer(&out, request->args, request->out_arg, request->out_bytes);
	if (!status && in.pages && copy_from_user(in.pages, u64_to_user_ptr(request->in), in.bytes))
		status = -EFAULT;
	if (!status) {
		answer = ecall(request->eid, request->fid, request->args);
		request->error = answer.error;
		request->value = answer.value;
		if (!answer.error && out.pages && copy_to_user(u64_to_user_ptr(request->out), out.pages, out.bytes))
			status = -EFAULT;
	}
	free_buffer(&in);
	free_buffer(&out);
	return status;
}

static long paravane_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct paravane_request __user *from = (void __user *)argument;
	struct paravane_request request;
	u64 args[REGISTERS];
	long status;

	if (command != PARAVANE_CALL)
		return -ENOTTY;
	if (copy_from_user(&request, from, sizeof(request)))
		return -EFAULT;
	memcpy(args, request.args, sizeof(args));
	status = make_call(&request);
	if (status)
		return status;
	/* Physical addresses of the copies are no business of the program's. */
	memcpy(request.args, args, sizeof(args));
	return copy_to_user(from, &request, sizeof(request)) ? -EFAULT : 0;
}

static const struct file_operations paravane_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = paravane_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice paravane_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "paravane",
	.mode = 0600,
	.fops = &paravane_operations,
};

static int __init paravane_init(void)
{
	static const u64 none[REGISTERS];
	struct answer implementation = ecall(SBI_BASE, SBI_BASE_GET_IMPL_ID, none);

	/* With firmware of its own below it a kernel's ecalls do not reach the hypervisor. */
	if (implementation.error || implementation.value != PARAVANE_IMPL_ID) {
		pr_err("paravane: the SBI is implementation %#lx, not Paravane's\n", implementation.value);
		return -ENODEV;
	}
	return misc_register(&paravane_device);
}

static void __exit paravane_exit(void)
{
	misc_deregister(&paravane_device);
}

module_init(paravane_init);
module_exit(paravane_exit);

MODULE_DESCRIPTION("Calls to the Paravane hypervisor for programs");
MODULE_LICENSE("Dual MIT/GPL");
