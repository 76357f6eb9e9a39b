#define _GNU_SOURCE
#include "suites/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { TEXT_MAX = 384, PATH_MAX_BYTES = 4096 };

struct mmc_lease {
    char path[PATH_MAX_BYTES];
    char text[TEXT_MAX]; /* "HOST PID TOKEN\n" */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;
};

static bool claim_read(char text[TEXT_MAX], const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, TEXT_MAX - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return n >= 0;
}

static bool claim_is(const char *path, const char *text) {
    char found[TEXT_MAX];
    return claim_read(found, path) && strcmp(found, text) == 0;
}

/* The process that wrote the claim ran on this host and is no more: no need to wait for silence. */
static bool holder_gone(const char *text, const char *host) {
    char claim_host[256];
    long pid;
    if (sscanf(text, "%255s %ld", claim_host, &pid) != 2 || strcmp(claim_host, host) != 0 || pid <= 0)
        return false;
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Host and process name space: process numbers can be compared only within both. */
static void host_name(char *out, size_t size) {
    char host[192] = "unknown", space[64] = "";
    if (gethostname(host, sizeof host - 1) != 0 || !*host)
        snprintf(host, sizeof host, "unknown");
    ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
    space[n > 0 ? n : 0] = '\0';
    snprintf(out, size, "%s/%s", host, space);
}

static double seconds_between(struct timespec later, struct timespec earlier) {
    return (double)(later.tv_sec - earlier.tv_sec) + 1e-9 * (double)(later.tv_nsec - earlier.tv_nsec);
}

/* Removes a claim that is nobody's. Called under the lock; `now` is the file system's own time. */
static bool claim_break(const char *path, const char *host, struct timespec now) {
    struct stat st;
    char text[TEXT_MAX];
    if (stat(path, &st) != 0)
        return errno == ENOENT;
    if (!claim_read(text, path))
        return false;
    if (seconds_between(now, st.st_mtim) < MMC_LEASE_SILENT_S && !holder_gone(text, host))
        return false;
    return unlink(path) == 0 || errno == ENOENT;
}

static mmc_status claim_create(bool *created, const char *path, const char *text) {
    *created = false;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return errno == EEXIST ? MMC_OK : mmc_fail(MMC_ERR_IO, "%s: cannot be created: %s", path, strerror(errno));
    size_t size = strlen(text);
    bool good = write(fd, text, size) == (ssize_t)size;
    good = close(fd) == 0 && good;
    if (!good) {
        unlink(path);
        return mmc_fail(MMC_ERR_IO, "%s: cannot be written: %s; free some space on this disk", path, strerror(errno));
    }
    *created = true;
    return MMC_OK;
}

/* The lock is held for a few system calls only. It serialises takeovers; the claim itself is the lease. */
static mmc_status claim_take(bool *taken, const char *path, const char *text, const char *host, const char *lock) {
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be opened: %s", lock, strerror(errno));
    mmc_status status = MMC_OK;
    struct stat st;
    *taken = false;
    while (flock(fd, LOCK_EX) != 0)
        if (errno != EINTR) {
            status = mmc_fail(MMC_ERR_IO, "%s: this file system cannot lock files (%s); put --out on one that can",
                              lock, strerror(errno));
            goto cleanup;
        }
    if (futimens(fd, NULL) != 0 || fstat(fd, &st) != 0) {
        status = mmc_fail(MMC_ERR_IO, "%s: cannot be touched: %s", lock, strerror(errno));
        goto cleanup;
    }
    if (claim_break(path, host, st.st_mtim))
        status = claim_create(taken, path, text);
cleanup:
    close(fd); /* unlocks */
    return status;
}

static void *heart(void *argument) {
    mmc_lease *lease = argument;
    pthread_mutex_lock(&lease->mutex);
    while (!lease->stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (time_t)MMC_LEASE_BEAT_S;
        while (!lease->stop && pthread_cond_timedwait(&lease->wake, &lease->mutex, &until) == 0)
            continue;
        if (!lease->stop && claim_is(lease->path, lease->text))
            utimensat(AT_FDCWD, lease->path, NULL, 0);
    }
    pthread_mutex_unlock(&lease->mutex);
    return NULL;
}

static mmc_status heart_start(mmc_lease *lease) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&lease->mutex, NULL);
    pthread_cond_init(&lease->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    /* Signals are for the thread that runs the jobs. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&lease->thread, NULL, heart, lease);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? MMC_OK : mmc_fail(MMC_ERR_MEMORY, "cannot start the heartbeat thread: %s", strerror(error));
}

mmc_status mmc_lease_take(mmc_lease **out, const char *folder, const char *lock) {
    static atomic_uint serial; /* two leases of one process within one clock tick are still told apart */
    *out = NULL;
    char host[256];
    host_name(host, sizeof host);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    mmc_lease *lease = calloc(1, sizeof *lease);
    if (!lease)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while claiming %s", folder);
    snprintf(lease->path, sizeof lease->path, "%s/claim", folder);
    snprintf(lease->text, sizeof lease->text, "%s %ld %lld.%09ld.%u\n", host, (long)getpid(), (long long)now.tv_sec,
             now.tv_nsec, atomic_fetch_add(&serial, 1));
    bool taken = false;
    mmc_status status = claim_take(&taken, lease->path, lease->text, host, lock);
    if (status == MMC_OK && taken) {
        status = heart_start(lease);
        if (status == MMC_OK) {
            *out = lease;
            return MMC_OK;
        }
        unlink(lease->path);
    }
    free(lease);
    return status;
}

bool mmc_lease_held(const mmc_lease *lease) {
    return claim_is(lease->path, lease->text);
}

void mmc_lease_release(mmc_lease *lease) {
    if (!lease)
        return;
    pthread_mutex_lock(&lease->mutex);
    lease->stop = true;
    pthread_cond_signal(&lease->wake);
    pthread_mutex_unlock(&lease->mutex);
    pthread_join(lease->thread, NULL);
    pthread_cond_destroy(&lease->wake);
    pthread_mutex_destroy(&lease->mutex);
    if (mmc_lease_held(lease))
        unlink(lease->path);
    free(lease);
}
