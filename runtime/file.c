#define _XOPEN_SOURCE 700
#include "runtime/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPORARY_NAMES = 1000, FIRST_BYTES = 1 << 16 };

/* ---- reading ---- */

static mmc_status read_failed(const char *path, int error) {
    switch (error) {
    case ENOENT:
    case ENOTDIR:
        return mmc_fail(MMC_ERR_MISSING, "%s: no such file; check the path", path);
    case EISDIR:
        return mmc_fail(MMC_ERR_IO, "%s: is a folder; give a file", path);
    case EACCES:
        return mmc_fail(MMC_ERR_IO, "%s: not readable (%s); check its permissions", path, strerror(error));
    default:
        return mmc_fail(MMC_ERR_IO, "%s: reading failed (%s)", path, strerror(error));
    }
}

static mmc_status too_large(const char *path, size_t limit) {
    return mmc_fail(MMC_ERR_FORMAT, "%s: larger than %zu bytes, so it is not the kind of file expected here", path,
                    limit);
}

static mmc_status read_descriptor(int fd, void **out, size_t *size, const char *path, size_t limit) {
    struct stat info;
    if (fstat(fd, &info) != 0)
        return read_failed(path, errno);
    if (S_ISDIR(info.st_mode))
        return read_failed(path, EISDIR);
    if (limit > SIZE_MAX / 2)
        limit = SIZE_MAX / 2;
    size_t capacity = FIRST_BYTES;
    if (S_ISREG(info.st_mode)) {
        if ((uintmax_t)info.st_size > limit)
            return too_large(path, limit);
        capacity = (size_t)info.st_size + 2; /* the read that finds the end, and the closing zero */
    }
    unsigned char *bytes = malloc(capacity);
    if (!bytes)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its %zu bytes", path, capacity);
    size_t used = 0;
    for (;;) {
        if (capacity - used < 2) {
            unsigned char *larger = realloc(bytes, capacity * 2);
            if (!larger) {
                free(bytes);
                return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its %zu bytes", path, capacity * 2);
            }
            bytes = larger;
            capacity *= 2;
        }
        ssize_t got = read(fd, bytes + used, capacity - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int error = errno;
            free(bytes);
            return read_failed(path, error);
        }
        if (got == 0)
            break;
        used += (size_t)got;
        if (used > limit) {
            free(bytes);
            return too_large(path, limit);
        }
    }
    bytes[used] = 0;
    *out = bytes;
    *size = used;
    return MMC_OK;
}

mmc_status mmc_file_read(void **out, size_t *size, const char *path, size_t limit) {
    *out = NULL;
    *size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return read_failed(path, errno);
    mmc_status status = read_descriptor(fd, out, size, path, limit);
    close(fd);
    return status;
}

/* ---- folders ---- */

static mmc_status write_failed(const char *path, const char *doing, int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return mmc_fail(MMC_ERR_IO, "%s: disk full while %s; free some space or write to another disk", path, doing);
    case EFBIG:
        return mmc_fail(MMC_ERR_IO, "%s: larger than this disk or process allows; raise the limit (ulimit -f)", path);
    case EACCES:
    case EPERM:
    case EROFS:
        return mmc_fail(MMC_ERR_IO, "%s: not writable while %s (%s); check permissions or give another place", path,
                        doing, strerror(error));
    default:
        return mmc_fail(MMC_ERR_IO, "%s: %s failed (%s); give another place", path, doing, strerror(error));
    }
}

/* The folder that holds `path`; NULL: out of memory. Owns: the caller. */
static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup(".");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static mmc_status make_one(const char *path) {
    struct stat info;
    if (mkdir(path, 0777) == 0)
        return MMC_OK;
    int error = errno;
    if (stat(path, &info) == 0) /* some file systems answer EROFS or EACCES for a folder that exists */
        return S_ISDIR(info.st_mode) ? MMC_OK : mmc_fail(MMC_ERR_IO, "%s: is not a folder; give another place", path);
    return write_failed(path, "making the folder", error);
}

mmc_status mmc_folder_create(const char *path) {
    char *part = strdup(path);
    if (!part)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for the name of a folder", path);
    mmc_status status = MMC_OK;
    for (char *p = part + 1; *part && *p && status == MMC_OK; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        status = make_one(part);
        *p = '/';
    }
    if (status == MMC_OK && *part)
        status = make_one(part);
    free(part);
    return status;
}

/* ---- writing ---- */

static mmc_status write_parts(int fd, const mmc_file_part *parts, size_t count, const char *path) {
    for (size_t i = 0; i < count; i++) {
        const char *bytes = parts[i].bytes;
        for (size_t done = 0; done < parts[i].size;) {
            ssize_t put = write(fd, bytes + done, parts[i].size - done);
            if (put < 0 && errno == EINTR)
                continue;
            if (put < 0)
                return write_failed(path, "writing", errno);
            done += (size_t)put;
        }
    }
    if (fsync(fd) != 0)
        return write_failed(path, "syncing", errno);
    return MMC_OK;
}

/* Opens a new file beside `target`; its name goes into `name`. A name that a killed process left is passed over. */
static mmc_status open_temporary(int *fd, char *name, size_t name_size, const char *target) {
    for (int i = 0; i < TEMPORARY_NAMES; i++) {
        snprintf(name, name_size, "%s.tmp-%ld-%d", target, (long)getpid(), i);
        *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0)
            return MMC_OK;
        if (errno != EEXIST)
            break;
    }
    return write_failed(target, "opening a temporary file beside it", errno);
}

static mmc_status sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? MMC_OK
                               : write_failed(folder, "syncing", errno); /* writable but not readable is fine */
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    if (error && error != EINVAL && error != ENOTSUP) /* file systems without folder sync */
        return write_failed(folder, "syncing", error);
    return MMC_OK;
}

static mmc_status write_target(const char *target, const char *folder, const mmc_file_part *parts, size_t count) {
    size_t name_size = strlen(target) + 48;
    char *name = malloc(name_size);
    if (!name)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for a temporary name", target);
    int fd = -1;
    mmc_status status = open_temporary(&fd, name, name_size, target);
    if (status != MMC_OK)
        goto cleanup;
    status = write_parts(fd, parts, count, target);
    if (close(fd) != 0 && status == MMC_OK)
        status = write_failed(target, "closing", errno);
    if (status == MMC_OK && rename(name, target) != 0)
        status = write_failed(target, "renaming", errno);
    if (status != MMC_OK)
        unlink(name);
    else
        status = sync_folder(folder);
cleanup:
    free(name);
    return status;
}

mmc_status mmc_file_write_parts(const char *path, const mmc_file_part *parts, size_t count) {
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (!*path)
        return mmc_fail(MMC_ERR_IO, "the name of the file to write is empty; give one");
    if (path[strlen(path) - 1] == '/' || (exists && S_ISDIR(info.st_mode)))
        return mmc_fail(MMC_ERR_IO, "%s: is a folder; give the name of a file", path);
    if (exists && !S_ISREG(info.st_mode))
        return mmc_fail(MMC_ERR_IO, "%s: is not a regular file; give another name", path);
    char *target = exists ? realpath(path, NULL) : strdup(path);
    char *folder = target ? folder_of(target) : NULL;
    mmc_status status =
        folder ? mmc_folder_create(folder) : mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its name", path);
    if (folder && status == MMC_OK)
        status = write_target(target, folder, parts, count);
    free(folder);
    free(target);
    return status;
}

mmc_status mmc_file_write(const char *path, const void *bytes, size_t size) {
    return mmc_file_write_parts(path, &(mmc_file_part){bytes, size}, 1);
}
