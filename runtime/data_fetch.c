#define _POSIX_C_SOURCE 200809L
#include "runtime/data_fetch.h"

#include "runtime/checksum.h"
#include "runtime/data_files.h"
#include "runtime/file.h"

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATH_BYTES = 1024, COMMAND_NOT_FOUND = 127, SUMS_BYTES = 4096 };

#define CIFAR_URL "https://www.cs.toronto.edu/~kriz/"
#define FASHION_URL "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"

const mmc_data_source mmc_data_sources[MMC_DATA_SOURCES] = {
    {MMC_FETCH_CIFAR10, CIFAR_URL "cifar-10-binary.tar.gz", "cifar-10-batches-bin", "c32a1d4ab5d03f1284b67883e8d87530",
     true},
    {MMC_FETCH_CIFAR100, CIFAR_URL "cifar-100-binary.tar.gz", "cifar-100-binary", "03b5dce01913d631647c71ecec9e9cb8",
     true},
    {MMC_FETCH_FASHION, FASHION_URL "train-images-idx3-ubyte.gz", "fashion-mnist/train-images-idx3-ubyte.gz",
     "8d4fb7e6c68d591d4c3dfef9ec88bf0d", false},
    {MMC_FETCH_FASHION, FASHION_URL "train-labels-idx1-ubyte.gz", "fashion-mnist/train-labels-idx1-ubyte.gz",
     "25c81989df183df01b3e8a0aad5dffbe", false},
    {MMC_FETCH_FASHION, FASHION_URL "t10k-images-idx3-ubyte.gz", "fashion-mnist/t10k-images-idx3-ubyte.gz",
     "bef4ecab320f06d8554ea6380940ec79", false},
    {MMC_FETCH_FASHION, FASHION_URL "t10k-labels-idx1-ubyte.gz", "fashion-mnist/t10k-labels-idx1-ubyte.gz",
     "bb300cfdad3c16e7a12a480ee83cd310", false},
};

/* What one fetch needs to know, and where its pieces lie. */
typedef struct job {
    const mmc_data_source *source;
    void (*report)(void *user, const char *line);
    void *user;
    char target[PATH_BYTES], work[PATH_BYTES], file[PATH_BYTES], unpacked[PATH_BYTES];
} job;

static void say(const job *j, const char *what, const char *thing) {
    char line[2 * PATH_BYTES];
    if (!j->report)
        return;
    snprintf(line, sizeof line, "%s %s", what, thing);
    j->report(j->user, line);
}

/* Runs a program found in PATH, its output going to stderr's place (stdout belongs to results). *code: its exit code;
 * COMMAND_NOT_FOUND where there is no such program. */
static mmc_status run_program(int *code, const char *const *arguments) {
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int wait_status;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory to start it", arguments[0]);
    int error = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    *code = COMMAND_NOT_FOUND;
    if (error == ENOENT || error == EACCES)
        return MMC_OK;
    if (error != 0)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be started (%s)", arguments[0], strerror(error));
    while (waitpid(pid, &wait_status, 0) < 0)
        if (errno != EINTR)
            return mmc_fail(MMC_ERR_IO, "%s: lost (%s)", arguments[0], strerror(errno));
    *code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    return MMC_OK;
}

static mmc_status download(const job *j) {
    const char *url = j->source->url;
    const char *const curl[] = {
        "curl",  "--fail", "--location", "--silent", "--show-error", "--connect-timeout", "20", "--output",
        j->file, "--",     url,          NULL};
    const char *const wget[] = {"wget", "--quiet", "--tries=2", "--timeout=20", "-O", j->file, "--", url, NULL};
    const char *program = "curl";
    int code = COMMAND_NOT_FOUND;
    say(j, "downloading", url);
    MMC_TRY(run_program(&code, curl));
    if (code == COMMAND_NOT_FOUND) {
        program = "wget";
        MMC_TRY(run_program(&code, wget));
    }
    if (code == COMMAND_NOT_FOUND)
        return mmc_fail(MMC_ERR_MISSING, "neither curl nor wget is there; install one, or put %s below the data folder",
                        j->source->name);
    if (code != 0)
        return mmc_fail(MMC_ERR_IO,
                        "%s failed to get %s (its exit code is %d); check the network, or copy %s from another machine",
                        program, url, code, j->source->name);
    return MMC_OK;
}

static mmc_status verify(const job *j) {
    char md5[MMC_CHECKSUM_BYTES];
    say(j, "verifying", j->source->name);
    MMC_TRY(mmc_file_checksum(md5, j->file, MMC_CHECKSUM_MD5));
    if (strcmp(md5, j->source->md5) != 0)
        return mmc_fail(MMC_ERR_FORMAT, "%s: its md5 is %s, the official file's is %s; nothing was kept, try again",
                        j->source->url, md5, j->source->md5);
    return MMC_OK;
}

