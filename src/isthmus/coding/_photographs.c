/* The decoder of photographs, compiled.

   isthmus.coding.reference.photograph is the norm: it says what each step is for, under the same names. This file must
   give the same numbers. It goes by rows, so that what they need stays in the cache, and multiplies pairs of 16-bit
   numbers by the instructions that a processor has for that: no sum reaches 2^31, so that their order is free.

   Weights come packed, see isthmus.coding.photographs.packed: outputs in vectors of 8 lanes, up to 4 vectors to a
   block; of each block, for each pair of inputs, the two weights of each lane. */

#include "_machine.h"
#include <stddef.h>
#if defined(__x86_64__) && defined(__GNUC__)
#define WITH_X86
#include <immintrin.h>
#endif

enum {
    LEVELS = 6, LANES = 8, MOST = 8191, PLANES = 64, LATENTS = 15, SIDE_LIMIT = 2048,
    PLAIN_INDEX = 56, KNOWN = 4096, FARTHEST = 100, DOUBLINGS = 16, SYMBOLS_EACH = 3 + 2 * DOUBLINGS,
};
#define FIRST ((u64)1 << 16) /* state of an encoder at first; it never becomes less */
#define LEAST ((u64)1 << 31) /* of states, where words are left */

typedef int16_t i16;

/* ------------------------------------------------------------------ products of weights with runs of numbers */

typedef struct { const i16 *at; ptrdiff_t stride; int pairs; } Run; /* of the first place; to the next; of numbers */
typedef struct { const i16 *weights; int lanes, pairs; } Product;

/* For `places`: sums of `from` (each `step` further) and of the products of a block, of one run after another. */
typedef void Kernel(const i16 *weights, const Run *runs, int count, const i32 *from, ptrdiff_t step, i32 *to,
                    ptrdiff_t lanes, int places);

INLINED void multiply_plainly(int vectors, const i16 *weights, const Run *runs, int count, const i32 *from,
                              ptrdiff_t step, i32 *to, ptrdiff_t lanes, int places)
{
    const int n = vectors * LANES;
    for (int place = 0; place < places; place++, from += step, to += lanes) {
        const i16 *w = weights;
        i32 sums[4 * LANES];
        memcpy(sums, from, sizeof(i32) * (size_t)n);
        for (int r = 0; r < count; r++) {
            const i16 *x = runs[r].at + place * runs[r].stride;
            for (int k = 0; k < runs[r].pairs; k++, x += 2, w += 2 * n)
                for (int lane = 0; lane < n; lane++)
                    sums[lane] += w[2 * lane] * x[0] + w[2 * lane + 1] * x[1];
        }
        memcpy(to, sums, sizeof(i32) * (size_t)n);
    }
}

#define GIVEN const i16 *w, const Run *runs, int count, const i32 *from, ptrdiff_t step, i32 *to, ptrdiff_t lanes, int places
#define PASSED w, runs, count, from, step, to, lanes, places
#define PLAIN(VECTORS) static void plain_##VECTORS(GIVEN) { multiply_plainly(VECTORS, PASSED); }
PLAIN(2)
PLAIN(3)
PLAIN(4)

