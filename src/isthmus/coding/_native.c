/* The predictor and the arithmetic coder, compiled.

   The folder reference is the norm: it says what each step is for, under the same names and in the same order. This file does
   the same on machine integers and must give the same bytes; isthmus checks that whenever it is loaded. Signed shifts to
   the right are arithmetic, as every compiler that CPython supports has them. */

#include "_numbers.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define WITH_AVX2
#include <immintrin.h>
#endif
static u8 sureness[64]; /* of a cell's count, as a place in by_level */

/* ------------------------------------------------------------------ the state of a predictor */

enum {
    CONTEXTS = 26, SETS = 10, MATCHERS = 2, PER_CONTEXT = 4, PER_MATCHER = 2, OF_NETWORK = 3,
    INPUTS = CONTEXTS * PER_CONTEXT + MATCHERS * PER_MATCHER + 1,
    PRIOR_CONTEXTS = 17, PRIOR_INPUTS = PRIOR_CONTEXTS * PER_CONTEXT + MATCHERS * PER_MATCHER + 1 + OF_NETWORK,
    PADDED = INPUTS / 8 * 8 + 8, /* one more than there are inputs, at least */
    HISTORIES = 512, SURE = 16, LEVELS = 64, RUNS = 128, LENGTHS = 32, APMS = 3,
    MAP_LIMIT = 400, CELL_LIMIT = 60, NO_BYTE = 0, FARTHEST = 2048,
};

static const u16 SELECTIONS[SETS] = {256, 2048, 2048, 256, 256, 1024, 2048, 1024, 1024, 512};
static const u32 APM_CONTEXTS[APMS] = {256, 65536, 65536};
static const u8 MATCH_MIN[MATCHERS] = {5, 20};

typedef struct { u16 p, state; } Cell;     /* a probability with 16 bits; count << 8 | the last eight bits seen */
typedef struct { u16 check; u8 last, run; Cell cells[15]; } Slot;

typedef struct {
    int contexts, sets, matchers, apms, shares[1 + APMS], weight, least_rate, rate; /* see the norm */
    u8 numbers[CONTEXTS]; /* of the contexts, as set_contexts lists them */
} Speed;

enum { ORDERS = 7 };
static const u8 ORDERED[ORDERS] = {0, 1, 2, 3, 4, 7, 8};

#define FIRST_SIX 0, 1, 2, 3, 4, 5
static const Speed SPEEDS[3] = {
    {0},
    {CONTEXTS, 9, 2, 3, {1, 1, 2, 4}, 3500, 26, 294,
     {FIRST_SIX, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25}},
    {6, 2, 1, 1, {4, 4}, 9000, 26, 294, {FIRST_SIX}},
};
static const Speed WITH_PRIOR = {
    PRIOR_CONTEXTS, SETS, 2, 3, {1, 1, 2, 4}, 0, 20, 100, {FIRST_SIX, 8, 9, 10, 11, 17, 18, 19, 20, 21, 24, 25}};

typedef struct {
    Adaptive by_history[HISTORIES], by_level[LEVELS * SURE], by_run[RUNS];
    u64 hash;
    Slot *first, *slot;    /* of the first half of the byte, and of the half that is being coded */
    int history, level, run, run_bit; /* places in the maps that the coming bit uses; -1 for none */
} Context;

typedef struct {
    u32 *table;
    u32 at, length;
    int byte, place, bit; /* the byte expected, with 256 added; where the map was read; the bit expected */
    Adaptive by_length[LENGTHS];
} Matcher;

enum { GRAMS = 6, WIDTH = 16, HIDDEN = 256, LOOKED_UP = GRAMS * WIDTH, FEATURES = HIDDEN + LOOKED_UP, GATES = 3 * HIDDEN };
static const u8 GRAM_BITS[GRAMS] = {15, 16, 16, 16, 16, 16};

/* What a predictor knows before it has seen anything: see isthmus.coding.prior. */
typedef struct {
    int8_t *grams[GRAMS];
    int16_t last[256][GATES], bias[HIDDEN], nodes[256][FEATURES], node_bias[256];
    int8_t inputs[GATES * LOOKED_UP], recurrent[GATES * HIDDEN]; /* in blocks: see multiply */
    i32 weights[SETS][PRIOR_INPUTS], final_weights[2][SETS];
    Adaptive by_history[PRIOR_CONTEXTS][HISTORIES], by_level[PRIOR_CONTEXTS][LEVELS * SURE], by_run[PRIOR_CONTEXTS][RUNS];
    Adaptive by_length[MATCHERS][LENGTHS];
    int slot_bits; /* 0 where there are no slots */
    Slot *slots;
} Prior;

typedef struct {
    const Prior *prior; /* or NULL */
    Speed speed;
    int bits, match_bits;
    int ordered[ORDERS]; /* places of the contexts that are the last bytes, -1 where one is not used */
    u32 buffer_mask;
    Slot *slots;
    u8 *buffer;
    i32 *weights[SETS], **rows; /* rows: those of the weights that were used */
    u16 *apms[APMS], **curves;
    size_t rows_used, curves_used;
    i32 final_weights[2][256][16], final_uses[2][256];
    Context contexts[CONTEXTS];
    Matcher matchers[MATCHERS];
    u16 *network_curves; /* of nodes */
    /* what has been seen */
    u64 pos;
    u32 c4, c8;
    u64 words[3], shape, folded, marks;
    u32 line, line_before, first_of_line, mark, letters, followers[256];
    u32 seen_at[256], record, votes;
    u16 distances[FARTHEST];
    /* of the coming bit */
    int partial, bit_place;
    i32 inputs[PADDED];
    int selected[SETS], outputs[16], probabilities[SETS];
    int final_selected[2], final_probabilities[2];
    u16 *nearest[APMS];
    /* of the network */
    int16_t features[FEATURES]; /* state, 1/2^14; then what was looked up */
    int odds;     /* log odds of the coming bit */
    u16 *network_nearest;
} Predictor;

static Context new_context;

static void make_context(Context *c)
{
    for (int j = 0; j < HISTORIES; j++) {
        int seen = j < 256 ? 0 : 8, ones = 0;
        for (int k = j >> 1; j < 256 && k; k >>= 1)
            seen++;
        for (int k = 0; k < seen; k++)
            ones += j >> k & 1;
        c->by_history[j] = start_at((10 * ones + (j < 256 ? 4 : 2)) * 65535 / (10 * seen + (j < 256 ? 8 : 4)));
    }
    for (int j = 0; j < LEVELS * SURE; j++)
        c->by_level[j] = start_at(squash(j / SURE * 88 + 44 - 2816));
    for (int j = 0; j < RUNS; j++)
        c->by_run[j] = start_at(squash(300 + j / 8 * 30));
}

static void step_network(Predictor *m);
static void begin_text(Predictor *m);
static void set_contexts(Predictor *m);
static void set_slots(Predictor *m);

