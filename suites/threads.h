/* How long a waiting OpenMP thread spins before it sleeps: settled before the program does anything else.
 *
 *     int main(int argc, char **argv) {
 *         mmc_threads_settle(argv);
 */
#ifndef MMC_SUITES_THREADS_H
#define MMC_SUITES_THREADS_H

/* Starts the program anew with a short spin unless the user has set OMP_WAIT_POLICY or GOMP_SPINCOUNT. Returns where
 * that is settled already, or where the program cannot find itself. */
void mmc_threads_settle(char **argv);

#endif