#ifdef WITH_X86
/* For 8 lanes times `vectors`, and `high` places at once: as many sums as there are registers for. */
#define KERNELS(NAME, TARGET, ADD, HIGH_2, HIGH_3, HIGH_4)                                                            \
    __attribute__((target(TARGET), always_inline)) static inline void NAME##_tile(                                    \
        const int vectors, const int high, const i16 *w, const Run *runs, int count, int place, const i32 *from,      \
        ptrdiff_t step, i32 *to, ptrdiff_t lanes)                                                                     \
    {                                                                                                                 \
        __m256i sums[12][4];                                                                                          \
        UNROLLED for (int p = 0; p < high; p++)                                                                       \
            UNROLLED for (int v = 0; v < vectors; v++)                                                                \
                sums[p][v] = _mm256_loadu_si256((const __m256i *)(from + (place + p) * step + v * LANES));            \
        for (int r = 0; r < count; r++) {                                                                             \
            const ptrdiff_t stride = runs[r].stride;                                                                  \
            const i16 *x = runs[r].at + place * stride, *end = x + 2 * runs[r].pairs;                                 \
            for (; x < end; x += 2, w += 2 * LANES * vectors) {                                                       \
                __m256i weights[4];                                                                                   \
                UNROLLED for (int v = 0; v < vectors; v++)                                                            \
                    weights[v] = _mm256_loadu_si256((const __m256i *)(w + 2 * LANES * v));                            \
                UNROLLED for (int p = 0; p < high; p++) {                                                             \
                    i32 pair;                                                                                         \
                    memcpy(&pair, x + p * stride, sizeof pair);                                                       \
                    __m256i both = _mm256_set1_epi32(pair);                                                           \
                    UNROLLED for (int v = 0; v < vectors; v++)                                                        \
                        sums[p][v] = ADD(sums[p][v], weights[v], both);                                               \
                }                                                                                                     \
            }                                                                                                         \
        }                                                                                                             \
        UNROLLED for (int p = 0; p < high; p++)                                                                       \
            UNROLLED for (int v = 0; v < vectors; v++)                                                                \
                _mm256_storeu_si256((__m256i *)(to + (place + p) * lanes + v * LANES), sums[p][v]);                   \
    }                                                                                                                 \
    KERNEL(NAME, TARGET, 2, HIGH_2)                                                                                   \
    KERNEL(NAME, TARGET, 3, HIGH_3)                                                                                   \
    KERNEL(NAME, TARGET, 4, HIGH_4)
#define KERNEL(NAME, TARGET, VECTORS, HIGH)                                                                           \
    __attribute__((target(TARGET))) static void NAME##_##VECTORS(GIVEN)                                               \
    {                                                                                                                 \
        int place = 0;                                                                                                \
        for (; place + HIGH <= places; place += HIGH)                                                                 \
            NAME##_tile(VECTORS, HIGH, w, runs, count, place, from, step, to, lanes);                                 \
        for (; place < places; place++)                                                                               \
            NAME##_tile(VECTORS, 1, w, runs, count, place, from, step, to, lanes);                                    \
    }
#define UNROLLED _Pragma("GCC unroll 16")
#define ADD_TWICE(sum, weights, both) _mm256_add_epi32(sum, _mm256_madd_epi16(weights, both))
#define ADD_ONCE(sum, weights, both) _mm256_dpwssd_epi32(sum, weights, both)
KERNELS(avx2, "avx2", ADD_TWICE, 6, 4, 3)
KERNELS(avx512, "avx2,avx512f,avx512bw,avx512vl,avx512vnni", ADD_ONCE, 10, 8, 6)
#endif

static Kernel *const PLAINLY[5] = {NULL, NULL, plain_2, plain_3, plain_4};
static Kernel *const *many = PLAINLY, *const *one = PLAINLY; /* for rows, and for single places */

/* Choose by what processors have, at most a level: 0 for plain, 1 for AVX2, 2 for AVX-512; returns what was chosen. */
static int choose(int most)
{
    int chosen = 0;
    many = one = PLAINLY;
#ifdef WITH_X86
    static Kernel *const AVX2[5] = {NULL, NULL, avx2_2, avx2_3, avx2_4};
    static Kernel *const AVX512[5] = {NULL, NULL, avx512_2, avx512_3, avx512_4};
    if (most >= 1 && __builtin_cpu_supports("avx2")) {
        many = one = AVX2;
        chosen = 1;
        if (most >= 2 && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512vnni")) {
            many = AVX512;
            chosen = 2;
        }
    }
#else
    (void)most;
#endif
    return chosen;
}

/* How many vectors the next block has, where some are left: no block has only one. */
static inline int block_of(int vectors)
{
    return vectors <= 4 ? vectors : vectors <= 6 ? 3 : 4;
}

static void multiply(const Product *product, const Run *runs, int count, const i32 *from, ptrdiff_t step, i32 *to,
                     int places)
{
    Kernel *const *kernels = places > 1 ? many : one;
    const i16 *w = product->weights;
    for (int at = 0, left = product->lanes / LANES; left;) {
        int vectors = block_of(left);
        kernels[vectors](w, runs, count, from + at, step, to + at, product->lanes, places);
        w += (ptrdiff_t)product->pairs * vectors * LANES * 2;
        at += vectors * LANES;
        left -= vectors;
    }
}

VECTORISED
static void rounded(const i32 *restrict sums, i16 *restrict to, ptrdiff_t count, i32 least)
{
    for (ptrdiff_t i = 0; i < count; i++) {
        i32 x = (sums[i] + 2048) >> 12;
        x = x > MOST ? MOST : x;
        to[i] = (i16)(x < least ? least : x);
    }
}