static void clear(Predictor *m, int fresh)
{
    if (!fresh) { /* else the system gave zeros, and gives memory only where it is touched */
        memset(m->slots, 0, sizeof(Slot) << m->bits);
        memset(m->buffer, 0, (size_t)m->buffer_mask + 1);
        while (m->rows_used)
            memset(m->rows[--m->rows_used], 0, sizeof(i32) * PADDED);
        while (m->curves_used)
            memset(m->curves[--m->curves_used], 0, sizeof(u16) * APM_KNOTS);
    }
    const Prior *prior = m->prior;
    for (int i = 0; i < m->speed.contexts; i++) {
        Context *context = m->contexts + i;
        *context = new_context;
        if (prior) {
            memcpy(context->by_history, prior->by_history[i], sizeof context->by_history);
            memcpy(context->by_level, prior->by_level[i], sizeof context->by_level);
            memcpy(context->by_run, prior->by_run[i], sizeof context->by_run);
        }
    }
    for (int k = 0; k < m->speed.matchers; k++) {
        Matcher *matcher = m->matchers + k;
        u32 *table = matcher->table;
        memset(matcher, 0, sizeof *matcher);
        matcher->table = table;
        memset(table, 0, sizeof(u32) << m->match_bits);
        for (int j = 0; j < LENGTHS; j++)
            matcher->by_length[j] = prior ? prior->by_length[k][j] : start_at(32768 + 480 * j);
    }
    memset(m->final_uses, 0, sizeof m->final_uses);
    for (int f = 0; f < 2; f++)
        for (int i = 0; i < 256 * 16; i++)
            m->final_weights[f][i / 16][i % 16] = prior && i % 16 < SETS ? prior->final_weights[f][i % 16] : 65536 / m->speed.sets;
    if (prior)
        for (int i = 0; i < 256 * APM_KNOTS; i++)
            m->network_curves[i] = (u16)squash((i % APM_KNOTS - 16) * APM_STEP);
    begin_text(m);
}

/* Forget what was seen. */
static void begin_text(Predictor *m)
{
    memset(&m->pos, 0, (size_t)((char *)(m + 1) - (char *)&m->pos));
    m->partial = 1;
    if (m->prior)
        step_network(m);
    set_contexts(m);
    set_slots(m);
}

/* ------------------------------------------------------------------ between two bytes */

static inline int kind_of(int c)
{
    if (c >= 'a' && c <= 'z') return 1;
    if (c >= 'A' && c <= 'Z') return 2;
    if (c >= '0' && c <= '9') return 3;
    if (c >= 128) return 4;
    if (c == ' ') return 5;
    if (c == '\n') return 6;
    return c < 32 ? 7 : 8 + (c & 7);
}

static inline int fold(int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; }
static inline int is_letter(int c) { int kind = kind_of(c); return kind == 1 || kind == 2 || kind == 4; }
static inline u32 byte_at(const Predictor *m, u64 pos) { return m->buffer[pos & m->buffer_mask]; }

static void set_contexts(Predictor *m)
{
    u32 c4 = m->c4, c1 = c4 & 0xff, c2 = c4 >> 8 & 0xff, pos = (u32)m->pos;
    u32 column = pos - m->line, over = m->line_before + column;
    u32 above = over < m->line ? byte_at(m, over) : '\n';
    u32 above_next = over + 1 < m->line ? byte_at(m, over + 1) : '\n';
    int is_regular = 20u * m->distances[m->record] > m->votes;
    u32 record = is_regular ? m->record : 1;
    u64 word = m->words[0], pair = mix(word, m->words[1]);
    u32 back = byte_at(m, (u64)pos - record), back2 = byte_at(m, (u64)pos - 2 * record);
    u64 all[CONTEXTS] = {
        c1,
        c4 & 0xffff,
        c4 & 0xffffff,
        c4,
        mix(m->folded & 0xffffffffffu, 5),
        mix(word, c1),
        pair,
        mix(c4, m->c8 & 0xff),
        mix(c4, m->c8),
        0,
        mix(pair, m->words[2]),
        mix(word, m->words[2] + 7),
        c4 & 0xffff00,
        c4 & 0xff00ff,
        (c4 & 0xffff0000) >> 8,
        mix(m->followers[c1], c1),
        mix(m->words[1] + (c4 & 0xffff), 9),
        mix(above | above_next << 8, c1),
        mix(m->shape, 0),
        mix(m->shape & 0xffffff, c1 | c2 << 8),
        mix(m->marks, word),
        mix(m->first_of_line, column < 255 ? column : 255),
        mix(word * 7 + column, 9),
        mix(word * 7 + m->mark, 9),
        is_regular ? mix(back | c1 << 8 | (u64)record << 16, 1) : mix(m->folded & 0xffffffffffff, 6),
        is_regular ? mix(back | back2 << 8 | (u64)record << 16, 2 * (u64)(pos % record)) : 0,
    };
    for (int i = 0; i < m->speed.contexts; i++) {
        int number = m->speed.numbers[i];
        m->contexts[i].hash = mix(all[number] * K2, (u64)(number + 1) << 40);
    }
}

static Slot *find(Predictor *m, u64 hash)
{
    u16 check = (u16)(hash & 0xffff ? hash & 0xffff : 1);
    size_t place = hash >> (64 - m->bits);
    Slot *least = NULL;
    for (int k = 0; k < 3; k++) {
        Slot *slot = m->slots + (place ^ k);
        if (slot->check == check)
            return slot;
        if (!least || slot->cells[0].state >> 8 < least->cells[0].state >> 8)
            least = slot;
    }
    if (m->prior && m->prior->slot_bits) { /* what the prior knows is copied where it is first needed */
        const Slot *known = m->prior->slots + (hash >> (64 - m->prior->slot_bits));
        if (known->check == check) {
            *least = *known;
            return least;
        }
    }
    memset(least, 0, sizeof *least);
    least->check = check;
    for (int j = 0; j < 15; j++)
        least->cells[j].p = 32768;
    return least;
}

static void set_slots(Predictor *m)
{
    u64 hashes[CONTEXTS];
    for (int i = 0; i < m->speed.contexts; i++) {
        u64 hash = m->contexts[i].hash;
        hashes[i] = m->bit_place ? mix(hash, (u64)(m->partial + 1) << 20) : hash;
        PREFETCH(m->slots + (hashes[i] >> (64 - m->bits)));
    }
    for (int i = 0; i < m->speed.contexts; i++) {
        Context *context = m->contexts + i;
        context->slot = find(m, hashes[i]);
        if (!m->bit_place)
            context->first = context->slot;
    }
}

