/* Waits for input, several calls deep, so that a test can inspect its stack. How it waits is the
 * first argument; without one, as programs do. */

#include <string.h>
#include <sys/mman.h>
#include <stdio.h>
#include <unistd.h>

#define NOT_INLINED __attribute__((noinline, noclone))
#define INLINED static inline __attribute__((always_inline))

/* So that no call becomes a jump. */
static volatile int result;

/* The caller of the C library's function is not in a stack that is found by frame pointers. */
NOT_INLINED static void ask(void)
{
	char byte;
	result = read(0, &byte, 1);
}

INLINED void fetch(void)
{
	ask(); /* the call site */
	result += 1;
}

NOT_INLINED static void crawl(void)
{
	fetch();
	result += 1;
}

#ifdef __x86_64__
/* Waits with a frame pointer that points to these words. */
NOT_INLINED static void ask_with(void **frame)
{
	char byte;
	long count = 1;
	/* What is below the stack pointer may be in use. */
	__asm__ volatile("sub $128, %%rsp\n\t"
			 "push %%rbp\n\t"
			 "mov %%rbx, %%rbp\n\t"
			 "call read@plt\n\t"
			 "pop %%rbp\n\t"
			 "add $128, %%rsp"
			 : "+d"(count)
			 : "D"(0L), "S"(&byte), "b"(frame)
			 : "rax", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	result += 1;
}

/* Calls a function that keeps no frame pointer, and prints the address that it returns to. */
void *return_address_without_frame(void);
__asm__("without_frame:\n\t"
	"mov (%rsp), %rax\n\t"
	"ret\n\t"
	".fill 96, 1, 0x90\n"
	"return_address_without_frame:\n\t"
	"push %rbx\n\t"
	"call without_frame\n\t"
	"pop %rbx\n\t"
	"ret");

/* Calls a function through code made at run time, as a runtime with a perf map does. */
NOT_INLINED static void through_generated_code(const char *line)
{
	/* push rbp; mov rbp, rsp; call rdi; pop rbp; ret */
	static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3 };
	char path[64];
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(page, code, sizeof code);
	if (line) {
		snprintf(path, sizeof path, "/tmp/perf-%d.map", getpid());
		FILE *map = fopen(path, "w");
		fprintf(map, "%lx %zx %s\n", (unsigned long)page, sizeof code, line);
		fclose(map);
	}
	((void (*)(void (*)(void)))page)(ask);
	result += 1;
}
#endif

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
#ifdef __x86_64__
	void *frame[2] = { NULL, NULL };
	if (!strcmp(how, "function")) {
		frame[1] = (void *)crawl;
		ask_with(frame);
	} else if (!strcmp(how, "stale")) {
		frame[1] = return_address_without_frame();
		ask_with(frame);
	} else if (!strcmp(how, "generated")) {
		through_generated_code(argc > 2 ? argv[2] : NULL);
	} else
#endif
		crawl();
	return result;
}
