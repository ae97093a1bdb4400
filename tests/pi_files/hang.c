// A driver that never returns: opening $HANG_PATH hangs, whatever the flags; loaded by LD_PRELOAD.
//
// A real one hangs in the kernel (state D), where not even SIGKILL ends it; this one only never returns.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int do_open(const char *name, const char *path, int flags, mode_t mode) {
    const char *hangs = getenv("HANG_PATH");
    while (hangs && path && strcmp(path, hangs) == 0) pause();
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    return real(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return do_open("open", path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return do_open("open64", path, flags, mode);
}