/* ------------------------------------------------------------------ the coder */

typedef struct {
    int decodes, broken;
    /* of a decoder */
    u64 state;
    const u8 *next, *end;
    /* of an encoder: where intervals begin, and above 16 bits how long they are, less one */
    u32 *symbols;
    size_t count, room;
    /* tables */
    const i16 *logarithms;
    const u16 *cumulative;
    const i32 *windows, *offsets;
} Coder;

static inline u32 word_at(const u8 *bytes)
{
    return bytes[0] | (u32)bytes[1] << 8 | (u32)bytes[2] << 16 | (u32)bytes[3] << 24;
}

static int begin_decoding(Coder *coder, const u8 *payload, size_t length)
{
    size_t size = length <= 8 ? length : 5 + (length - 5) % 4;
    int words = length > 8;
    for (size_t k = 0; k < size; k++)
        coder->state |= (u64)payload[k] << 8 * k;
    coder->next = payload + size;
    coder->end = payload + length;
    coder->decodes = 1;
    if (coder->state >> 63 || coder->state < (words ? LEAST : FIRST))
        return 0;
    return size <= (words ? 5u : 0u) || payload[size - 1];
}

static inline void take(Coder *coder, u32 start, u32 frequency)
{
    coder->state = frequency * (coder->state >> 16) + (coder->state & 65535) - start;
    if (coder->state >= LEAST)
        return;
    if (coder->next < coder->end) {
        coder->state = coder->state << 32 | word_at(coder->next);
        coder->next += 4;
    } else if (coder->state < FIRST)
        coder->broken = 1;
}

static inline void put(Coder *coder, u32 start, u32 frequency)
{
    coder->symbols[coder->count++] = start | (frequency - 1) << 16;
}

static inline u32 plain(Coder *coder, u32 number, int bits)
{
    if (!coder->decodes) {
        put(coder, number << (16 - bits), 1u << (16 - bits));
        return number;
    }
    number = (u32)(coder->state & 65535) >> (16 - bits);
    take(coder, number << (16 - bits), 1u << (16 - bits));
    return number;
}

static i32 code_excess(Coder *coder, u32 number)
{
    int doublings = 0;
    while (plain(coder, (number + 1) >> doublings > 1, 1))
        if (++doublings > DOUBLINGS) {
            coder->broken = 1;
            return 0;
        }
    u32 found = 1;
    for (int k = doublings - 1; k >= 0; k--)
        found = found << 1 | plain(coder, (number + 1) >> k & 1, 1);
    return (i32)found - 1;
}

/* The value around which is `from`, where the cumulative frequency of 0 stands; beyond the window one more. */
static inline i32 find(Coder *coder, const u16 *from, i32 window)
{
    u32 slot = (u32)(coder->state & 65535);
    i32 value = 0;
    if (slot >= from[0]) {
        while (value <= window && slot >= from[value + 1])
            value++;
    } else {
        do
            value--;
        while (value >= -window && slot < from[value]);
    }
    return value;
}

static inline i32 code_around(Coder *coder, i32 value, const u16 *from, i32 window)
{
    i32 size = window + 1, symbol = value > size ? size : value < -size ? -size : value;
    if (coder->decodes)
        symbol = find(coder, from, window);
    u32 start = symbol < -window ? 0 : from[symbol], end = symbol > window ? 65536 : from[symbol + 1];
    if (coder->decodes)
        take(coder, start, end - start);
    else
        put(coder, start, end - start);
    if (symbol == size)
        return size + code_excess(coder, (u32)(value - size));
    if (symbol == -size)
        return -size - code_excess(coder, (u32)(-size - value));
    return symbol;
}

static inline i32 code_value(Coder *coder, i32 value, i32 mean, i32 index)
{
    int bits = index > PLAIN_INDEX ? (index - PLAIN_INDEX + 7) >> 3 : 0;
    if (bits)
        mean = (mean - 8 * ((1 << bits) - 1) + (1 << (bits - 1))) >> bits;
    i32 whole = (mean + 8) >> 4, rest = mean - 16 * whole, window = coder->windows[index - 8 * bits];
    const u16 *from = coder->cumulative + coder->offsets[index - 8 * bits] + (rest + 8) * (2 * window + 2) + window;
    i32 found = whole + code_around(coder, (value >> bits) - whole, from, window);
    if (bits)
        found = found * (1 << bits) + (i32)plain(coder, (u32)value & ((1u << bits) - 1), bits);
    if (found != (i16)found) {
        coder->broken = 1;
        return 0;
    }
    return found;
}

