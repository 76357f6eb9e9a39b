// Options of AddressSanitizer for programs of emulated kernels: faults are the emulator's to report, fibers have stacks
// that the sanitizer does not know, and what a program leaves is looked for by the emulator.
extern "C" const char *__asan_default_options(void);
extern "C" const char *__asan_default_options(void) {
    return "detect_leaks=0:handle_segv=0:handle_sigbus=0:detect_stack_use_after_return=0";
}