static void set_match(Predictor *m, Matcher *matcher, int least)
{
    if (matcher->length && byte_at(m, matcher->at) == (m->c4 & 0xff)) {
        matcher->length += matcher->length < 65535;
        matcher->at++;
    } else
        matcher->length = 0;
    if (m->pos >= (u64)least) {
        u64 hash = 0;
        for (int j = 1; j <= least; j++)
            hash = (hash + byte_at(m, m->pos - j) + 1) * K1;
        u32 *found = matcher->table + ((hash ^ hash >> 31) * K2 >> (64 - m->match_bits));
        if (!matcher->length && *found) {
            u32 length = 0;
            while (length < 400 && length < *found && byte_at(m, *found - length - 1) == byte_at(m, m->pos - length - 1))
                length++;
            if (length >= (u32)least) {
                matcher->length = length;
                matcher->at = *found;
            }
        }
        *found = (u32)m->pos;
    }
    matcher->byte = matcher->length ? (int)byte_at(m, matcher->at) | 256 : NO_BYTE;
}

static void count_record(Predictor *m, int c)
{
    u32 distance = (u32)m->pos - m->seen_at[c];
    m->seen_at[c] = (u32)m->pos;
    if (distance < 2 || distance >= FARTHEST)
        return;
    for (u32 d = distance; d > 1; d >>= 1) {
        m->distances[distance]++;
        m->votes++;
    }
    if (m->distances[distance] > m->distances[m->record])
        m->record = distance;
    if (m->distances[distance] >= 1000) {
        m->votes = 0;
        for (int d = 0; d < FARTHEST; d++)
            m->votes += m->distances[d] /= 2;
    }
}

static void see(Predictor *m, int c)
{
    u32 c1 = m->c4 & 0xff;
    for (int i = 0; i < m->speed.contexts; i++) {
        Slot *slot = m->contexts[i].first;
        if (slot->last == c)
            slot->run += slot->run < 255;
        else {
            slot->last = (u8)c;
            slot->run = 1;
        }
    }
    m->buffer[m->pos++ & m->buffer_mask] = (u8)c;
    m->followers[c1] = (m->followers[c1] << 8 | (u32)c) & 0xffff;
    count_record(m, c);
    m->c8 = m->c8 << 8 | m->c4 >> 24;
    m->c4 = m->c4 << 8 | (u32)c;
    if (is_letter(c)) {
        m->words[0] = mix(m->words[0], (u64)fold(c));
        m->letters++;
    } else {
        if (m->words[0]) {
            m->words[2] = m->words[1];
            m->words[1] = m->words[0];
            m->words[0] = 0;
        }
        m->letters = 0;
        if (c != ' ' && c != '\n') {
            m->mark = (u32)c;
            if (c < '0' || c > '9')
                m->marks = mix(m->marks & 0xffffffff, (u64)c);
        }
    }
    if (c == '\n') {
        m->line_before = m->line;
        m->line = (u32)m->pos;
        m->marks = 0;
        m->first_of_line = 0;
    } else if ((u32)m->pos - m->line == 1)
        m->first_of_line = (u32)c;
    int folded = c == '\n' || c == '\r' || c == '\t' ? ' ' : fold(c);
    if (folded != ' ' || (m->folded & 0xff) != ' ')
        m->folded = m->folded << 8 | (u32)folded;
    m->shape = m->shape << 4 | (u32)kind_of(c);
}

/* ------------------------------------------------------------------ the network */

/* The rows of the tables that the coming byte looks up. */
static void find_grams(const Predictor *m, u32 rows[GRAMS])
{
    u64 word = m->words[0], all[GRAMS] = {
        m->c4 & 0xffff, m->c4 & 0xffffff, m->c4, m->folded & 0xffffffffffff, mix(word, m->c4 & 0xff), mix(word, m->words[1]),
    };
    for (int k = 0; k < GRAMS; k++)
        rows[k] = (u32)(mix(all[k] * K2, (u64)(k + 1) << 40) >> (64 - GRAM_BITS[k]));
}

/* Matrices are kept in blocks of eight rows, in which the weights of two neighbouring columns stand together, so that
   a vector register holds the sums of eight rows. */
enum { BLOCK = 8 };

static void to_blocks(int8_t *blocks, const int8_t *rows, int columns)
{
    for (int row = 0; row < GATES; row++)
        for (int k = 0; k < columns; k++)
            blocks[((row / BLOCK * (columns / 2) + k / 2) * BLOCK + row % BLOCK) * 2 + k % 2] = rows[row * columns + k];
}

static void multiply_plainly(i32 *restrict sums, const int8_t *restrict blocks, const int16_t *restrict x, int columns)
{
    for (int block = 0; block < GATES / BLOCK; block++, sums += BLOCK) {
        for (int row = 0; row < BLOCK; row++)
            sums[row] = 0;
        for (int k = 0; k < columns; k += 2, blocks += 2 * BLOCK)
            for (int row = 0; row < BLOCK; row++)
                sums[row] += blocks[2 * row] * x[k] + blocks[2 * row + 1] * x[k + 1];
    }
}

#ifdef WITH_AVX2
__attribute__((target("avx2")))
static void multiply_by_avx2(i32 *restrict sums, const int8_t *restrict blocks, const int16_t *restrict x, int columns)
{
    const int stride = columns * BLOCK;
    for (int block = 0; block < GATES / BLOCK; block += 4, blocks += 4 * stride, sums += 4 * BLOCK) {
        __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
        for (int k = 0; k < columns; k += 2) {
            i32 pair;
            memcpy(&pair, x + k, sizeof pair);
            __m256i both = _mm256_set1_epi32(pair);
            for (int b = 0; b < 4; b++) {
                __m128i weights = _mm_loadu_si128((const __m128i *)(blocks + b * stride + k * BLOCK));
                sum[b] = _mm256_add_epi32(sum[b], _mm256_madd_epi16(_mm256_cvtepi8_epi16(weights), both));
            }
        }
        for (int b = 0; b < 4; b++)
            _mm256_storeu_si256((__m256i *)(sums + b * BLOCK), sum[b]);
    }
}
#endif

typedef void Multiply(i32 *, const int8_t *, const int16_t *, int);
static Multiply *multiply = multiply_plainly;

static int choose_multiply(int wide)
{
    multiply = multiply_plainly;
#ifdef WITH_AVX2
    if (wide && __builtin_cpu_supports("avx2"))
        multiply = multiply_by_avx2;
#endif
    return multiply != multiply_plainly;
}

VECTORISED
static int odds_of(const Prior *prior, const int16_t *features, int node)
{
    const int16_t *w = prior->nodes[node];
    i32 sum = 0;
    for (int i = 0; i < FEATURES; i++)
        sum += w[i] * features[i];
    return clamp((sum >> 15) + prior->node_bias[node], LIMIT);
}