/* The payload of what an encoder was given, in memory that the caller frees; its length. */
static u8 *payload_of(const Coder *coder, size_t *length)
{
    size_t room = 8 + 2 * coder->count + 8, at = room;
    u8 *bytes = malloc(room);
    u64 state = FIRST;
    if (!bytes)
        return NULL;
    for (size_t k = coder->count; k--;) {
        u32 start = coder->symbols[k] & 65535, frequency = (coder->symbols[k] >> 16) + 1;
        if (state >= (u64)frequency << 47) {
            for (int i = 3; i >= 0; i--)
                bytes[--at] = (u8)(state >> 8 * i);
            state >>= 32;
        }
        state = (state / frequency << 16) + state % frequency + start;
    }
    int size = 0;
    while (size < 8 && state >> 8 * size)
        size++;
    if (at < room && size < 5)
        size = 5;
    for (int i = size - 1; i >= 0; i--)
        bytes[--at] = (u8)(state >> 8 * i);
    *length = room - at;
    memmove(bytes, bytes + at, *length);
    return bytes;
}

static int make_room(Coder *coder, size_t more)
{
    if (coder->decodes || coder->room - coder->count >= more)
        return 1;
    size_t room = 2 * coder->room + more;
    u32 *symbols = realloc(coder->symbols, room * sizeof *symbols);
    if (!symbols)
        return 0;
    coder->symbols = symbols;
    coder->room = room;
    return 1;
}

/* ------------------------------------------------------------------ a level */

typedef struct {
    int state, width, hidden, latents, after; /* planes */
    int padded, told, outputs;                /* latents, made even; lanes of the prior's last layer, and of the state */
    Product look, seen, before, inner, last, coupling[LATENTS], inject, out;
    const i32 *bias, *seen_bias, *inner_bias, *last_bias, *step, *out_bias;
} Level;

typedef struct {
    int height, width;
    i16 *values; /* with one more place on all sides */
    int planes;
} State;

typedef struct {
    i32 *t[2], *seen, *out;
    i16 *looked, *rounded_out, *f[3], *d[3], *u[3];
} Rows; /* of the last places of the picture that are still needed: row y is the one of y mod 3 */

static inline const i16 *row_of(const State *s, int row) { return s->values + (ptrdiff_t)row * (s->width + 2) * s->planes; }

/* What the prior says, and the latents of one place. */
static inline void code_place(Coder *coder, const Level *level, const Rows *rows, int x, i16 *f, i16 *y, u32 coded)
{
    const int n = level->latents;
    i32 sums[PLANES];
    i16 h[2][PLANES];
    multiply(&level->before, &(Run){f - 2 * level->padded, 0, level->padded}, 1, rows->seen + x * level->hidden, 0, sums, 1);
    rounded(sums, h[0], level->hidden, 0);
    multiply(&level->inner, &(Run){h[0], 0, level->hidden / 2}, 1, level->inner_bias, 0, sums, 1);
    rounded(sums, h[1], level->hidden, 0);
    multiply(&level->last, &(Run){h[1], 0, level->hidden / 2}, 1, level->last_bias, 0, sums, 1);
    for (int c = 0; c < n; c++) {
        f[c] = 0;
        if (!(coded >> c & 1))
            continue;
        i32 mean = (sums[c] + 2048) >> 12, scale = (sums[n + c] + 2048) >> 12;
        mean = mean > MOST ? MOST : mean < -MOST ? -MOST : mean;
        scale = scale > MOST ? MOST : scale < -MOST ? -MOST : scale;
        scale = (scale + 32) >> 6;
        scale = scale > 80 ? 80 : scale < -32 ? -32 : scale;
        i32 value = code_value(coder, y[c], (mean * 4 + 16) >> 5, scale + 32);
        y[c] = (i16)value;
        if (value) {
            i32 size = value < 0 ? -value : value;
            i16 pair[2];
            pair[1] = coder->logarithms[size < KNOWN ? size : KNOWN - 1];
            f[c] = pair[0] = value < 0 ? (i16)-pair[1] : pair[1];
            if (c + 1 < n)
                multiply(&level->coupling[c], &(Run){pair, 0, 1}, 1, sums, 0, sums, 1);
        }
    }
}

