/* Runs a fuzz target on files of a corpus, with any compiler: fuzz_gz_replay FOLDER-OR-FILE... */
#define _POSIX_C_SOURCE 200809L
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { INPUT_MAX = 1 << 24, PATH_BYTES = 4096 };

static int replay_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint8_t *buffer = malloc(INPUT_MAX);
    int failed = !file || !buffer;
    if (failed) {
        fprintf(stderr, "%s: cannot be read\n", path);
    } else {
        size_t size = fread(buffer, 1, INPUT_MAX, file);
        uint8_t *exact = malloc(size + !size); /* the exact size, so that a sanitizer sees every overrun */
        failed = !exact;
        if (exact) {
            memcpy(exact, buffer, size);
            LLVMFuzzerTestOneInput(exact, size);
        }
        free(exact);
    }
    free(buffer);
    if (file)
        fclose(file);
    return failed ? -1 : 1;
}

/* Number of inputs run; -1 on an error. */
static int replay(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return replay_file(path);
    DIR *folder = opendir(path);
    struct dirent *entry;
    int total = 0;
    while (folder && total >= 0 && (entry = readdir(folder))) {
        char name[PATH_BYTES];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        int n = replay(name);
        total = n < 0 ? n : total + n;
    }
    if (folder)
        closedir(folder);
    return folder ? total : -1;
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i]);
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