/* The state after the last byte, and what is looked up for the coming one. */
static void step_network(Predictor *m)
{
    const Prior *prior = m->prior;
    const int16_t *last = prior->last[m->c4 & 0xff];
    int16_t *h = m->features, x[LOOKED_UP];
    i32 a[GATES], b[GATES];
    u32 rows[GRAMS];
    find_grams(m, rows);
    for (int k = 0; k < GRAMS; k++) /* they come from memory while the processor multiplies */
        PREFETCH(prior->grams[k] + rows[k] * WIDTH);
    for (int i = 0; i < GATES; i += 32)
        PREFETCH(last + i);
    multiply(b, prior->recurrent, h, HIDDEN);
    for (int k = 0; k < GRAMS; k++)
        for (int j = 0; j < WIDTH; j++) {
            x[k * WIDTH + j] = prior->grams[k][rows[k] * WIDTH + j];
            h[HIDDEN + k * WIDTH + j] = (int16_t)(x[k * WIDTH + j] * 256);
        }
    multiply(a, prior->inputs, x, LOOKED_UP);
    for (int i = 0; i < HIDDEN; i++) {
        int r = squash(((a[i] + last[i]) * 256 + b[i]) >> 12) >> 1;
        int z = squash(((a[i + HIDDEN] + last[i + HIDDEN]) * 256 + b[i + HIDDEN]) >> 12) >> 1;
        int c = clamp((b[i + 2 * HIDDEN] >> 8) + prior->bias[i], 32768);
        int n = (squash((a[i + 2 * HIDDEN] + last[i + 2 * HIDDEN] + (r * c >> 15)) >> 3) - 32768) >> 1;
        h[i] = (int16_t)(n + (z * (h[i] - n) >> 15));
    }
}

/* ------------------------------------------------------------------ a bit */

static inline int cell_of(const Predictor *m)
{
    int bits = m->bit_place & 3;
    return (1 << bits) - 1 + (m->partial & ((1 << bits) - 1));
}

static inline int length_class(u32 length)
{
    if (length < 16) return (int)length;
    if (length < 32) return 16 + (int)(length - 16) / 4;
    if (length < 64) return 20 + (int)(length - 32) / 8;
    return length < 400 ? 24 + (int)(length - 64) / 48 : 31;
}

static inline void read_context(const Predictor *m, Context *context, int cell, i32 *x)
{
    const Cell *c = context->slot->cells + cell;
    int count = c->state >> 8, seen = c->state & 0xff, history, level, p, q;
    if (!count) {
        context->history = context->run = -1;
        x[0] = x[1] = x[2] = x[3] = 0;
        return;
    }
    history = context->history = count < 8 ? 1 << count | (seen & ((1 << count) - 1)) : 256 + seen;
    level = context->level = levels[c->p >> 4] + sureness[count];
    p = probability(context->by_history[history]);
    q = probability(context->by_level[level]);
    x[0] = (stretch(p) + stretch(q)) >> 1;
    x[1] = stretch(c->p);
    x[2] = (p + q - 65536) >> 6;
    const Slot *first = context->first;
    if (first->run && (first->last | 256) >> (8 - m->bit_place) == m->partial) {
        context->run_bit = first->last >> (7 - m->bit_place) & 1;
        context->run = (first->run < 15 ? first->run : 15) * 8 + m->bit_place;
        int strength = stretch(probability(context->by_run[context->run]));
        x[3] = context->run_bit ? strength : -strength;
    } else {
        context->run = -1;
        x[3] = 0;
    }
}

static inline void read_match(const Predictor *m, Matcher *matcher, i32 *x)
{
    if (matcher->byte && matcher->byte >> (8 - m->bit_place) == m->partial) {
        matcher->bit = matcher->byte >> (7 - m->bit_place) & 1;
        matcher->place = length_class(matcher->length);
        int p = probability(matcher->by_length[matcher->place]), strength = stretch(p), surplus = (p - 32768) >> 5;
        x[0] = matcher->bit ? strength : -strength;
        x[1] = matcher->bit ? surplus : -surplus;
    } else {
        matcher->length = 0;
        matcher->byte = NO_BYTE;
        matcher->place = -1;
        x[0] = x[1] = 0;
    }
}

static inline i32 *read_network(Predictor *m, i32 *x)
{
    int odds = m->odds = odds_of(m->prior, m->features, m->partial);
    int knot = (odds + LIMIT + 1) / APM_STEP, part = (odds + LIMIT + 1) % APM_STEP;
    u16 *curve = m->network_curves + m->partial * APM_KNOTS + knot;
    m->network_nearest = part > APM_STEP / 2 ? curve + 1 : curve;
    x[0] = odds;
    x[1] = (squash(odds) - 32768) >> 5;
    x[2] = stretch((curve[0] * (APM_STEP - part) + curve[1] * part) / APM_STEP);
    return x + OF_NETWORK;
}

static inline void select_weights(Predictor *m, int order, int longest)
{
    int partial = m->partial, bit = m->bit_place, c1 = m->c4 & 0xff, c2 = m->c4 >> 8 & 0xff;
    int quarter = bit >> 1;
    u32 column = (u32)m->pos - m->line;
    m->selected[0] = partial;
    m->selected[1] = order * 256 + partial;
    m->selected[2] = (m->matchers[0].byte & 0xff) * 8 + bit;
    m->selected[3] = c1;
    m->selected[4] = c2;
    m->selected[5] = (kind_of(c1) * 16 + kind_of(c2)) * 4 + quarter;
    m->selected[6] = longest * 8 + bit;
    m->selected[7] = (int)(column < 127 ? column : 127) * 8 + bit;
    m->selected[8] = (int)(m->letters < 15 ? m->letters : 15) * 64 + kind_of(m->c4 >> 16 & 0xff) * 4 + quarter;
    m->selected[9] = (m->odds + 2816) / 88 * 8 + bit;
    m->final_selected[0] = partial;
    m->final_selected[1] = order * 32 + longest;
}

/* Weights and curves take their first values when they are first used, and only those are cleared again, so that a
   short text does not pay for all of them. The last weight belongs to no input and says that the others are set; a curve never has a zero in it. */
static i32 *weights_of(Predictor *m, int set)
{
    i32 *w = m->weights[set] + m->selected[set] * PADDED;
    int n = m->speed.contexts * PER_CONTEXT, used = n + m->speed.matchers * PER_MATCHER;
    if (w[PADDED - 1]++)
        return w;
    if (m->prior)
        memcpy(w, m->prior->weights[set], sizeof(i32) * PRIOR_INPUTS);
    else
        for (int i = 0; i < used; i++)
            w[i] = i >= n || i % PER_CONTEXT == 0 ? m->speed.weight : m->speed.weight * (i % PER_CONTEXT == 2 ? 2 : 1) / 5;
    m->rows[m->rows_used++] = w;
    return w;
}

static u16 *curve_of(Predictor *m, int apm, u32 place)
{
    u16 *curve = m->apms[apm] + place * APM_KNOTS;
    if (curve[0])
        return curve;
    for (int i = 0; i < APM_KNOTS; i++)
        curve[i] = (u16)squash((i - 16) * APM_STEP);
    m->curves[m->curves_used++] = curve;
    return curve;
}