static void code_row(Coder *coder, const Level *level, const Rows *rows, int row, int width, i16 *y, u32 coded)
{
    const int padded = level->padded, w = level->width;
    i16 *f = rows->f[row % 3] + 2 * padded;
    rounded(rows->t[row & 1], rows->looked, (ptrdiff_t)width * w, 0);
    Run runs[3] = {{rows->looked, w, w / 2},
                   {rows->f[(row + 1) % 3], padded, 5 * padded / 2},
                   {rows->f[(row + 2) % 3], padded, 5 * padded / 2}};
    multiply(&level->seen, runs, 3, level->seen_bias, 0, rows->seen, width);
    for (int x = 0; x < width && !coder->broken; x++, f += padded, y += level->latents)
        code_place(coder, level, rows, x, f, y, coded);
}

VECTORISED
static void scaled(const Level *level, const i16 *restrict y, i16 *restrict d, int width)
{
    for (int x = 0; x < width; x++, y += level->latents, d += level->padded)
        for (int c = 0; c < level->latents; c++) {
            i64 value = ((i64)y[c] * level->step[c] + 1024) >> 11;
            value = value > MOST ? MOST : value;
            d[c] = (i16)(value < -MOST ? -MOST : value);
        }
}

static void make_u(const Level *level, const Rows *rows, int row, int width, int any)
{
    i32 *t = rows->t[row & 1];
    const int padded = level->padded;
    if (any) {
        Run runs[3];
        for (int k = 0; k < 3; k++)
            runs[k] = (Run){rows->d[(row + 2 + k) % 3], padded, 3 * padded / 2};
        multiply(&level->inject, runs, 3, t, level->width, rows->seen, width);
        t = rows->seen;
    }
    rounded(t, rows->u[row % 3] + level->width, (ptrdiff_t)width * level->width, 0);
}

/* Two rows of the next state: lanes are those of the places above, left first, then of those below. */
static void make_out(const Level *level, const Rows *rows, const State *s, int row, const State *next)
{
    const int side = 2 * next->planes, border = next->planes == 3 ? 0 : 1; /* the picture has none */
    const ptrdiff_t stride = (ptrdiff_t)(next->width + 2 * border) * next->planes;
    Run runs[5] = {{row_of(s, row + 1) + s->planes, s->planes, s->planes / 2},
                   {rows->d[row % 3] + level->padded, level->padded, level->padded / 2}};
    for (int k = 0; k < 3; k++)
        runs[2 + k] = (Run){rows->u[(row + 2 + k) % 3], level->width, 3 * level->width / 2};
    multiply(&level->out, runs, 5, level->out_bias, 0, rows->out, s->width);
    rounded(rows->out, rows->rounded_out, (ptrdiff_t)s->width * level->outputs, -MOST);
    for (int i = 0; i < 2 && 2 * row + i < next->height; i++) {
        i16 *to = next->values + (2 * row + i + border) * stride + border * next->planes;
        const i16 *from = rows->rounded_out + i * side;
        const int whole = next->width / 2;
        for (int x = 0; x < whole; x++, from += level->outputs, to += side)
            memcpy(to, from, sizeof(i16) * (size_t)side);
        if (next->width % 2)
            memcpy(to, from, sizeof(i16) * (size_t)next->planes);
    }
}

static void clear(i16 *row, ptrdiff_t count) { memset(row, 0, sizeof(i16) * (size_t)count); }

/* Code a level; `next` has no values where the next state is not wanted. Returns whether there was memory. */
static int code_rows(Coder *coder, const Level *level, const Rows *rows, const State *s, i16 *y, const State *next, u32 coded)
{
    const int height = s->height, width = s->width, n = level->latents;
    const int last = next->values ? height + 2 : height;
    for (int row = 0; row < last && !coder->broken; row++) {
        if (row < height) {
            Run runs[3];
            for (int k = 0; k < 3; k++)
                runs[k] = (Run){row_of(s, row + k), s->planes, 3 * s->planes / 2};
            multiply(&level->look, runs, 3, level->bias, 0, rows->t[row & 1], width);
            if (coded) {
                if (!make_room(coder, (size_t)width * (size_t)n * SYMBOLS_EACH))
                    return 0;
                code_row(coder, level, rows, row, width, y, coded);
                scaled(level, y, rows->d[row % 3] + level->padded, width);
            }
            y += (ptrdiff_t)width * n;
        } else
            clear(rows->d[row % 3], (ptrdiff_t)(width + 2) * level->padded);
        if (!next->values)
            continue;
        if (row && row <= height)
            make_u(level, rows, row - 1, width, coded != 0);
        else if (row)
            clear(rows->u[height % 3], (ptrdiff_t)(width + 2) * level->width);
        if (row >= 2)
            make_out(level, rows, s, row - 2, next);
    }
    return 1;
}

