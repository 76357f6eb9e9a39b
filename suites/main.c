/* The program: commands over the library. Only this file exits. */
#include <stdio.h>

int main(void) {
    fputs("mmcbench: no command\n", stderr);
    return 2;
}
