/*
 * Runs test cases (layout: case-layout.ts) from standard input on this CPU and writes them back as they ended. One instruction each, at
 * 0x10000040, with 256 bytes of data at 0x20000800. Exceptions come back as vector and error code from the signal context.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <asm/prctl.h>
#include <sys/syscall.h>

#define CODE 0x10000040ul
#define DATA_PAGE 0x20000000ul
#define DATA 0x20000800ul
#define FRAME 0x30000000ul
#define CASE_BYTES 1280

struct frame {
	uint8_t c[CASE_BYTES];
	uint64_t host_rsp, code, saved_fs;
	uint16_t host_control; uint16_t pad; uint32_t host_mxcsr;
} __attribute__((aligned(64)));
static struct frame *const frame = (struct frame *)FRAME;

extern void run_case(void);
extern char case_done[], case_faulted[];

/* frame offsets: 32 flags, 64 gpr, 192 xsave, 1280 host_rsp, 1288 code */
__asm__(
	".text\n.globl run_case, case_done, case_faulted\nrun_case:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, 0x30000000+1280\n"
	"mov $7, %eax; xor %edx, %edx\n"
	"xrstor64 0x30000000+192\n"
	"pushq 0x30000000+32; popfq\n"
	"mov 0x30000000+64+8*1, %rcx; mov 0x30000000+64+8*2, %rdx; mov 0x30000000+64+8*3, %rbx; mov 0x30000000+64+8*4, %rsp; mov 0x30000000+64+8*5, %rbp\n"
	"mov 0x30000000+64+8*6, %rsi; mov 0x30000000+64+8*7, %rdi; mov 0x30000000+64+8*8, %r8; mov 0x30000000+64+8*9, %r9; mov 0x30000000+64+8*10, %r10\n"
	"mov 0x30000000+64+8*11, %r11; mov 0x30000000+64+8*12, %r12; mov 0x30000000+64+8*13, %r13; mov 0x30000000+64+8*14, %r14; mov 0x30000000+64+8*15, %r15\n"
	"mov 0x30000000+64+8*0, %rax\n"
	"jmp *0x30000000+1288\n"
	"case_done:\n"
	"mov %rax, 0x30000000+64+8*0; mov %rcx, 0x30000000+64+8*1; mov %rdx, 0x30000000+64+8*2; mov %rbx, 0x30000000+64+8*3; mov %rsp, 0x30000000+64+8*4\n"
	"mov %rbp, 0x30000000+64+8*5; mov %rsi, 0x30000000+64+8*6; mov %rdi, 0x30000000+64+8*7; mov %r8, 0x30000000+64+8*8; mov %r9, 0x30000000+64+8*9\n"
	"mov %r10, 0x30000000+64+8*10; mov %r11, 0x30000000+64+8*11; mov %r12, 0x30000000+64+8*12; mov %r13, 0x30000000+64+8*13; mov %r14, 0x30000000+64+8*14\n"
	"mov %r15, 0x30000000+64+8*15\n"
	"mov 0x30000000+1280, %rsp\n"
	"pushfq; popq 0x30000000+32\n"
	"cld\n"
	"mov $7, %eax; xor %edx, %edx\n"
	"xsave64 0x30000000+192\n"
	"fninit; ldmxcsr 0x30000000+1308; vzeroupper\n"
	"pushq $2; popfq\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"ret\n");

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	(void)info;
	if (u->uc_mcontext.gregs[REG_RIP] < (long)CODE - 64 || u->uc_mcontext.gregs[REG_RIP] > (long)CODE + 4096) { signal(sig, SIG_DFL); return; }
	uint32_t vector = u->uc_mcontext.gregs[REG_TRAPNO], error = u->uc_mcontext.gregs[REG_ERR];
	uint64_t moved = u->uc_mcontext.gregs[REG_RIP] - CODE;
	memcpy(frame->c + 40, &vector, 4);
	memcpy(frame->c + 44, &error, 4);
	memcpy(frame->c + 48, &moved, 8);
	u->uc_mcontext.gregs[REG_EFL] &= ~0x100;
	u->uc_mcontext.gregs[REG_RIP] = (long)case_done;
}

static int read_all(uint8_t *to, size_t n)
{
	for (size_t got = 0; got < n;) {
		ssize_t r = read(0, to + got, n - got);
		if (r <= 0) return got == 0 ? 0 : -1;
		got += r;
	}
	return 1;
}

int main(void)
{
	int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
	if (mmap((void *)(CODE & ~4095ul), 8192, PROT_READ | PROT_WRITE | PROT_EXEC, fixed, -1, 0) == MAP_FAILED
	 || mmap((void *)DATA_PAGE, 4096, PROT_READ | PROT_WRITE, fixed, -1, 0) == MAP_FAILED
	 || mmap((void *)FRAME, 8192, PROT_READ | PROT_WRITE, fixed, -1, 0) == MAP_FAILED) { perror("mmap"); return 2; }
	static uint8_t alternate[65536];
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	sigaltstack(&stack, 0);
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS };
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
	frame->host_mxcsr = 0x1f80;
	frame->code = CODE;
	static uint8_t buffer[CASE_BYTES];
	int more;
	while ((more = read_all(buffer, CASE_BYTES)) > 0) {
		memcpy(frame->c, buffer, CASE_BYTES);
		uint32_t length, none = 0xffffffff;
		memcpy(&length, frame->c, 4);
		uint64_t moved = length, done = (uint64_t)case_done;
		memcpy(frame->c + 40, &none, 4);
		memset(frame->c + 44, 0, 4);
		memcpy(frame->c + 48, &moved, 8);
		/* the instruction, then jmp *[rip+0] to case_done */
		uint8_t *code = (uint8_t *)CODE;
		memset(code - 64, 0xcc, 4096);
		memcpy(code, frame->c + 8, length);
		memcpy(code + length, "\xff\x25\0\0\0\0", 6);
		memcpy(code + length + 6, &done, 8);
		memset((void *)DATA_PAGE, 0, 4096);
		memcpy((void *)DATA, frame->c + 1024, 256);
		/* no branch predictor or decoder trouble with fresh code: serialise */
		uint32_t a = 0, b, c = 0, d;
		__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
		run_case();
		memcpy(frame->c + 1024, (void *)DATA, 256);
		for (size_t put = 0; put < CASE_BYTES;) {
			ssize_t r = write(1, frame->c + put, CASE_BYTES - put);
			if (r <= 0) return 1;
			put += r;
		}
	}
	return more < 0;
}
