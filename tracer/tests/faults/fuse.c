/* Executes a program from a FUSE file system that is mounted for this process only. A child serves the
 * file system; once it is stopped, the file system never responds.
 *
 *     fuse PROGRAM DIRECTORY
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define NAME "program"
#define FILE_NODE 2

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static char *content;
static size_t length;

static void load(const char *path)
{
	struct stat status;
	int file = open(path, O_RDONLY);
	check(file, path);
	check(fstat(file, &status), "fstat");
	length = status.st_size;
	content = malloc(length);
	check(read(file, content, length) == (ssize_t)length ? 0 : -1, "read");
	close(file);
}

static struct fuse_attr attributes(uint64_t node)
{
	struct fuse_attr attr = { .ino = node, .nlink = 1, .blksize = 4096 };
	attr.mode = node == FILE_NODE ? S_IFREG | 0755 : S_IFDIR | 0755;
	attr.size = node == FILE_NODE ? length : 0;
	return attr;
}

static void reply(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header header = { .len = sizeof header + size, .error = -error, .unique = unique };
	struct iovec parts[] = { { &header, sizeof header }, { (void *)data, size } };
	/* It fails if the request was interrupted. */
	if (writev(fuse, parts, size ? 2 : 1) < 0 && errno != ENOENT)
		check(-1, "write");
}

static void answer(int fuse, const struct fuse_in_header *in)
{
	const void *argument = in + 1;
	switch (in->opcode) {
	case FUSE_INIT: {
		const struct fuse_init_in *asked = argument;
		struct fuse_init_out out = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION };
		out.max_readahead = asked->max_readahead;
		out.max_write = 4096;
		return reply(fuse, in->unique, 0, &out, sizeof out);
	}
	case FUSE_LOOKUP: {
		struct fuse_entry_out out = { .nodeid = FILE_NODE, .entry_valid = 1 << 30, .attr_valid = 1 << 30 };
		out.attr = attributes(FILE_NODE);
		if (strcmp(argument, NAME) != 0)
			return reply(fuse, in->unique, ENOENT, NULL, 0);
		return reply(fuse, in->unique, 0, &out, sizeof out);
	}
	case FUSE_GETATTR: {
		struct fuse_attr_out out = { .attr_valid = 1 << 30, .attr = attributes(in->nodeid) };
		return reply(fuse, in->unique, 0, &out, sizeof out);
	}
	case FUSE_OPEN: {
		struct fuse_open_out out = { .open_flags = FOPEN_KEEP_CACHE };
		return reply(fuse, in->unique, 0, &out, sizeof out);
	}
	case FUSE_READ: {
		const struct fuse_read_in *asked = argument;
		size_t start = asked->offset < length ? asked->offset : length;
		size_t size = length - start < asked->size ? length - start : asked->size;
		return reply(fuse, in->unique, 0, content + start, size);
	}
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
		return reply(fuse, in->unique, 0, NULL, 0);
	default:
		return reply(fuse, in->unique, ENOSYS, NULL, 0);
	}
}

static void serve(int fuse)
{
	static char request[1 << 20] __attribute__((aligned(8)));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fuse, request, sizeof request) > 0)
		answer(fuse, (const struct fuse_in_header *)request);
	exit(0);
}

int main(int count, char **arguments)
{
	char options[100], path[5000];
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (count != 3)
		return 1;
	load(arguments[1]);
	check(fuse, "/dev/fuse");
	check(unshare(CLONE_NEWNS), "unshare");
	check(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount /");
	sprintf(options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fuse);
	check(mount("hang", arguments[2], "fuse.hang", 0, options), "mount");
	pid_t server = fork();
	check(server, "fork");
	if (server == 0)
		serve(fuse);
	snprintf(path, sizeof path, "%s/%s", arguments[2], NAME);
	/* From here on, its pages are in memory. */
	load(path);
	execl(path, NAME, (char *)NULL);
	check(-1, path);
}
