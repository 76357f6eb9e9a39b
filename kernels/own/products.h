/* Inner products of rows for one instruction set. Private to kernels/own. */
#ifndef MMC_KERNELS_OWN_PRODUCTS_H
#define MMC_KERNELS_OWN_PRODUCTS_H

/* Values of a row that a pass takes, and the most units that a panel of any instruction set holds. */
enum { PRODUCTS_DEPTH = 128, PRODUCTS_PANEL_MAX = 24 };

#endif