VECTORISED
static int predict(Predictor *m)
{
    int cell = cell_of(m), n = m->speed.contexts, order = 0, longest = 0;
    i32 *x = m->inputs;
    for (int i = 0; i < n; i++)
        read_context(m, m->contexts + i, cell, x + i * PER_CONTEXT);
    for (int k = 0; k < ORDERS; k++)
        if (m->ordered[k] >= 0 && m->contexts[m->ordered[k]].history >= 0)
            order = k + 1;
    x += n * PER_CONTEXT;
    for (int k = 0; k < m->speed.matchers; k++, x += PER_MATCHER) {
        read_match(m, m->matchers + k, x);
        if (m->matchers[k].place > longest)
            longest = m->matchers[k].place;
    }
    *x++ = 256;
    if (m->prior)
        x = read_network(m, x);
    int used = (int)(x - m->inputs + 7) / 8 * 8;
    select_weights(m, order, longest);
    for (int k = 0; k < m->speed.sets; k++) {
        i32 out = dot(m->inputs, weights_of(m, k), used) >> 8;
        m->outputs[k] = clamp(out, LIMIT);
        m->probabilities[k] = squash(out);
    }
    int both = 0;
    for (int f = 0; f < 2; f++) {
        i32 out = dot(m->outputs, m->final_weights[f][m->final_selected[f]], 16) >> 8;
        m->final_probabilities[f] = squash(out);
        both += clamp(out, LIMIT);
    }
    int mixed = both >> 1, knot = (mixed + LIMIT + 1) / APM_STEP, part = (mixed + LIMIT + 1) % APM_STEP;
    u32 places[APMS] = {
        (u32)m->partial,
        (u32)m->partial | (m->c4 & 0xff) << 8,
        (u32)(mix((u64)m->partial | (m->c4 & 0xffff) << 8, 3) >> 40 & 0xffff),
    };
    int p = 4 + m->speed.shares[0] * squash(mixed);
    for (int a = 0; a < m->speed.apms; a++) {
        u16 *curve = curve_of(m, a, places[a]) + knot;
        m->nearest[a] = part > APM_STEP / 2 ? curve + 1 : curve;
        int refined = (curve[0] * (APM_STEP - part) + curve[1] * part) / APM_STEP;
        p += m->speed.shares[1 + a] * refined;
    }
    p >>= 3;
    return p < 1 ? 1 : p > 65535 ? 65535 : p;
}

VECTORISED
static void update(Predictor *m, int bit)
{
    int cell = cell_of(m), n = m->speed.contexts, target = bit ? 65535 : 0;
    int used = (n * PER_CONTEXT + m->speed.matchers * PER_MATCHER + 1 + (m->prior ? OF_NETWORK : 0) + 7) / 8 * 8;
    int rate = m->speed.least_rate + m->speed.rate * 1024 / (1024 + (int)(m->pos < 1000000 ? m->pos : 1000000) / 4);
    for (int k = 0; k < m->speed.sets; k++) {
        i32 error = ((bit << 16) - m->probabilities[k]) * rate >> 8;
        learn_weights(m->weights[k] + m->selected[k] * PADDED, m->inputs, used, error);
    }
    for (int f = 0; f < 2; f++) {
        i32 error = ((bit << 16) - m->final_probabilities[f]) >> 3;
        learn_weights(m->final_weights[f][m->final_selected[f]], m->outputs, 16, error);
        m->final_uses[f][m->final_selected[f]]++;
    }
    for (int a = 0; a < m->speed.apms; a++) {
        u16 *p = m->nearest[a];
        *p = (u16)(*p + (target - *p) / 48);
    }
    if (m->prior) {
        u16 *p = m->network_nearest;
        *p = (u16)(*p + (target - *p) / 48);
    }
    for (int i = 0; i < n; i++) {
        Context *context = m->contexts + i;
        Cell *c = context->slot->cells + cell;
        int count = c->state >> 8;
        if (context->history >= 0) {
            adapt(context->by_history + context->history, bit, MAP_LIMIT);
            adapt(context->by_level + context->level, bit, MAP_LIMIT);
            if (context->run >= 0)
                adapt(context->by_run + context->run, context->run_bit == bit, MAP_LIMIT);
        }
        c->p = (u16)(c->p + ((i64)(target - c->p) * rates[count < CELL_LIMIT ? count : CELL_LIMIT] >> 16));
        c->state = (u16)((count < 63 ? count + 1 : 63) << 8 | ((c->state << 1 | bit) & 0xff));
    }
    for (int k = 0; k < m->speed.matchers; k++)
        if (m->matchers[k].place >= 0)
            adapt(m->matchers[k].by_length + m->matchers[k].place, m->matchers[k].bit == bit, MAP_LIMIT);
    m->partial = m->partial << 1 | bit;
    m->bit_place++;
    if (m->bit_place == 8) {
        see(m, m->partial & 0xff);
        m->partial = 1;
        m->bit_place = 0;
        if (m->prior)
            step_network(m);
        set_contexts(m);
        for (int k = 0; k < m->speed.matchers; k++)
            set_match(m, m->matchers + k, MATCH_MIN[k]);
    }
    if (!(m->bit_place & 3))
        set_slots(m);
}

/* ------------------------------------------------------------------ memory */

static void destroy(Predictor *m)
{
    if (!m)
        return;
    free(m->slots);
    free(m->buffer);
    for (int k = 0; k < SETS; k++)
        free(m->weights[k]);
    for (int k = 0; k < MATCHERS; k++)
        free(m->matchers[k].table);
    for (int a = 0; a < APMS; a++)
        free(m->apms[a]);
    free(m->rows);
    free(m->curves);
    free(m->network_curves);
    free(m);
}

static Predictor *create(int bits, int speed, const Prior *prior)
{
    Predictor *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->prior = prior;
    m->speed = prior ? WITH_PRIOR : SPEEDS[speed];
    for (int k = 0; k < ORDERS; k++) {
        m->ordered[k] = -1;
        for (int i = 0; i < m->speed.contexts; i++)
            if (m->speed.numbers[i] == ORDERED[k])
                m->ordered[k] = i;
    }
    m->bits = bits;
    m->match_bits = bits - 2;
    m->buffer_mask = (1u << (bits + 2)) - 1;
    size_t rows = 0, curves = 0;
    for (int k = 0; k < m->speed.sets; k++)
        rows += SELECTIONS[k];
    for (int a = 0; a < m->speed.apms; a++)
        curves += APM_CONTEXTS[a];
    int whole = (m->rows = malloc(rows * sizeof *m->rows)) && (m->curves = malloc(curves * sizeof *m->curves));
    whole = whole && (m->slots = calloc((size_t)1 << bits, sizeof(Slot))) && (m->buffer = calloc((size_t)1 << (bits + 2), 1));
    for (int k = 0; k < m->speed.sets; k++)
        whole = whole && (m->weights[k] = calloc((size_t)SELECTIONS[k] * PADDED, sizeof(i32)));
    for (int k = 0; k < m->speed.matchers; k++)
        whole = whole && (m->matchers[k].table = malloc(sizeof(u32) << m->match_bits));
    for (int a = 0; a < m->speed.apms; a++)
        whole = whole && (m->apms[a] = calloc((size_t)APM_CONTEXTS[a] * APM_KNOTS, sizeof(u16)));
    if (prior)
        whole = whole && (m->network_curves = malloc(256 * APM_KNOTS * sizeof(u16)));
    if (!whole) {
        destroy(m);
        return NULL;
    }
    clear(m, 1);
    return m;
}

