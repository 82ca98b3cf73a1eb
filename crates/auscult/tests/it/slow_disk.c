/* A disk that is slow for the history alone: what waits for it there waits so many seconds longer.
 * Preloaded into the process by history_disk.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void wait_for(int file) {
    char link[64], path[4096];
    const char *seconds = getenv("SLOW_DISK_SECONDS");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (seconds == NULL || length < 0)
        return;
    path[length] = '\0';
    if (strstr(path, "/history.redb") != NULL)
        sleep((unsigned)atoi(seconds));
}

int fdatasync(int file) {
    int (*really)(int) = dlsym(RTLD_NEXT, "fdatasync");
    wait_for(file);
    return really(file);
}

int fsync(int file) {
    int (*really)(int) = dlsym(RTLD_NEXT, "fsync");
    wait_for(file);
    return really(file);
}
