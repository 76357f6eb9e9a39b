/* Which of the optimal permutations: the lexicographically smallest. Private to kernels/own.
 *
 * The optima are the perfect matchings of the tight entries (reduced cost 0). Draw an edge from row r to the row that
 * has column c for each further tight entry (r,c): rows may trade columns along a cycle of edges, so only the strongly
 * connected components of more than one row have a choice, and mostly there is none (R. E. Tarjan, SIAM J. Comput. 1,
 * 1972). Within one, rows in ascending order take the lowest column whose owner reaches the row's own one over columns
 * that are not given away.
 */
#ifndef MMC_KERNELS_OWN_ASSIGN_TIE_H
#define MMC_KERNELS_OWN_ASSIGN_TIE_H

#include "kernels/own/lane.h"

#include <stdbool.h>
#include <string.h>

typedef struct tie_work {
    int n, words;          /* words: 64-bit words of a row's tight entries */
    const uint64_t *tight; /* (N,words) */
    int32_t *row;          /* (N) row of a column */
    int32_t *column;       /* (N) column of a row */
    int32_t *part;         /* (N) component of a row; -1: it has no choice */
    int32_t *order;        /* (N) when the row was met; -1: not yet */
    int32_t *low;          /* (N) earliest row on the stack that it reaches; in the search: row before a column */
    int32_t *stack, *call; /* (N) */
    int32_t *cursor;       /* (N) next column to look at */
    uint64_t *barred;      /* (words) columns given away or seen */
} tie_work;

/* First column from `at` on that is tight for row r, or n. */
INLINE int tie_next(const tie_work *t, int r, int at) {
    const uint64_t *tight = t->tight + (size_t)r * (size_t)t->words;
    for (int w = at / 64; w < t->words; w++) {
        const uint64_t bits = w == at / 64 ? tight[w] & (~(uint64_t)0 << (at % 64)) : tight[w];
        if (bits)
            return w * 64 + __builtin_ctzll(bits);
    }
    return t->n;
}

/* Components; returns whether one of them has more than one row. */
static inline bool tie_parts(tie_work *t) {
    const int n = t->n;
    int met = 0, height = 0;
    bool any = false;
    memset(t->order, -1, (size_t)n * sizeof(int32_t));
    memset(t->part, -1, (size_t)n * sizeof(int32_t));
    memset(t->cursor, 0, (size_t)n * sizeof(int32_t));
    for (int root = 0; root < n; root++) {
        int depth = 0;
        if (t->order[root] < 0)
            t->call[depth++] = root;
        while (depth > 0) {
            const int r = t->call[depth - 1];
            if (t->order[r] < 0) {
                t->order[r] = t->low[r] = met++;
                t->stack[height++] = r;
            }
            const int c = tie_next(t, r, t->cursor[r]);
            if (c < n) {
                const int q = t->row[c];
                t->cursor[r] = c + 1;
                if (t->order[q] < 0)
                    t->call[depth++] = q;
                else if (t->order[q] < t->low[r])
                    t->low[r] = t->order[q];
                continue;
            }
            depth--;
            if (depth > 0 && t->low[r] < t->low[t->call[depth - 1]])
                t->low[t->call[depth - 1]] = t->low[r];
            if (t->low[r] != t->order[r])
                continue;
            const bool alone = t->stack[height - 1] == r;
            int q;
            do {
                q = t->stack[--height];
                t->order[q] = n; /* closed: later edges to it change no `low` */
                t->part[q] = alone ? -1 : r;
            } while (q != r);
            any |= !alone;
        }
    }
    return any;
}

INLINE bool tie_barred(const tie_work *t, int column) {
    return t->barred[column / 64] >> (column % 64) & 1;
}

INLINE void tie_bar(tie_work *t, int column) {
    t->barred[column / 64] |= (uint64_t)1 << (column % 64);
}

/* Looks for a chain from the row that has column `taken` to row i's own column; if there is one, everybody moves along
 * it and row i takes `taken`. */
static inline bool tie_trade(tie_work *t, int i, int taken) {
    const int mine = t->column[i];
    int count = 0;
    tie_bar(t, taken);
    t->stack[count++] = t->row[taken];
    for (int at = 0; at < count; at++) {
        const int r = t->stack[at];
        const uint64_t *tight = t->tight + (size_t)r * (size_t)t->words;
        for (int w = 0; w < t->words; w++)
            for (uint64_t bits = tight[w] & ~t->barred[w]; bits; bits &= bits - 1) {
                const int c = w * 64 + __builtin_ctzll(bits);
                if (t->part[t->row[c]] != t->part[i])
                    continue;
                tie_bar(t, c);
                t->low[c] = r;
                t->stack[count++] = t->row[c];
                if (c != mine)
                    continue;
                for (int to = mine; to != taken;) {
                    const int from = t->low[to], next = t->column[from];
                    t->row[to] = from;
                    t->column[from] = to;
                    to = next;
                }
                t->row[taken] = i;
                t->column[i] = taken;
                return true;
            }
    }
    return false;
}

/* Turns the matching into the lexicographically smallest optimum; true: it is the only one. */
static inline bool tie_settle(tie_work *t) {
    int tight = 0;
    for (int i = 0; i < t->n * t->words; i++)
        tight += __builtin_popcountll(t->tight[i]);
    if (tight == t->n || !tie_parts(t))
        return true;
    for (int i = 0; i < t->n; i++) {
        if (t->part[i] < 0)
            continue;
        memset(t->barred, 0, (size_t)t->words * sizeof(uint64_t));
        for (int r = 0; r < i; r++)
            tie_bar(t, t->column[r]);
        for (int c = tie_next(t, i, 0); c < t->column[i]; c = tie_next(t, i, c + 1))
            if (!tie_barred(t, c) && t->part[t->row[c]] == t->part[i] && tie_trade(t, i, c))
                break;
    }
    return false;
}

#endif
