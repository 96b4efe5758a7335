/*
 * Runs a batch of user-mode cases on this CPU. The batch is a file (layout: batch-layout.ts) that is mapped, run in place and left with the
 * outcomes. One signal ends each case, be it a fault or the HLT behind the code, and starts the next from its own signal frame, so every
 * register comes from and goes to the frame. The handler calls nothing that needs thread-local storage: FS and GS belong to the case.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define CODE_PAGES_AT 0x10000000ul
#define DATA_AT 0x20000000ul
#define HEADER_BYTES 4096
#define CODE_BYTES 0x100000
#define PAGE 4096
#define WRITABLE_BYTES (2 * PAGE)
#define PRISTINE_BYTES (3 * PAGE)
#define WINDOW_OFFSET (PAGE - 128)
#define WINDOW_BYTES 256

struct header {
	uint32_t cases, writable_code;
	uint64_t fs_base, gs_base;
	struct { uint32_t base, limit, flags; } ldt[4];
};
struct one {
	uint64_t gpr[16], rip, flags;
	uint32_t vector, error;
	uint64_t address;
	uint32_t hash, skip;
	uint16_t segments[6]; /* ES CS SS DS FS GS */
	uint8_t padding[76];
	uint8_t window[WINDOW_BYTES];
};
_Static_assert(sizeof(struct one) == 512, "batch-layout.ts");

static struct header *header;
static struct one *cases;
static const uint8_t *pristine;
static int current = -1;

static void finish(void)
{
#ifdef __x86_64__
	__asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0));
#else
	__asm__ volatile("int $0x80" : : "a"(SYS_exit_group), "b"(0));
#endif
}

#ifdef __x86_64__
static void set_bases(void)
{
	long result;
	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(header->fs_base) : "rcx", "r11", "memory");
	__asm__ volatile("syscall" : "=a"(result) : "a"(SYS_arch_prctl), "D"(ARCH_SET_GS), "S"(header->gs_base) : "rcx", "r11", "memory");
}
static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
#else
static const uint8_t order[8] = { REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI };
#endif