/* Memory for rows: one piece, zero at first, from which parts are taken in the first pass only as a size. */
static void *part(u8 *memory, size_t *used, size_t size)
{
    void *at = memory ? memory + *used : NULL;
    *used += (size + 63) / 64 * 64;
    return at;
}

static size_t lay_out(Rows *rows, u8 *memory, const Level *level, int width)
{
    const size_t w = (size_t)width, lanes = (size_t)(level->width > level->hidden ? level->width : level->hidden);
    size_t used = 0;
    for (int k = 0; k < 2; k++)
        rows->t[k] = part(memory, &used, w * (size_t)level->width * sizeof(i32));
    rows->seen = part(memory, &used, w * lanes * sizeof(i32));
    rows->out = part(memory, &used, w * (size_t)level->outputs * sizeof(i32));
    rows->looked = part(memory, &used, w * (size_t)level->width * sizeof(i16));
    rows->rounded_out = part(memory, &used, w * (size_t)level->outputs * sizeof(i16));
    for (int k = 0; k < 3; k++) {
        rows->f[k] = part(memory, &used, (w + 4) * (size_t)level->padded * sizeof(i16));
        rows->d[k] = part(memory, &used, (w + 2) * (size_t)level->padded * sizeof(i16));
        rows->u[k] = part(memory, &used, (w + 2) * (size_t)level->width * sizeof(i16));
    }
    return used;
}

static u32 code_channels(Coder *coder, const i16 *y, ptrdiff_t places, int n)
{
    i16 any[LATENTS] = {0};
    u32 bits = 0;
    if (!coder->decodes)
        for (ptrdiff_t k = 0; k < places; k++)
            for (int c = 0; c < n; c++)
                any[c] |= y[k * n + c];
    for (int c = 0; c < n; c++)
        bits |= (u32)(any[c] != 0) << c;
    return make_room(coder, 1) ? plain(coder, bits, n) : 0;
}

static int code_level(Coder *coder, const Level *level, const State *s, i16 *y, const State *next)
{
    Rows rows;
    u8 *memory = calloc(1, lay_out(&rows, NULL, level, s->width) + 64);
    if (!memory || !make_room(coder, 1)) {
        free(memory);
        return 0;
    }
    lay_out(&rows, memory, level, s->width);
    u32 coded = code_channels(coder, y, (ptrdiff_t)s->height * s->width, level->latents);
    int well = code_rows(coder, level, &rows, s, y, next, coded);
    free(memory);
    return well;
}

static int make_state(State *s)
{
    s->values = calloc((size_t)(s->height + 2) * (size_t)(s->width + 2) * (size_t)s->planes, sizeof(i16));
    return s->values != NULL;
}

/* Code all levels, and make the picture where there is memory for it. Returns whether there was memory. */
static int code_tile(Coder *coder, const Level *levels, i16 *const *latents, int height, int width, i16 *picture)
{
    State states[LEVELS + 1] = {{.height = height, .width = width, .planes = 3}};
    for (int l = 1; l <= LEVELS; l++)
        states[l] = (State){.height = (states[l - 1].height + 1) / 2, .width = (states[l - 1].width + 1) / 2,
                            .planes = levels[l - 1].state};
    states[0].values = picture;
    int well = make_state(&states[LEVELS]);
    for (int l = LEVELS; well && l && !coder->broken; l--) {
        well = l == 1 || make_state(&states[l - 1]);
        if (well)
            well = code_level(coder, &levels[l - 1], &states[l], latents[l - 1], &states[l - 1]);
        free(states[l].values);
        states[l].values = NULL;
    }
    for (int l = 1; l <= LEVELS; l++)
        free(states[l].values);
    return well;
}

/* ------------------------------------------------------------------ what Python gives */

typedef struct { const i16 *weights; Py_ssize_t weights_left; const i32 *numbers; Py_ssize_t numbers_left; } Given;