enum { PIECE = 4096, BYTE_MOST = 40 }; /* bytes between two looks at signals; most bytes that one byte can cost, with room */

static int make_room(Coder *coder)
{
    if (coder->room - coder->length >= PIECE * BYTE_MOST)
        return 1;
    size_t room = coder->room * 2 + PIECE * BYTE_MOST;
    u8 *bytes = realloc(coder->bytes, room);
    if (!bytes)
        return 0;
    coder->bytes = bytes;
    coder->room = room;
    return 1;
}

static void encode_piece(Predictor *m, Coder *coder, const u8 *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 7; k >= 0; k--) {
            int bit = data[i] >> k & 1;
            encode_bit(coder, predict(m), bit);
            update(m, bit);
        }
}

static void decode_piece(Predictor *m, Coder *coder, u8 *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int byte = 0;
        for (int k = 0; k < 8; k++) {
            int bit = decode_bit(coder, predict(m));
            update(m, bit);
            byte = byte << 1 | bit;
        }
        data[i] = (u8)byte;
    }
}

static void learn_piece(Predictor *m, const u8 *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 7; k >= 0; k--) {
            predict(m);
            update(m, data[i] >> k & 1);
        }
}

/* ------------------------------------------------------------------ for Python */

static const char NAME[] = "isthmus.coding.Predictor";

typedef struct {
    Predictor *predictor;
    PyObject *prior;
    int busy, broken; /* in another thread; left in the middle of a byte by an exception */
    volatile int stopped; /* by another thread */
} Handle;

/* Memory that was used once is ready sooner than new memory, which matters to many short texts: a few small predictors
   are kept for the next coder of their kind. Python's lock guards them. */
enum { KEPT = 4, SMALL_BITS = 18 };
static Predictor *kept[KEPT];

static Predictor *new_predictor(int bits, int speed, const Prior *prior)
{
    for (int k = 0; k < KEPT; k++) {
        Predictor *m = kept[k];
        if (m && m->bits == bits && m->prior == prior && (prior || m->speed.contexts == SPEEDS[speed].contexts)) {
            kept[k] = NULL;
            clear(m, 0);
            return m;
        }
    }
    return create(bits, speed, prior);
}

static void drop(Predictor *m)
{
    static int turn;
    if (m && m->bits <= SMALL_BITS) {
        Predictor *replaced = kept[turn];
        kept[turn] = m;
        turn = (turn + 1) % KEPT;
        m = replaced;
    }
    destroy(m);
}

static const char PRIOR_NAME[] = "isthmus.coding.Prior";

static void free_prior(Prior *prior)
{
    if (!prior)
        return;
    for (int k = 0; k < GRAMS; k++)
        free(prior->grams[k]);
    free(prior->slots);
    free(prior);
}

/* Predictors of a prior that are kept go with it. */
static void forget_prior(PyObject *capsule)
{
    Prior *prior = PyCapsule_GetPointer(capsule, PRIOR_NAME);
    for (int k = 0; k < KEPT; k++)
        if (kept[k] && kept[k]->prior == prior) {
            destroy(kept[k]);
            kept[k] = NULL;
        }
    free_prior(prior);
}

enum { SLOT_SIZE = 64, TENSORS = GRAMS + 13 };

static u16 read_u16(const u8 *bytes) { return (u16)(bytes[0] | bytes[1] << 8); }

static void read_slots(Prior *prior, const u8 *bytes)
{
    for (size_t i = 0; i < (size_t)1 << prior->slot_bits; i++, bytes += SLOT_SIZE) {
        Slot *slot = prior->slots + i;
        slot->check = read_u16(bytes);
        slot->last = bytes[2];
        slot->run = bytes[3];
        for (int j = 0; j < 15; j++) {
            slot->cells[j].p = read_u16(bytes + 4 + 4 * j);
            slot->cells[j].state = read_u16(bytes + 6 + 4 * j);
        }
    }
}

static void write_slots(u8 *bytes, const Slot *slots, size_t count)
{
    for (const Slot *slot = slots; slot < slots + count; slot++, bytes += SLOT_SIZE) {
        u16 words[32] = {slot->check, (u16)(slot->last | slot->run << 8)};
        for (int j = 0; j < 15; j++) {
            words[2 + 2 * j] = slot->cells[j].p;
            words[3 + 2 * j] = slot->cells[j].state;
        }
        for (int k = 0; k < 32; k++) {
            bytes[2 * k] = (u8)words[k];
            bytes[2 * k + 1] = (u8)(words[k] >> 8);
        }
    }
}

/* Tensors in the order of isthmus.coding.prior.SHAPES, then the slots; that module has checked their values. */
static int take_tensors(Prior *prior, const Py_buffer *given)
{
    static int8_t inputs[sizeof prior->inputs], recurrent[sizeof prior->recurrent];
    struct { void *into; size_t size; } wanted[TENSORS - 1] = {
        [GRAMS] = {prior->last, sizeof prior->last}, {prior->bias, sizeof prior->bias}, {inputs, sizeof inputs},
        {recurrent, sizeof recurrent}, {prior->nodes, sizeof prior->nodes}, {prior->node_bias, sizeof prior->node_bias},
        {prior->weights, sizeof prior->weights}, {prior->final_weights, sizeof prior->final_weights},
        {prior->by_history, sizeof prior->by_history}, {prior->by_level, sizeof prior->by_level},
        {prior->by_run, sizeof prior->by_run}, {prior->by_length, sizeof prior->by_length},
    };
    for (int k = 0; k < GRAMS; k++) {
        wanted[k].size = (size_t)WIDTH << GRAM_BITS[k];
        if (!(wanted[k].into = prior->grams[k] = malloc(wanted[k].size)))
            return 0;
    }
    for (int i = 0; i < TENSORS - 1; i++) {
        if ((size_t)given[i].len != wanted[i].size)
            return 0;
        memcpy(wanted[i].into, given[i].buf, wanted[i].size);
    }
    to_blocks(prior->inputs, inputs, LOOKED_UP);
    to_blocks(prior->recurrent, recurrent, HIDDEN);
    size_t size = (size_t)given[TENSORS - 1].len;
    if (!size)
        return 1;
    while ((size_t)SLOT_SIZE << prior->slot_bits < size && prior->slot_bits < 24)
        prior->slot_bits++;
    if ((size_t)SLOT_SIZE << prior->slot_bits != size || !(prior->slots = malloc(sizeof(Slot) << prior->slot_bits)))
        return 0;
    read_slots(prior, given[TENSORS - 1].buf);
    return 1;
}

