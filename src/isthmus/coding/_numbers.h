/* What the compiled coders have in common: see isthmus.coding.reference.numbers and .arithmetic, which are the norm. */

#include "_machine.h"

/* ------------------------------------------------------------------ logistic tables */

enum { LIMIT = 2815, KNOT = 64, APM_STEP = 176, APM_KNOTS = 33 };

static const u16 KNOTS[45] = {
    32768, 36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030,
    64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508,
    65514, 65519, 65523, 65526, 65528, 65530, 65531, 65532, 65533, 65534, 65534, 65535, 65535};

static u16 squashed[2 * LIMIT + 1];
static int16_t stretched[4096];
static i32 rates[1024];
static u16 levels[4096]; /* of probabilities, as places in maps of 16 to each level */

static void make_tables(void)
{
    for (int x = -LIMIT; x <= LIMIT; x++) {
        int size = x < 0 ? -x : x, knot = size / KNOT, part = size % KNOT;
        int p = (KNOTS[knot] * (KNOT - part) + KNOTS[knot + 1] * part) / KNOT;
        squashed[x + LIMIT] = (u16)(x < 0 ? 65536 - p : p);
    }
    for (int i = 0, x = -LIMIT; i < 4096; i++) {
        while (x < LIMIT && squashed[x + LIMIT] < 16 * i + 8)
            x++;
        stretched[i] = (int16_t)x;
        levels[i] = (u16)((x + 2816) / 88 * 16);
    }
    for (int n = 0; n < 1024; n++)
        rates[n] = 131072 / (2 * n + 3);
}

static inline int clamp(int x, int limit) { return x > limit ? limit : x < -limit ? -limit : x; }
static inline int squash(int x) { return squashed[clamp(x, LIMIT) + LIMIT]; }
static inline int stretch(int p) { return stretched[p >> 4]; }

static const u64 K1 = 0x9E3779B97F4A7C15u, K2 = 0xD6E8FEB86659FD93u;

static inline u64 mix(u64 a, u64 b)
{
    u64 h = (a + b + 1) * K1;
    h = (h ^ h >> 29) * K2;
    return h ^ h >> 32;
}

/* ------------------------------------------------------------------ what is learned */

typedef u32 Adaptive; /* a probability with 22 bits above, and below how often it was updated, in 10 bits */

static inline int probability(Adaptive map) { return (int)(map >> 16); }
static inline Adaptive start_at(int p) { return (Adaptive)p << 16; }

/* What a map becomes; the product of 22 and 16 bits is made of two that fit into 32. */
static inline Adaptive adapted(Adaptive map, i32 rate, int bit, u32 most)
{
    u32 n = map & 1023, p = map >> 10;
    i32 error = (-bit & ((1 << 22) - 1)) - (i32)p;
    i32 step = ((error >> 11) * rate + ((error & 2047) * rate >> 11)) >> 5;
    return (p + (u32)step) << 10 | (n + (n < most));
}

static inline void adapt(Adaptive *map, int bit, u32 most) { *map = adapted(*map, rates[*map & 1023], bit, most); }

enum { WEIGHT_LIMIT = 1 << 19 };

static inline i32 dot(const i32 *restrict x, const i32 *restrict w, int n)
{
    i32 sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[i] * w[i] >> 8;
    return sum;
}

static inline void learn_weights(i32 *restrict w, const i32 *restrict x, int n, i32 error)
{
    for (int i = 0; i < n; i++) {
        i32 weight = w[i] + ((x[i] * error + (1 << 13)) >> 14);
        weight = weight > WEIGHT_LIMIT ? WEIGHT_LIMIT : weight;
        w[i] = weight < -WEIGHT_LIMIT ? -WEIGHT_LIMIT : weight;
    }
}

/* ------------------------------------------------------------------ the arithmetic coder */

typedef struct {
    u32 low, high;
    u8 *bytes;            /* written by the encoder, read by the decoder */
    size_t length, room;  /* of the bytes there are; of the memory that the encoder has for them */
    size_t read;          /* by the decoder, which reads zeros after the last byte */
    u32 window;
} Coder;

static inline u32 split(const Coder *coder, int p)
{
    u32 range = coder->high - coder->low;
    return coder->low + (u32)((u64)range * (u32)p >> 16);
}

static inline void encode_bit(Coder *coder, int p, int bit)
{
    u32 middle = split(coder, p), zero = (u32)bit - 1; /* by masks: which bit it is, no processor foresees */
    u32 high = (middle & ~zero) | (coder->high & zero), low = (coder->low & ~zero) | ((middle + 1) & zero);
    while (!((low ^ high) >> 24)) {
        coder->bytes[coder->length++] = (u8)(high >> 24);
        low <<= 8;
        high = high << 8 | 255;
    }
    coder->low = low;
    coder->high = high;
}

static inline u32 next_byte(Coder *coder)
{
    u32 byte = coder->read < coder->length ? coder->bytes[coder->read] : 0;
    coder->read++;
    return byte;
}

static inline int decode_bit(Coder *coder, int p)
{
    u32 middle = split(coder, p);
    int bit = coder->window <= middle;
    if (bit)
        coder->high = middle;
    else
        coder->low = middle + 1;
    while (!((coder->low ^ coder->high) >> 24)) {
        coder->low <<= 8;
        coder->high = coder->high << 8 | 255;
        coder->window = coder->window << 8 | next_byte(coder);
    }
    return bit;
}

static u64 rounded_up(u32 low, int bits)
{
    u64 unit = (u64)1 << bits;
    return (low + unit - 1) / unit * unit;
}

/* As few bytes as lead, with zeros after them, to a number between low and high; returns how many. */
static size_t last_bytes(const Coder *coder, u8 out[4])
{
    int n = 0;
    while (n < 4 && rounded_up(coder->low, 32 - 8 * n) > coder->high)
        n++;
    u64 number = rounded_up(coder->low, 32 - 8 * n);
    for (int k = 0; k < n; k++)
        out[k] = (u8)(number >> (24 - 8 * k));
    return (size_t)n;
}

/* Whether the payload ends as the encoder would have ended it. */
static int is_at_end(const Coder *coder)
{
    u8 last[4];
    size_t shifted = coder->read - 4, n = last_bytes(coder, last);
    return shifted + n == coder->length && !memcmp(coder->bytes + shifted, last, n);
}