static void save(struct one *c, ucontext_t *u)
{
	greg_t *g = u->uc_mcontext.gregs;
	for (unsigned i = 0; i < sizeof order; i++) c->gpr[i] = (unsigned long)g[order[i]];
	c->vector = g[REG_TRAPNO];
	c->error = g[REG_ERR];
#ifdef __x86_64__
	c->rip = g[REG_RIP];
	c->flags = g[REG_EFL];
	c->address = g[REG_CR2];
	c->segments[1] = g[REG_CSGSFS];
	uint16_t es, ds, fs, gs;
	__asm__ volatile("mov %%es, %0; mov %%ds, %1; mov %%fs, %2; mov %%gs, %3" : "=r"(es), "=r"(ds), "=r"(fs), "=r"(gs));
	c->segments[0] = es; c->segments[2] = g[REG_CSGSFS] >> 48; c->segments[3] = ds; c->segments[4] = fs; c->segments[5] = gs;
	if (es | ds | fs | gs) __asm__ volatile("mov %0, %%es; mov %0, %%ds; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
	/* a null selector clears the base too */
	set_bases();
#else
	c->rip = (uint32_t)g[REG_EIP];
	c->flags = (uint32_t)g[REG_EFL];
	c->address = u->uc_mcontext.cr2;
	c->segments[0] = g[REG_ES]; c->segments[1] = g[REG_CS]; c->segments[2] = g[REG_SS];
	c->segments[3] = g[REG_DS]; c->segments[4] = g[REG_FS]; c->segments[5] = g[REG_GS];
#endif
	for (unsigned i = 0; i < 6; i++) if (c->segments[i] < 4) c->segments[i] = 0;
	uint8_t *data = (uint8_t *)DATA_AT;
	memcpy(c->window, data + WINDOW_OFFSET, WINDOW_BYTES);
	memcpy(data + WINDOW_OFFSET, pristine + WINDOW_OFFSET, WINDOW_BYTES);
	c->hash = 0;
	if (memcmp(data, pristine, WRITABLE_BYTES) != 0) {
		uint32_t hash = 1;
		const uint32_t *words = (const uint32_t *)data;
		for (int i = 0; i < WRITABLE_BYTES / 4; i++) hash = (hash ^ words[i]) * 16777619u;
		c->hash = hash;
		memcpy(data, pristine, WRITABLE_BYTES);
	}
}

static void load(const struct one *c, ucontext_t *u)
{
	greg_t *g = u->uc_mcontext.gregs;
	for (unsigned i = 0; i < sizeof order; i++) g[order[i]] = c->gpr[i];
#ifdef __x86_64__
	g[REG_RIP] = c->rip;
	g[REG_EFL] = c->flags;
	g[REG_CSGSFS] = 0x33 | (uint64_t)0x2b << 48;
#else
	g[REG_EIP] = c->rip;
	g[REG_EFL] = c->flags;
	g[REG_ES] = c->segments[0]; g[REG_CS] = c->segments[1]; g[REG_SS] = c->segments[2];
	g[REG_DS] = c->segments[3]; g[REG_FS] = c->segments[4]; g[REG_GS] = c->segments[5];
#endif
	memcpy((uint8_t *)DATA_AT + WINDOW_OFFSET, c->window, WINDOW_BYTES);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig; (void)info;
	/* a case with alignment checks leaves them on */
#ifdef __x86_64__
	__asm__ volatile("sub $128, %%rsp; pushf; andl $~0x40000, (%%rsp); popf; add $128, %%rsp" : : : "cc", "memory");
#else
	__asm__ volatile("pushf; andl $~0x40000, (%%esp); popf" : : : "cc", "memory");
#endif
	if (current >= 0) save(&cases[current], context);
	do {
		if (++current >= (int)header->cases) finish();
	} while (cases[current].skip);
	load(&cases[current], context);
}

static int fail(const char *what) { perror(what); return 2; }

int main(int argc, char **argv)
{
	if (argc != 2) { fputs("usage: runner batch-file\n", stderr); return 2; }
	int file = open(argv[1], O_RDWR);
	if (file < 0) return fail("open");
	off_t size = lseek(file, 0, SEEK_END);
	uint8_t *all = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (all == MAP_FAILED) return fail("map batch");
	header = (struct header *)all;
	cases = (struct one *)(all + HEADER_BYTES + CODE_BYTES + PRISTINE_BYTES);
	pristine = all + HEADER_BYTES + CODE_BYTES;
	if (mmap((void *)CODE_PAGES_AT, CODE_BYTES, PROT_READ | PROT_EXEC | (header->writable_code ? PROT_WRITE : 0), MAP_PRIVATE | MAP_FIXED_NOREPLACE, file, HEADER_BYTES) == MAP_FAILED) return fail("map code");
	if (mmap((void *)DATA_AT, PRISTINE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED) return fail("map data");
	memcpy((void *)DATA_AT, pristine, PRISTINE_BYTES);
	if (mprotect((void *)(DATA_AT + WRITABLE_BYTES), PAGE, PROT_READ) != 0) return fail("protect");
	for (unsigned i = 0; i < 4; i++) {
		if (header->ldt[i].flags == 0) continue;
		struct user_desc d = { .entry_number = i, .base_addr = header->ldt[i].base, .limit = header->ldt[i].limit };
		uint32_t f = header->ldt[i].flags;
		d.seg_32bit = f & 1; d.contents = f >> 1 & 3; d.read_exec_only = f >> 3 & 1; d.limit_in_pages = f >> 4 & 1; d.useable = 1;
		if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0) return fail("modify_ldt");
	}
	static uint8_t alternate[65536] __attribute__((aligned(64)));
	stack_t stack = { .ss_sp = alternate, .ss_size = sizeof alternate };
	sigaltstack(&stack, 0);
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	const int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS };
	sigfillset(&action.sa_mask);
	sigdelset(&action.sa_mask, SIGALRM);
	for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
	alarm(20);
#ifdef __x86_64__
	__asm__ volatile("mov %0, %%es; mov %0, %%ds" : : "r"(0));
	set_bases();
#endif
	__asm__ volatile("int3");
	return 1;
}