static int round_up(int count, int unit) { return (count + unit - 1) / unit * unit; }
static int lanes_of(int outputs) { return outputs <= LANES ? 2 * LANES : round_up(outputs, LANES); }

static Product next_product(Given *given, int lanes, int numbers)
{
    Product found = {given->weights, lanes, numbers / 2};
    given->weights += (ptrdiff_t)lanes * numbers;
    given->weights_left -= (Py_ssize_t)lanes * numbers;
    return found;
}

static const i32 *next_numbers(Given *given, int count)
{
    const i32 *found = given->numbers;
    given->numbers += count;
    given->numbers_left -= count;
    return found;
}

/* A level whose planes are known: where its weights and numbers are. What is left becomes negative if there are too few. */
static void take_level(Level *level, Given *given)
{
    const int w = level->width, h = level->hidden;
    level->padded = round_up(level->latents, 2);
    level->told = lanes_of(2 * level->latents);
    level->outputs = lanes_of(4 * level->after);
    level->look = next_product(given, w, 9 * level->state);
    level->seen = next_product(given, h, w + 10 * level->padded);
    level->before = next_product(given, h, 2 * level->padded);
    level->inner = next_product(given, h, h);
    level->last = next_product(given, level->told, h);
    for (int c = 0; c < level->latents; c++)
        level->coupling[c] = next_product(given, level->told, 2);
    level->inject = next_product(given, w, 9 * level->padded);
    level->out = next_product(given, level->outputs, level->state + level->padded + 9 * w);
    level->bias = next_numbers(given, w);
    level->seen_bias = next_numbers(given, h);
    level->inner_bias = next_numbers(given, h);
    level->last_bias = next_numbers(given, level->told);
    level->step = next_numbers(given, level->latents);
    level->out_bias = next_numbers(given, level->outputs);
}

/* Planes by level: state, width, hidden, latents and those of the state after it. */
static int take_levels(Level *levels, const Py_buffer *planes, const Py_buffer *weights, const Py_buffer *numbers)
{
    Given given = {weights->buf, weights->len / 2, numbers->buf, numbers->len / 4};
    const i32 *next = planes->buf;
    if (planes->len != (Py_ssize_t)(5 * LEVELS * sizeof(i32)))
        return 0;
    for (int l = 0; l < LEVELS; l++, next += 5) {
        Level *level = &levels[l];
        level->state = next[0];
        level->width = next[1];
        level->hidden = next[2];
        level->latents = next[3];
        level->after = next[4];
        if (level->state < 2 || level->state % 2 || level->state > PLANES || level->latents < 1 ||
            level->latents > LATENTS || level->after != (l ? levels[l - 1].state : 3))
            return 0;
        if (level->width < 16 || level->width % LANES || level->width > PLANES || level->hidden < 16 ||
            level->hidden % LANES || level->hidden > PLANES)
            return 0;
        take_level(level, &given);
    }
    return !given.weights_left && !given.numbers_left;
}

enum { PLANES_OF, WEIGHTS, NUMBERS, LOGARITHMS, WINDOWS, OFFSETS, CUMULATIVE, LATENTS_FROM, PICTURE = LATENTS_FROM + LEVELS,
       PAYLOAD, BUFFERS };

/* Whether all tables are inside what was given. */
static int take_tables(Coder *coder, const Py_buffer *buffers)
{
    const Py_ssize_t size = (PLAIN_INDEX + 1) * (Py_ssize_t)sizeof(i32), known = buffers[CUMULATIVE].len / 2;
    coder->logarithms = buffers[LOGARITHMS].buf;
    coder->windows = buffers[WINDOWS].buf;
    coder->offsets = buffers[OFFSETS].buf;
    coder->cumulative = buffers[CUMULATIVE].buf;
    if (buffers[LOGARITHMS].len != KNOWN * 2 || buffers[WINDOWS].len != size || buffers[OFFSETS].len != size)
        return 0;
    for (int i = 0; i <= PLAIN_INDEX; i++) {
        i32 window = coder->windows[i], offset = coder->offsets[i];
        if (window < 1 || window > FARTHEST || offset < 0 || offset + 16 * (2 * (Py_ssize_t)window + 2) > known)
            return 0;
    }
    return 1;
}