static PyObject *py_prior(PyObject *module, PyObject *tensors)
{
    Py_buffer given[TENSORS];
    int count = 0, sound;
    PyObject *capsule = NULL;
    Prior *prior = calloc(1, sizeof *prior);
    (void)module;
    sound = prior && PyTuple_Size(tensors) == TENSORS;
    while (sound && count < TENSORS && !PyObject_GetBuffer(PyTuple_GetItem(tensors, count), given + count, PyBUF_SIMPLE))
        count++;
    sound = sound && count == TENSORS && take_tensors(prior, given);
    while (count)
        PyBuffer_Release(given + --count);
    if (sound)
        capsule = PyCapsule_New(prior, PRIOR_NAME, forget_prior);
    else if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "not the tensors of a prior");
    if (!capsule)
        free_prior(prior);
    return capsule;
}

static void forget(PyObject *capsule)
{
    Handle *handle = PyCapsule_GetPointer(capsule, NAME);
    if (handle) {
        drop(handle->predictor);
        Py_XDECREF(handle->prior);
        free(handle);
    }
}

static Handle *take(PyObject *capsule, int even_broken)
{
    Handle *handle = PyCapsule_GetPointer(capsule, NAME);
    if (!handle)
        return NULL;
    if (handle->busy || (handle->broken && !even_broken)) {
        PyErr_SetString(PyExc_RuntimeError,
                        handle->busy ? "the coder is at work in another thread" : "the coder was interrupted: restart it");
        return NULL;
    }
    handle->busy = 1;
    return handle;
}

static void give_back(Handle *handle, int broken)
{
    handle->busy = 0;
    handle->broken = broken;
}

static PyObject *py_create(PyObject *module, PyObject *args)
{
    int bits, speed;
    PyObject *given = Py_None;
    Prior *prior = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "ii|O", &bits, &speed, &given))
        return NULL;
    if (given != Py_None && !(prior = PyCapsule_GetPointer(given, PRIOR_NAME)))
        return NULL;
    if (bits < 10 || bits > 24 || speed < 1 || speed > 2) {
        PyErr_SetString(PyExc_ValueError, "bits are 10 to 24, and speed is 1 or 2");
        return NULL;
    }
    Handle *handle = calloc(1, sizeof *handle);
    if (!handle || !(handle->predictor = new_predictor(bits, speed, prior))) {
        free(handle);
        return PyErr_NoMemory();
    }
    PyObject *capsule = PyCapsule_New(handle, NAME, forget);
    if (!capsule) {
        destroy(handle->predictor);
        free(handle);
    } else if (prior) {
        Py_INCREF(given);
        handle->prior = given;
    }
    return capsule;
}

static PyObject *py_stop(PyObject *module, PyObject *capsule)
{
    (void)module;
    Handle *handle = PyCapsule_GetPointer(capsule, NAME);
    if (!handle)
        return NULL;
    handle->stopped = 1;
    Py_RETURN_NONE;
}

/* Whether to leave: after a signal, or where another thread says so. */
static int is_interrupted(const Handle *handle)
{
    if (handle->stopped && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "the coder was stopped");
    return handle->stopped || PyErr_CheckSignals();
}

static PyObject *py_restart(PyObject *module, PyObject *capsule)
{
    (void)module;
    Handle *handle = take(capsule, 1);
    if (!handle)
        return NULL;
    handle->stopped = 0; /* before anything else: who stops it from now on means what comes */
    Py_BEGIN_ALLOW_THREADS
    clear(handle->predictor, 0);
    Py_END_ALLOW_THREADS
    give_back(handle, 0);
    Py_RETURN_NONE;
}

static void forget_slots(Predictor *m)
{
    memset(m->slots, 0, sizeof(Slot) << m->bits);
    for (int k = 0; k < m->speed.matchers; k++)
        memset(m->matchers[k].table, 0, sizeof(u32) << m->match_bits);
}

static PyObject *py_begin(PyObject *module, PyObject *args)
{
    PyObject *capsule;
    int clear;
    (void)module;
    if (!PyArg_ParseTuple(args, "Op", &capsule, &clear))
        return NULL;
    Handle *handle = take(capsule, 1);
    if (!handle)
        return NULL;
    Predictor *m = handle->predictor;
    handle->stopped = 0;
    if (clear)
        forget_slots(m);
    memset(m->buffer, 0, (size_t)m->buffer_mask + 1);
    for (int k = 0; k < m->speed.matchers; k++) {
        m->matchers[k].length = 0;
        m->matchers[k].byte = NO_BYTE;
    }
    begin_text(m);
    give_back(handle, 0);
    Py_RETURN_NONE;
}

/* What the weights of each set are on average, by how often they were used. */
static void mean_weights(const Predictor *m, i32 weights[SETS][PRIOR_INPUTS])
{
    for (int k = 0; k < m->speed.sets; k++)
        for (int i = 0; i < PRIOR_INPUTS; i++) {
            i64 sum = 0, uses = 0;
            for (int row = 0; row < SELECTIONS[k]; row++) {
                const i32 *w = m->weights[k] + row * PADDED;
                sum += (i64)w[i] * w[PADDED - 1];
                uses += w[PADDED - 1];
            }
            weights[k][i] = uses ? (i32)(sum / uses) : 0;
        }
}

static void mean_final_weights(const Predictor *m, i32 weights[2][SETS])
{
    for (int f = 0; f < 2; f++)
        for (int k = 0; k < m->speed.sets; k++) {
            i64 sum = 0, uses = 0;
            for (int row = 0; row < 256; row++) {
                sum += (i64)m->final_weights[f][row][k] * m->final_uses[f][row];
                uses += m->final_uses[f][row];
            }
            weights[f][k] = uses ? (i32)(sum / uses) : 65536 / m->speed.sets;
        }
}

static PyObject *bytes_of(const void *from, size_t size)
{
    return PyBytes_FromStringAndSize(from, (Py_ssize_t)size);
}

/* The tensors of what was learned, from the first weights on, without the slots. */
static PyObject *py_state(PyObject *module, PyObject *capsule)
{
    static Prior learned;
    (void)module;
    Handle *handle = take(capsule, 1);
    if (!handle)
        return NULL;
    const Predictor *m = handle->predictor;
    mean_weights(m, learned.weights);
    mean_final_weights(m, learned.final_weights);
    for (int i = 0; i < m->speed.contexts; i++) {
        memcpy(learned.by_history[i], m->contexts[i].by_history, sizeof learned.by_history[i]);
        memcpy(learned.by_level[i], m->contexts[i].by_level, sizeof learned.by_level[i]);
        memcpy(learned.by_run[i], m->contexts[i].by_run, sizeof learned.by_run[i]);
    }
    for (int k = 0; k < m->speed.matchers; k++)
        memcpy(learned.by_length[k], m->matchers[k].by_length, sizeof learned.by_length[k]);
    give_back(handle, 0);
    return Py_BuildValue("(NNNNNN)", bytes_of(learned.weights, sizeof learned.weights),
                         bytes_of(learned.final_weights, sizeof learned.final_weights),
                         bytes_of(learned.by_history, sizeof learned.by_history),
                         bytes_of(learned.by_level, sizeof learned.by_level), bytes_of(learned.by_run, sizeof learned.by_run),
                         bytes_of(learned.by_length, sizeof learned.by_length));
}

