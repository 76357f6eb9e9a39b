#include "suites/command.h"

#include <string.h>

/* docs/commands.md, compiled in (cmake/embed.cmake). */
extern const unsigned char mmc_commands_text[];

/* Markdown to plain text: heading marks and backticks go. */
static void print_line(FILE *f, const char *line, size_t length) {
    while (length && *line == '#') {
        line++;
        length--;
        if (length && *line == ' ') {
            line++;
            length--;
        }
    }
    for (size_t i = 0; i < length; i++)
        if (line[i] != '`')
            fputc(line[i], f);
    fputc('\n', f);
}

static bool starts_with(const char *line, size_t length, const char *prefix) {
    size_t n = strlen(prefix);
    return length >= n && memcmp(line, prefix, n) == 0;
}

/* Whether the option whose entry begins on this line ("* `--batch N`") belongs to the command. */
static bool entry_belongs(const char *line, size_t length, mmc_command_id command) {
    static const char prefix[] = "* `--";
    if (!starts_with(line, length, prefix))
        return true;
    const char *name = line + sizeof prefix - 1;
    size_t name_length = strcspn(name, " `[");
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        const mmc_option_info *info = mmc_option_find((mmc_option_id)i);
        if (strlen(info->name) == name_length && memcmp(info->name, name, name_length) == 0)
            return (info->commands >> command) & 1;
    }
    return true;
}

/* The page is: an opening, "## `NAME` ..." for every command, then "## Options" with an entry an option. The help of a
 * command is its section and the entries of its options. */
void mmc_help_print(FILE *f, mmc_command_id command) {
    char heading[32];
    snprintf(heading, sizeof heading, "## `%s", mmc_command_name(command));
    bool printing = command == MMC_COMMAND_NONE, options = false;
    for (const char *line = (const char *)mmc_commands_text; *line;) {
        size_t length = strcspn(line, "\n");
        if (starts_with(line, length, "## ")) {
            options = starts_with(line, length, "## Options");
            if (command == MMC_COMMAND_NONE) {
                if (!options && starts_with(line, length, "## `"))
                    break; /* the opening names the commands; their sections are a help of their own */
            } else
                printing =
                    options || (starts_with(line, length, heading) && strcspn(line + strlen(heading), " `\n") == 0);
        } else if (options && command != MMC_COMMAND_NONE && starts_with(line, length, "* "))
            printing = entry_belongs(line, length, command);
        else if (options && length && *line != ' ' && command != MMC_COMMAND_NONE)
            printing = false; /* text about all options belongs to the page */
        if (printing)
            print_line(f, line, length);
        line += length + (line[length] == '\n');
    }
}

mmc_status mmc_command_help(const mmc_options *options, mmc_output *out) {
    mmc_command_id command = MMC_COMMAND_NONE;
    if (options->argument_count > 1)
        return mmc_fail(MMC_ERR_USAGE, "help: one command at a time, not '%s' too", options->arguments[1]);
    if (options->argument_count == 1)
        MMC_TRY(mmc_command_parse(&command, options->arguments[0]));
    mmc_help_print(out->rows, command);
    return MMC_OK;
}
