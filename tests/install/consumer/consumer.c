/* A user's program against the installed tree: the headers are found by their documented paths, the library links. */
#include <reports/record.h>
#include <runtime/status.h>
#include <runtime/version.h>

#include <stdio.h>

int main(void) {
    printf("%s, %s\n", mmc_version_get()->version, mmc_status_text(MMC_OK));
    return 0;
}