/* Whether latents and picture are as large as they have to be. */
static int sizes_fit(const Level *levels, const Py_buffer *buffers, int height, int width)
{
    if (height < 1 || height > SIDE_LIMIT || width < 1 || width > SIDE_LIMIT)
        return 0;
    if (buffers[PICTURE].buf && buffers[PICTURE].len != (Py_ssize_t)height * width * 3 * 2)
        return 0;
    for (int l = 0; l < LEVELS; l++) {
        height = (height + 1) / 2;
        width = (width + 1) / 2;
        if (buffers[LATENTS_FROM + l].len != (Py_ssize_t)height * width * levels[l].latents * 2)
            return 0;
    }
    return 1;
}

static PyObject *code_buffers(Py_buffer *buffers, int height, int width)
{
    Level levels[LEVELS];
    Coder coder = {0};
    i16 *latents[LEVELS];
    u8 *bytes = NULL;
    size_t length = 0;
    int well = 1;
    if (!take_levels(levels, &buffers[PLANES_OF], &buffers[WEIGHTS], &buffers[NUMBERS]) || !take_tables(&coder, buffers) ||
        !sizes_fit(levels, buffers, height, width)) {
        PyErr_SetString(PyExc_ValueError, "weights, tables or latents of another size");
        return NULL;
    }
    for (int l = 0; l < LEVELS; l++)
        latents[l] = buffers[LATENTS_FROM + l].buf;
    if (buffers[PAYLOAD].obj)
        coder.broken = !begin_decoding(&coder, buffers[PAYLOAD].buf, (size_t)buffers[PAYLOAD].len);
    Py_BEGIN_ALLOW_THREADS
    if (!coder.broken)
        well = code_tile(&coder, levels, latents, height, width, buffers[PICTURE].buf);
    if (well && !coder.decodes)
        well = (bytes = payload_of(&coder, &length)) != NULL;
    free(coder.symbols);
    Py_END_ALLOW_THREADS
    PyObject *found = NULL;
    if (!well)
        PyErr_NoMemory();
    else if (coder.broken || (coder.decodes && (coder.state != FIRST || coder.next != coder.end)))
        PyErr_SetString(PyExc_ValueError, "not the payload of a tile of this size");
    else
        found = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)length);
    free(bytes);
    return found;
}

/* The buffer of an argument; those of None are empty. */
static int take_buffer(PyObject *given, Py_buffer *buffer, int kind)
{
    if (given == Py_None)
        return kind == PICTURE || kind == PAYLOAD ? 0 : -1;
    int writes = kind >= LATENTS_FROM && kind <= PICTURE;
    return PyObject_GetBuffer(given, buffer, writes ? PyBUF_CONTIG : PyBUF_CONTIG_RO);
}

static PyObject *py_code(PyObject *module, PyObject *args)
{
    PyObject *given[BUFFERS], *found = NULL;
    Py_buffer buffers[BUFFERS] = {{0}};
    int height, width, taken = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "iiOOOOOOOOOOOOOOO", &height, &width, &given[0], &given[1], &given[2], &given[3], &given[4],
                          &given[5], &given[6], &given[7], &given[8], &given[9], &given[10], &given[11], &given[12],
                          &given[13], &given[14]))
        return NULL;
    for (; taken < BUFFERS; taken++)
        if (take_buffer(given[taken], &buffers[taken], taken)) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_TypeError, "None where numbers are needed");
            break;
        }
    if (taken == BUFFERS)
        found = code_buffers(buffers, height, width);
    while (taken--)
        PyBuffer_Release(&buffers[taken]);
    return found;
}

static PyObject *py_choose(PyObject *module, PyObject *args)
{
    int most;
    (void)module;
    if (!PyArg_ParseTuple(args, "i", &most))
        return NULL;
    return PyLong_FromLong(choose(most));
}

static PyMethodDef methods[] = {
    {"code", py_code, METH_VARARGS,
     "code(height, width, planes, weights, numbers, logarithms, windows, offsets, cumulative, latents of levels 1 to 6, "
     "picture or None, payload or None): the payload of latents; or, of a payload, fill in the latents. The picture is "
     "filled in"},
    {"choose", py_choose, METH_VARARGS,
     "choose(most): use the instructions of AVX-512 (2), AVX2 (1) or all processors (0), if there are; returns which"},
    {NULL, NULL, 0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_photographs", "The decoder of photographs, compiled.", -1,
                                 methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__photographs(void)
{
    choose(2);
    return PyModule_Create(&definition);
}
