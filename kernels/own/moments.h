/* Mean and variance of the channels of an activation from partial sums. Private to kernels/own.
 *
 * Within a task each lane sums in float32 about a pivot of its own (its first value), so that no mean, however large,
 * cancels the variance; lanes and tasks are merged in float64 in a fixed order.
 */
#ifndef MMC_KERNELS_OWN_MOMENTS_H
#define MMC_KERNELS_OWN_MOMENTS_H

#include "kernels/own/lane.h"

/* Floats of the running sums of one channel: pivot, sum of (z - pivot), sum of its squares, a lane each. */
enum { MOMENT_FLOATS = 3 * LANES };

/* Sums of the lanes -> (count, mean, sum of squared deviations) of each channel. The task took `pixels` pixels of each
 * of `blocks` image blocks from block0 on, of n images in all. */
void OWN(moments_part)(double *part, const float *sums, int co, int pixels, int n, int block0, int blocks);

/* Mean and biased variance from partial moments, the parts of one set one after the other: part i holds (count, mean,
 * sum of squared deviations) of each of k channels, [part][k][3]. Order: parts in sequence. */
void OWN(moments_merge)(float *mean, float *var, const double *parts, int part_count, int k);

#endif
