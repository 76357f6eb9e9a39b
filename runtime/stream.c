#define _POSIX_C_SOURCE 200809L
#include "runtime/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER_BYTES = 1 << 16, GZIP_WINDOW = 15 + 16 };
static const uint64_t xz_memory_max = (uint64_t)256 << 20; /* xz -9 needs 65 MiB */

struct mmc_stream {
    mmc_stream_kind kind;
    char *name;
    int fd;                       /* -1: memory */
    const unsigned char *in;      /* compressed or plain bytes not yet used */
    size_t in_size;               /* ... how many */
    bool in_ended;                /* nothing follows `in` */
    bool sized;                   /* plain, with a size known beforehand */
    bool member_done, data_ended; /* gz: between two members; both: the data are complete */
    uint64_t size;
    z_stream gz;
    lzma_stream xz;
    unsigned char buffer[BUFFER_BYTES];
};

static mmc_status read_failed(const mmc_stream *s, int error) {
    return mmc_fail(MMC_ERR_IO, "%s: reading failed (%s); check the disk and the permissions", s->name,
                    strerror(error));
}

static mmc_status corrupt(const mmc_stream *s, const char *reason) {
    return mmc_fail(MMC_ERR_FORMAT, "%s: %s; get the file again", s->name, reason);
}

/* One read of the file into `out`; 0 bytes at its end. */
static mmc_status read_file(mmc_stream *s, void *out, size_t size, size_t *got) {
    ssize_t n;
    do
        n = read(s->fd, out, size < SSIZE_MAX ? size : SSIZE_MAX);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return read_failed(s, errno);
    *got = (size_t)n;
    return MMC_OK;
}

/* Makes sure that `in` holds bytes or that the input has ended. */
static mmc_status refill(mmc_stream *s) {
    if (s->in_size || s->in_ended)
        return MMC_OK;
    MMC_TRY(read_file(s, s->buffer, sizeof s->buffer, &s->in_size));
    s->in = s->buffer;
    s->in_ended = s->in_size == 0;
    return MMC_OK;
}

/* ---- plain ---- */

static mmc_status read_plain(mmc_stream *s, unsigned char *out, size_t size, size_t *got) {
    while (*got < size) {
        if (s->fd < 0) {
            size_t n = s->in_size < size - *got ? s->in_size : size - *got;
            if (n)
                memcpy(out + *got, s->in, n);
            s->in += n;
            s->in_size -= n;
            *got += n;
            return MMC_OK;
        }
        size_t n = 0;
        MMC_TRY(read_file(s, out + *got, size - *got, &n));
        if (n == 0)
            return MMC_OK;
        *got += n;
    }
    return MMC_OK;
}

/* ---- gzip: one member or several, nothing else ---- */

static mmc_status next_member(mmc_stream *s) {
    MMC_TRY(refill(s));
    if (s->in_size == 0) {
        s->data_ended = true;
        return MMC_OK;
    }
    if (s->in[0] != 0x1f)
        return corrupt(s, "garbage after the gzip data");
    s->member_done = false;
    return inflateReset(&s->gz) == Z_OK ? MMC_OK : corrupt(s, "gzip data cannot be read");
}

static mmc_status read_gz(mmc_stream *s, unsigned char *out, size_t size, size_t *got) {
    while (*got < size && !s->data_ended) {
        if (s->member_done) {
            MMC_TRY(next_member(s));
            continue;
        }
        MMC_TRY(refill(s));
        if (s->in_size == 0)
            return corrupt(s, "the gzip data are truncated");
        size_t room = size - *got < UINT_MAX ? size - *got : UINT_MAX;
        uInt given = s->in_size < UINT_MAX ? (uInt)s->in_size : UINT_MAX;
        s->gz.next_in = (z_const Bytef *)s->in;
        s->gz.avail_in = given;
        s->gz.next_out = out + *got;
        s->gz.avail_out = (uInt)room;
        int result = inflate(&s->gz, Z_NO_FLUSH);
        s->in += given - s->gz.avail_in;
        s->in_size -= given - s->gz.avail_in;
        *got += room - s->gz.avail_out;
        if (result == Z_STREAM_END)
            s->member_done = true;
        else if (result == Z_MEM_ERROR)
            return mmc_fail(MMC_ERR_MEMORY, "%s: no memory to decompress it", s->name);
        else if (result != Z_OK)
            return corrupt(s, "the gzip data are corrupt");
    }
    return MMC_OK;
}

/* ---- xz ---- */

static mmc_status xz_failed(const mmc_stream *s, lzma_ret result) {
    switch (result) {
    case LZMA_FORMAT_ERROR:
        return corrupt(s, "not xz data, or garbage after it");
    case LZMA_BUF_ERROR:
        return corrupt(s, "the xz data are truncated");
    case LZMA_MEM_ERROR:
    case LZMA_MEMLIMIT_ERROR:
        return mmc_fail(MMC_ERR_MEMORY, "%s: decompressing needs too much memory; decompress it with xz -dk", s->name);
    default:
        return corrupt(s, "the xz data are corrupt");
    }
}