/* The md5 of every .bin file of the unpacked archive, which was verified as a whole, goes beside them. */
static mmc_status write_sums(const job *j) {
    char sums[SUMS_BYTES], path[2 * PATH_BYTES], md5[MMC_CHECKSUM_BYTES];
    size_t used = 0;
    struct dirent *entry;
    DIR *folder = opendir(j->unpacked);
    if (!folder)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be read (%s)", j->unpacked, strerror(errno));
    mmc_status status = MMC_OK;
    while (status == MMC_OK && (entry = readdir(folder))) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || length > 100 || strcmp(entry->d_name + length - 4, ".bin") != 0)
            continue;
        if (used + length + 40 > sizeof sums)
            break;
        snprintf(path, sizeof path, "%s/%s", j->unpacked, entry->d_name);
        status = mmc_file_checksum(md5, path, MMC_CHECKSUM_MD5);
        if (status == MMC_OK)
            used += (size_t)snprintf(sums + used, sizeof sums - used, "%s  %s\n", md5, entry->d_name);
    }
    closedir(folder);
    MMC_TRY(status);
    snprintf(path, sizeof path, "%s/%s", j->unpacked, MMC_DATA_SUMS);
    return mmc_file_write(path, sums, used);
}

/* Leaves in j->unpacked what shall be renamed to the target. */
static mmc_status unpack(job *j) {
    const char *const tar[] = {"tar", "--no-same-owner", "-xzf", j->file, "-C", j->work, NULL};
    int code = COMMAND_NOT_FOUND;
    if (!j->source->archive) {
        snprintf(j->unpacked, sizeof j->unpacked, "%s", j->file);
        return MMC_OK;
    }
    say(j, "unpacking", j->source->name);
    MMC_TRY(run_program(&code, tar));
    if (code == COMMAND_NOT_FOUND)
        return mmc_fail(MMC_ERR_MISSING, "tar is not there; install it, or unpack %s by hand", j->source->url);
    struct stat info;
    if (snprintf(j->unpacked, sizeof j->unpacked, "%s/%s", j->work, j->source->name) >= (int)sizeof j->unpacked)
        return mmc_fail(MMC_ERR_IO, "%s: the path is too long; use a shorter data folder", j->target);
    if (code != 0 || stat(j->unpacked, &info) != 0 || !S_ISDIR(info.st_mode))
        return mmc_fail(MMC_ERR_IO, "tar failed to unpack %s (exit code %d); is the disk full?", j->source->url, code);
    return write_sums(j);
}

static void remove_work(const job *j) {
    const char *const rm[] = {"rm", "-rf", "--", j->work, NULL};
    int code = COMMAND_NOT_FOUND;
    if (run_program(&code, rm) != MMC_OK || code != 0)
        say(j, "could not remove", j->work);
}

static mmc_status make_paths(job *j, const char *folder) {
    const char *name = strrchr(j->source->url, '/') + 1;
    int longest = snprintf(j->target, sizeof j->target, "%s/%s", folder, j->source->name);
    snprintf(j->work, sizeof j->work, "%s/.fetch-XXXXXX", folder);
    if (longest + 80 >= PATH_BYTES || strlen(folder) + strlen(name) + 32 >= PATH_BYTES)
        return mmc_fail(MMC_ERR_IO, "%s: the path is too long; use a shorter data folder", folder);
    char parent[PATH_BYTES];
    snprintf(parent, sizeof parent, "%s", j->target);
    *strrchr(parent, '/') = '\0';
    return mmc_folder_create(parent);
}

mmc_status mmc_data_fetch_one(const char *folder, const mmc_data_source *source,
                              void (*report)(void *user, const char *line), void *user) {
    job j = {.source = source, .report = report, .user = user};
    MMC_TRY(make_paths(&j, folder));
    if (access(j.target, F_OK) == 0) {
        say(&j, "already there:", j.target);
        return MMC_OK;
    }
    if (!mkdtemp(j.work))
        return mmc_fail(MMC_ERR_IO, "%s: not writable (%s); give another data folder", folder, strerror(errno));
    mmc_status status;
    snprintf(j.file, sizeof j.file, "%.900s/%.100s", j.work, strrchr(source->url, '/') + 1);
    MMC_GOTO(cleanup, download(&j));
    MMC_GOTO(cleanup, verify(&j));
    MMC_GOTO(cleanup, unpack(&j));
    if (rename(j.unpacked, j.target) != 0)
        status = mmc_fail(MMC_ERR_IO, "%s: cannot be put in place (%s)", j.target, strerror(errno));
    else
        say(&j, "ready:", j.target);
cleanup:
    remove_work(&j);
    return status;
}

mmc_status mmc_data_fetch(const char *folder, unsigned sets, void (*report)(void *user, const char *line), void *user) {
    for (int i = 0; i < MMC_DATA_SOURCES; i++)
        if (sets & mmc_data_sources[i].set)
            MMC_TRY(mmc_data_fetch_one(folder, &mmc_data_sources[i], report, user));
    return MMC_OK;
}
