/* What this build is: version, commit, compiler. Every record, checkpoint and report names it, so that no number loses
 * its origin and no debug build is timed unawares.
 *
 *     const mmc_version *v = mmc_version_get();
 *     printf("mmcbench %s (%s%s, %s)\n", v->version, v->commit, v->dirty ? ", dirty" : "", v->build_type);
 */
#ifndef MMC_RUNTIME_VERSION_H
#define MMC_RUNTIME_VERSION_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_version {
    const char *version;    /* "0.1.0" */
    const char *commit;     /* 40 hex digits of the git commit, "unknown" outside a git checkout */
    const char *compiler;   /* "GNU 12.2.0" */
    const char *flags;      /* as given to the C compiler: "-O3 -DNDEBUG" */
    const char *build_type; /* "Release", "RelWithDebInfo", "Debug" */
    const char *sanitize;   /* "address,undefined"; "" in an ordinary build */
    bool dirty;             /* tracked files differed from the commit when this was built */
    bool optimised;         /* false: timings of this build mean nothing (Debug, or a sanitizer) */
} mmc_version;

/* The build of this library. Errors: none. Owns: the library. */
const mmc_version *mmc_version_get(void);

#ifdef __cplusplus
}
#endif
#endif