static mmc_status read_xz(mmc_stream *s, unsigned char *out, size_t size, size_t *got) {
    while (*got < size && !s->data_ended) {
        MMC_TRY(refill(s));
        s->xz.next_in = s->in;
        s->xz.avail_in = s->in_size;
        s->xz.next_out = out + *got;
        s->xz.avail_out = size - *got;
        lzma_ret result = lzma_code(&s->xz, s->in_size ? LZMA_RUN : LZMA_FINISH);
        s->in += s->in_size - s->xz.avail_in;
        s->in_size = s->xz.avail_in;
        *got = size - s->xz.avail_out;
        if (result == LZMA_STREAM_END)
            s->data_ended = true;
        else if (result != LZMA_OK)
            return xz_failed(s, result);
    }
    return MMC_OK;
}

/* ---- the interface ---- */

static mmc_status start(mmc_stream *s) {
    if (s->kind == MMC_STREAM_GZ && inflateInit2(&s->gz, GZIP_WINDOW) != Z_OK)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory to decompress it", s->name);
    if (s->kind == MMC_STREAM_XZ &&
        lzma_stream_decoder(&s->xz, xz_memory_max, LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory to decompress it", s->name);
    return MMC_OK;
}

/* NULL (with the message recorded) where memory is out. */
static mmc_stream *create(mmc_stream_kind kind, const char *name) {
    mmc_stream *s = calloc(1, sizeof *s);
    char *copy = strdup(name);
    if (!s || !copy) {
        free(s);
        free(copy);
        mmc_fail(MMC_ERR_MEMORY, "%s: no memory to read it", name);
        return NULL;
    }
    s->kind = kind;
    s->name = copy;
    s->fd = -1;
    s->xz = (lzma_stream)LZMA_STREAM_INIT;
    return s;
}

static mmc_status open_file(mmc_stream *s) {
    struct stat info;
    s->fd = open(s->name, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return mmc_fail(MMC_ERR_MISSING, "%s: no such file; check the path", s->name);
    if (s->fd < 0 || fstat(s->fd, &info) != 0)
        return read_failed(s, errno);
    if (S_ISDIR(info.st_mode))
        return mmc_fail(MMC_ERR_IO, "%s: is a folder, a file is needed", s->name);
    s->sized = s->kind == MMC_STREAM_PLAIN && S_ISREG(info.st_mode);
    s->size = (uint64_t)info.st_size;
    return MMC_OK;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* Hands the stream out, or closes it after a failure. */
static mmc_status finish_open(mmc_stream **out, mmc_stream *s, mmc_status status) {
    if (status == MMC_OK)
        status = start(s);
    if (status != MMC_OK) {
        mmc_stream_close(s);
        s = NULL;
    }
    *out = s;
    return status;
}

mmc_status mmc_stream_open(mmc_stream **out, const char *path) {
    mmc_stream_kind kind = ends_with(path, ".gz")   ? MMC_STREAM_GZ
                           : ends_with(path, ".xz") ? MMC_STREAM_XZ
                                                    : MMC_STREAM_PLAIN;
    mmc_stream *s = *out = create(kind, path);
    if (!s)
        return MMC_ERR_MEMORY;
    return finish_open(out, s, open_file(s));
}

mmc_status mmc_stream_open_memory(mmc_stream **out, const void *bytes, size_t size, mmc_stream_kind kind,
                                  const char *name) {
    mmc_stream *s = *out = create(kind, name);
    if (!s)
        return MMC_ERR_MEMORY;
    s->in = bytes;
    s->in_size = size;
    s->in_ended = true;
    s->sized = kind == MMC_STREAM_PLAIN;
    s->size = size;
    return finish_open(out, s, MMC_OK);
}

mmc_status mmc_stream_read(mmc_stream *s, void *out, size_t size, size_t *got) {
    *got = 0;
    switch (s->kind) {
    case MMC_STREAM_GZ:
        return read_gz(s, out, size, got);
    case MMC_STREAM_XZ:
        return read_xz(s, out, size, got);
    default:
        return read_plain(s, out, size, got);
    }
}

mmc_status mmc_stream_end(mmc_stream *s) {
    char one;
    size_t got;
    MMC_TRY(mmc_stream_read(s, &one, 1, &got));
    return got ? corrupt(s, "more data than it should hold") : MMC_OK;
}

bool mmc_stream_size(const mmc_stream *s, uint64_t *size) {
    *size = s->size;
    return s->sized;
}

const char *mmc_stream_name(const mmc_stream *s) {
    return s->name;
}

void mmc_stream_close(mmc_stream *s) {
    if (!s)
        return;
    if (s->kind == MMC_STREAM_GZ)
        inflateEnd(&s->gz);
    if (s->kind == MMC_STREAM_XZ)
        lzma_end(&s->xz);
    if (s->fd >= 0)
        close(s->fd);
    free(s->name);
    free(s);
}