static PyObject *py_slots(PyObject *module, PyObject *capsule)
{
    (void)module;
    Handle *handle = take(capsule, 1);
    if (!handle)
        return NULL;
    const Predictor *m = handle->predictor;
    PyObject *slots = bytes_of(NULL, (size_t)SLOT_SIZE << m->bits);
    if (slots)
        write_slots((u8 *)PyBytes_AsString(slots), m->slots, (size_t)1 << m->bits);
    give_back(handle, 0);
    return slots;
}

static PyObject *py_learn(PyObject *module, PyObject *args)
{
    PyObject *capsule;
    Py_buffer data;
    int interrupted = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oy*", &capsule, &data))
        return NULL;
    Handle *handle = take(capsule, 0);
    for (Py_ssize_t at = 0; handle && at < data.len && !interrupted; at += PIECE) {
        Py_BEGIN_ALLOW_THREADS
        learn_piece(handle->predictor, (const u8 *)data.buf + at, (size_t)(data.len - at < PIECE ? data.len - at : PIECE));
        Py_END_ALLOW_THREADS
        interrupted = is_interrupted(handle);
    }
    PyBuffer_Release(&data);
    if (!handle)
        return NULL;
    give_back(handle, interrupted);
    if (interrupted)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_encode(PyObject *module, PyObject *args)
{
    PyObject *capsule, *payload = NULL;
    Py_buffer data;
    Coder coder = {.high = 0xffffffff};
    int failed = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oy*", &capsule, &data))
        return NULL;
    Handle *handle = take(capsule, 0);
    for (Py_ssize_t at = 0; handle && !failed && (at < data.len || !at); at += PIECE) {
        if (!make_room(&coder)) {
            PyErr_NoMemory();
            failed = 1;
            break;
        }
        Py_BEGIN_ALLOW_THREADS
        encode_piece(handle->predictor, &coder, (const u8 *)data.buf + at,
                     (size_t)(data.len - at < PIECE ? data.len - at : PIECE));
        Py_END_ALLOW_THREADS
        failed = is_interrupted(handle);
    }
    PyBuffer_Release(&data);
    if (handle) {
        give_back(handle, failed);
        if (!failed) {
            coder.length += last_bytes(&coder, coder.bytes + coder.length);
            payload = PyBytes_FromStringAndSize((const char *)coder.bytes, (Py_ssize_t)coder.length);
        }
    }
    free(coder.bytes);
    return payload;
}

static PyObject *py_decode(PyObject *module, PyObject *args)
{
    PyObject *capsule, *data = NULL;
    Py_buffer payload;
    Py_ssize_t length;
    int failed = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oy*n", &capsule, &payload, &length))
        return NULL;
    if (length < 0)
        PyErr_SetString(PyExc_ValueError, "a length is not negative");
    else
        data = PyBytes_FromStringAndSize(NULL, length);
    Handle *handle = data ? take(capsule, 0) : NULL;
    if (handle) {
        Coder coder = {.high = 0xffffffff, .bytes = payload.buf, .length = (size_t)payload.len};
        u8 *out = (u8 *)PyBytes_AsString(data);
        for (int k = 0; k < 4; k++)
            coder.window = coder.window << 8 | next_byte(&coder);
        for (Py_ssize_t at = 0; !failed && at < length; at += PIECE) {
            Py_BEGIN_ALLOW_THREADS
            decode_piece(handle->predictor, &coder, out + at, (size_t)(length - at < PIECE ? length - at : PIECE));
            Py_END_ALLOW_THREADS
            failed = is_interrupted(handle);
            if (!failed && coder.read > coder.length + 4)
                break;
        }
        give_back(handle, failed);
        if (!failed && !is_at_end(&coder)) {
            PyErr_SetString(PyExc_ValueError, "not the payload of so many bytes");
            failed = 1;
        }
    }
    PyBuffer_Release(&payload);
    if (!handle || failed)
        Py_CLEAR(data);
    return data;
}

static PyObject *py_grams(PyObject *module, PyObject *data)
{
    u8 buffer[4];
    Py_buffer given;
    (void)module;
    if (PyObject_GetBuffer(data, &given, PyBUF_SIMPLE))
        return NULL;
    Predictor *m = calloc(1, sizeof *m); /* without contexts: it only takes note of bytes */
    PyObject *found = PyBytes_FromStringAndSize(NULL, given.len * (Py_ssize_t)(GRAMS * sizeof(u32)));
    if (m && found) {
        u32 *rows = (u32 *)PyBytes_AsString(found);
        m->buffer = buffer;
        m->buffer_mask = sizeof buffer - 1;
        for (Py_ssize_t i = 0; i < given.len; i++, rows += GRAMS) {
            find_grams(m, rows);
            see(m, ((const u8 *)given.buf)[i]);
        }
    } else
        PyErr_NoMemory();
    PyBuffer_Release(&given);
    if (!m)
        Py_CLEAR(found);
    free(m);
    return found;
}

static PyObject *py_wide(PyObject *module, PyObject *wide)
{
    (void)module;
    return PyBool_FromLong(choose_multiply(PyObject_IsTrue(wide)));
}

static PyMethodDef methods[] = {
    {"create", py_create, METH_VARARGS, "create(bits, speed): a predictor with 2**bits slots"},
    {"restart", py_restart, METH_O, "restart(predictor): as new, even if it was stopped"},
    {"stop", py_stop, METH_O, "stop(predictor): interrupt what another thread does with it, until it is restarted"},
    {"learn", py_learn, METH_VARARGS, "learn(predictor, data): see bytes without coding them"},
    {"encode", py_encode, METH_VARARGS, "encode(predictor, data): their payload"},
    {"prior", py_prior, METH_VARARGS, "prior(*tensors): what a predictor knows before it has seen anything"},
    {"begin", py_begin, METH_VARARGS, "begin(predictor, clear): another text, with what was learned so far, its slots unless they are cleared"},
    {"state", py_state, METH_O, "state(predictor): the tensors of what was learned, without the slots"},
    {"slots", py_slots, METH_O, "slots(predictor): the slots, of 64 bytes each"},
    {"wide", py_wide, METH_O, "wide(whether): use wide registers where the processor has them; returns whether they are used"},
    {"grams", py_grams, METH_O, "grams(data): the rows that each byte looks up, as 32-bit numbers"},
    {"decode", py_decode, METH_VARARGS, "decode(predictor, payload, length): the bytes"},
    {NULL, NULL, 0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", "The predictor and the coder, compiled.", -1, methods,
                                 NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void)
{
    make_tables();
    for (int n = 0; n < 64; n++)
        sureness[n] = (u8)(n < 12 ? n : 12 + (n >= 16) + (n >= 24) + (n >= 40));
    make_context(&new_context);
    choose_multiply(1);
    return PyModule_Create(&definition);
}
