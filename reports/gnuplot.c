#define _GNU_SOURCE
#include "reports/drawing.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char script_name[] = "script.gp", complaint_name[] = "script.err";

static mmc_status complaint(const char *folder) {
    mmc_text path = {0}, words = {0};
    mmc_text_printf(&path, "%s/%s", folder, complaint_name);
    mmc_status status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_read(&words, path.data, 1 << 20);
    if (status == MMC_OK) {
        const char *text = mmc_text_string(&words);
        while (*text == '\n' || *text == ' ')
            text++;
        status = mmc_fail(MMC_ERR_DEVICE, "gnuplot failed: %.600s", *text ? text : "it gave no reason");
    }
    mmc_text_close(&path);
    mmc_text_close(&words);
    return status;
}

static mmc_status spawn(const char *folder, int *state) {
    char *const arguments[] = {(char *)"gnuplot", (char *)"--default-settings", (char *)script_name, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int error = posix_spawn_file_actions_init(&actions);
    if (error)
        return mmc_fail(MMC_ERR_MEMORY, "gnuplot cannot be started: %s", strerror(error));
    error = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, complaint_name, O_WRONLY | O_CREAT | O_TRUNC,
                                                 0666);
    if (!error)
        error = posix_spawnp(&child, "gnuplot", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return mmc_fail(MMC_ERR_MISSING, "gnuplot is not installed, and figures are drawn with it; install it with: "
                                         "apt-get install gnuplot-nox");
    if (error)
        return mmc_fail(MMC_ERR_IO, "gnuplot cannot be started: %s", strerror(error));
    while (waitpid(child, state, 0) < 0)
        if (errno != EINTR)
            return mmc_fail(MMC_ERR_IO, "gnuplot cannot be waited for: %s", strerror(errno));
    return MMC_OK;
}

mmc_status mmc_gnuplot_run(const char *folder, const mmc_text *script) {
    mmc_text path = {0};
    int state = 0;
    mmc_text_printf(&path, "%s/%s", folder, script_name);
    mmc_status status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_write(script, path.data);
    if (status == MMC_OK)
        status = spawn(folder, &state);
    if (status == MMC_OK && !(WIFEXITED(state) && WEXITSTATUS(state) == 0))
        status = WIFEXITED(state) && WEXITSTATUS(state) == 127
                     ? mmc_fail(MMC_ERR_MISSING, "gnuplot is not installed, and figures are drawn with it; install it "
                                                 "with: apt-get install gnuplot-nox")
                     : complaint(folder);
    if (path.data)
        unlink(path.data);
    mmc_text_clear(&path);
    mmc_text_printf(&path, "%s/%s", folder, complaint_name);
    if (path.data)
        unlink(path.data);
    mmc_text_close(&path);
    return status;
}
