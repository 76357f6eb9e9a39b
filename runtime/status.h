/* Status values and error messages: every fallible function of the library returns an mmc_status.
 *
 * A failing function records one line of text that names the thing, the place and the remedy; the caller relays the
 * value with MMC_TRY, and only main prints the message and exits.
 *
 *     if (width < 4)
 *         return mmc_fail(MMC_ERR_RANGE, "--width %d: the narrowest network is 4 channels; give 4 or more", width);
 *     MMC_TRY(mmc_checkpoint_read(&checkpoint, path));
 */
#ifndef MMC_RUNTIME_STATUS_H
#define MMC_RUNTIME_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, exit code of the program, short text) */
#define MMC_STATUS_MAP(X)                                                                                              \
    X(MMC_OK, 0, "good")                                                                                               \
    X(MMC_ERR_WRONG, 1, "wrong result, failed claim or failed job")                                                    \
    X(MMC_ERR_USAGE, 2, "usage")                                                                                       \
    X(MMC_ERR_RANGE, 2, "value out of range")                                                                          \
    X(MMC_ERR_SHAPE, 2, "shapes do not fit together")                                                                  \
    X(MMC_ERR_MISMATCH, 2, "a sound file that does not fit")                                                           \
    X(MMC_ERR_FORMAT, 3, "corrupt file")                                                                               \
    X(MMC_ERR_MISSING, 3, "file, device or library missing")                                                           \
    X(MMC_ERR_IO, 3, "input or output failed")                                                                         \
    X(MMC_ERR_MEMORY, 3, "out of memory")                                                                              \
    X(MMC_ERR_DEVICE, 3, "device or library failed")                                                                   \
    X(MMC_ERR_BUSY, 3, "held by another process")                                                                      \
    X(MMC_ERR_UNSUPPORTED, 3, "not supported by this backend")                                                         \
    X(MMC_ERR_SLOW, 4, "slower than allowed")                                                                          \
    X(MMC_ERR_SKIPPED, 77, "all that was asked for was skipped")                                                       \
    X(MMC_ERR_INTERRUPTED, 130, "interrupted")

typedef enum mmc_status {
#define X(name, code, text) name,
    MMC_STATUS_MAP(X)
#undef X
        MMC_STATUS_COUNT
} mmc_status;

/* Relays a failure to the caller. */
#define MMC_TRY(expression)                                                                                            \
    do {                                                                                                               \
        mmc_status mmc_try_status_ = (expression);                                                                     \
        if (mmc_try_status_ != MMC_OK)                                                                                 \
            return mmc_try_status_;                                                                                    \
    } while (0)

/* Relays a failure to the label of a function that holds several resources; needs a local `status`. */
#define MMC_GOTO(label, expression)                                                                                    \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != MMC_OK)                                                                                          \
            goto label;                                                                                                \
    } while (0)

/* Records the message of this thread and returns `code`, so that a function can `return mmc_fail(...)`.
 * The message holds no line break; a longer one than 1,023 bytes is cut. */
mmc_status mmc_fail(mmc_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "format: " before the recorded message (which file, which job), and returns `code`. */
mmc_status mmc_fail_context(mmc_status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The message last recorded by this thread; "" when there is none. Owned by the library. */
const char *mmc_error_message(void);

/* Exit code of the program for a status (INTERFACE, "Exit codes"). */
int mmc_status_exit_code(mmc_status status);

/* Short text of a status, never NULL. */
const char *mmc_status_text(mmc_status status);

/* Name of a status as in this header, never NULL. */
const char *mmc_status_name(mmc_status status);

#ifdef __cplusplus
}
#endif
#endif
