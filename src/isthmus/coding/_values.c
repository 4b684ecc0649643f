/* The coder of values, compiled.

   isthmus.coding.reference.values is the norm: it says what each step is for, under the same names and in the same
   order, but for one: a bit is learned from after it is known where the next one is looked up, so that memory brings
   that meanwhile. This file must give the same bytes. Doubles are added and multiplied in the order that stands here:
   it is built without contraction to fused operations. */

#include "_numbers.h"
#include <float.h>
#include <math.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif
#if defined(__GNUC__)
#define ALIGNED __attribute__((aligned(64)))
#else
#define ALIGNED
#endif

enum {
    FEATURES = 120, CONTEXTS = 64, SELECTORS = 4, TERMS = 8, TAPS = 40, SIDES = 255, SOURCES = SIDES + 1,
    BITS_MOST = 24, TABLE_LEAST = 6, TABLE_MOST = 20, ROWS_MOST = 1024,
    PER_CONTEXT = 2, INPUTS = CONTEXTS * PER_CONTEXT + 8, SETS = 2 + SELECTORS, OUTPUTS = 8,
    GROUP = 4, SEEN_MOST = 250, MAP_MOST = 255, LEAST_RATE = 20, MORE_RATE = 150, FADING = 256, FADING_MOST = 1000000,
    NEAR_PLAIN = 200, NEAR_STEPS = 48, QUARTERS = 2, NODE_CURVES = 1024, CONTEXT_CURVES = 4096, FINAL_ROWS = 1024,
    LANES = 8, LONGEST = 43, HISTORIES = 512, LEVELS = 1024, NEAR_MORE = 3,
};
#define LARGEST ((i64)1 << 40)

enum { SUM, MEDIAN, SPREAD, COMBINATION, REGRESSION };

typedef u32 Cell; /* a probability with 16 bits, a count with 8, and the last eight bits that were seen */
typedef struct { u32 check; Cell cells[15]; } Slot;
typedef struct { u32 check; Cell cell; } Near;
typedef struct { Adaptive by_history[HISTORIES], by_level[LEVELS]; } Maps;

typedef struct {
    int n, interval, centred, since;
    double keep, new, ridge, origin;
    double products[TAPS + 1][TAPS + 1], targets[TAPS + 1], coefficients[TAPS + 1], x[TAPS + 1];
} Regression;

typedef struct { i64 source, lag, factor; } Tap;
typedef struct { int kind, count, shift; Tap taps[TAPS]; Regression *regression; } Feature;
typedef struct { int feature, scale; } Term;
typedef struct { int count, near; Term terms[TERMS]; } Context;
typedef struct { Term term; int rows; } Selector;

typedef struct {
    /* the scheme */
    int bits, table, around, raw, features, contexts, groups, selectors, sets, padded;
    i64 step;
    Feature feature[FEATURES];
    Context context[CONTEXTS];
    Selector selector[SELECTORS];
    /* what is learned */
    Slot *slots;
    Near *near;
    Maps *maps;
    i32 *weights[SETS], *final_weights[2];
    u16 *curves[2];
    i64 count; /* of values so far */
    /* of the sequence */
    const i64 *sources[SOURCES];
    i64 length;
    /* of the value */
    i64 known[FEATURES];
    u64 hashes[CONTEXTS];
    int selected[SELECTORS];
    Slot *first[CONTEXTS];
    /* of the bit */
    u32 node;
    int k, bit, rate; /* the bit is -1 when it was learned from */
    u64 keys[CONTEXTS];
    Cell *cells[CONTEXTS];
    Adaptive *by_history[CONTEXTS], *by_level[CONTEXTS], unused; /* the last where nothing is known */
    ALIGNED Adaptive told[2][CONTEXTS]; /* what the maps say, and by how much they learn */
    ALIGNED i32 rates[2][CONTEXTS];
    ALIGNED i32 inputs[INPUTS], outputs[OUTPUTS];
    int rows[SETS], final_rows[2], probabilities[SETS], final_probabilities[2];
    u16 *curve[2], *nearest[2];
} Values;

static Maps new_maps;
static u32 of_count[256]; /* 2 to the number of bits that were seen, of 8; above 16 bits how sure that makes */
static i32 of_probability[4096]; /* its place in maps of levels; above 16 bits the logarithm of the odds */

static void make_maps(void)
{
    static const u8 bounds[15] = {1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 40, 64, 100, 160, 250};
    for (int j = 0; j < HISTORIES; j++) {
        int seen = j < 256 ? 0 : 8, ones = 0;
        for (int k = j >> 1; j < 256 && k; k >>= 1)
            seen++;
        for (int k = 0; k < seen; k++)
            ones += j >> k & 1;
        new_maps.by_history[j] = start_at((10 * ones + (j < 256 ? 4 : 2)) * 65535 / (10 * seen + (j < 256 ? 8 : 4)));
    }
    for (int j = 0; j < LEVELS; j++)
        new_maps.by_level[j] = start_at(squash(j / 16 * 88 + 44 - 2816));
    for (int n = 0; n < 256; n++) {
        of_count[n] = 1u << (n < 8 ? n : 8);
        for (int j = 0; j < 15; j++)
            of_count[n] += (n >= bounds[j]) << 16;
    }
    for (int i = 0; i < 4096; i++)
        of_probability[i] = stretched[i] * 65536 + levels[i];
}

/* ------------------------------------------------------------------ numbers */

static inline int length_of(u64 x)
{
#if defined(__GNUC__)
    return x ? 64 - __builtin_clzll(x) : 0;
#else
    int n = 0;
    for (; x; x >>= 1)
        n++;
    return n;
#endif
}

static inline i64 logarithm(i64 value, int steps)
{
    u64 size = value < 0 ? (u64)-value : (u64)value;
    int length = length_of(size);
    if (length > steps + 1)
        size = ((u64)(length - steps - 1) << steps) + (size >> (length - steps - 1));
    return value < 0 ? -(i64)size : (i64)size;
}

static inline i64 scaled(i64 value, int scale) { return scale >= 0 ? value >> scale : logarithm(value, -1 - scale); }

/* A quotient, rounded away from zero; by a mask, since no processor foresees the sign of a value. */
static inline i64 over(i64 value, i64 step)
{
    i64 negative = value >> 63, size = (value ^ negative) - negative;
    return (((size + step / 2) / step) ^ negative) - negative;
}

static inline i64 within(i64 value) { return value > LARGEST ? LARGEST : value < -LARGEST ? -LARGEST : value; }

/* ------------------------------------------------------------------ least squares */

INLINED i64 predict_regression(Regression *r, const i64 *neighbours)
{
    double total = 0.0;
    r->origin = r->centred ? (double)neighbours[0] : 0.0;
    for (int i = 0; i < r->n; i++)
        r->x[i] = r->centred ? (double)neighbours[i + 1] - r->origin : i < r->n - 1 ? (double)neighbours[i] : 1.0;
    for (int i = 0; i < r->n; i++)
        total += r->coefficients[i] * r->x[i];
    total += r->origin;
    if (!(-(double)LARGEST < total && total < (double)LARGEST)) /* also where it is no number */
        return neighbours[0];
    return (i64)floor(total + 0.5);
}

INLINED void add_scaled(double *restrict sums, double keep, const double *restrict x, double by, int n)
{
    for (int i = 0; i < n; i++)
        sums[i] = sums[i] * keep + x[i] * by;
}

INLINED void subtract_scaled(double *restrict from, const double *restrict x, double by, int n)
{
    for (int i = 0; i < n; i++)
        from[i] -= by * x[i];
}

INLINED void solve(Regression *r)
{
    static const size_t width = TAPS + 1;
    double upper[TAPS + 1][TAPS + 1], z[TAPS + 1], w[TAPS + 1], trace = 0.0;
    int n = r->n;
    for (int i = 0; i < n; i++) {
        memcpy(upper[i], r->products[i], width * sizeof(double));
        trace += upper[i][i];
    }
    double added = trace / n * r->ridge + 0.001;
    for (int i = 0; i < n; i++)
        upper[i][i] += added;
    memcpy(z, r->targets, sizeof z);
    for (int k = 0; k < n; k++) {
        double pivot = upper[k][k];
        if (!(pivot > 1e-9))
            return;
        double root = sqrt(pivot), inverse = 1.0 / root;
        upper[k][k] = root;
        for (int j = k + 1; j < n; j++)
            upper[k][j] *= inverse;
        for (int i = k + 1; i < n; i++)
            subtract_scaled(upper[i] + i, upper[k] + i, upper[k][i], n - i);
        z[k] /= root;
        subtract_scaled(z + k + 1, upper[k] + k + 1, z[k], n - k - 1);
    }
    for (int k = n - 1; k >= 0; k--) {
        w[k] = z[k] / upper[k][k];
        for (int i = 0; i < k; i++)
            z[i] -= upper[i][k] * w[k];
    }
    memcpy(r->coefficients, w, (size_t)n * sizeof(double));
}

INLINED void learn_regression(Regression *r, i64 value)
{
    double target = (double)value - r->origin;
    for (int i = 0; i < r->n; i++)
        add_scaled(r->products[i], r->keep, r->x, r->x[i] * r->new, r->n);
    add_scaled(r->targets, r->keep, r->x, target * r->new, r->n);
    if (++r->since == r->interval) {
        r->since = 0;
        solve(r);
    }
}

/* ------------------------------------------------------------------ the value */

static inline i64 tap(const Values *m, const Tap *t, i64 place)
{
    i64 at = place - t->lag;
    return at >= 0 && at < m->length ? m->sources[t->source][at] : 0;
}

INLINED i64 feature(const Values *m, const Feature *f, i64 place)
{
    i64 total = 0, neighbours[TAPS];
    switch (f->kind) {
    case REGRESSION:
        for (int i = 0; i < f->count; i++)
            neighbours[i] = tap(m, f->taps + i, place);
        return predict_regression(f->regression, neighbours);
    case MEDIAN: {
        i64 left = tap(m, f->taps, place), above = tap(m, f->taps + 1, place);
        i64 plane = left + above - tap(m, f->taps + 2, place);
        i64 low = left < above ? left : above, high = left < above ? above : left;
        return plane < low ? low : plane > high ? high : plane;
    }
    case SPREAD:
        for (int i = 0; i < f->count; i++) {
            i64 gap = m->known[f->taps[i].source] - m->known[f->taps[i].lag];
            total += f->taps[i].factor * (gap < 0 ? -gap : gap);
        }
        return total >> f->shift;
    case SUM:
        for (int i = 0; i < f->count; i++)
            total += f->taps[i].factor * tap(m, f->taps + i, place);
        break;
    default:
        for (int i = 0; i < f->count; i++)
            total += f->taps[i].factor * m->known[f->taps[i].source];
    }
    return (total + ((i64)1 << f->shift >> 1)) >> f->shift;
}

INLINED void begin(Values *m, i64 place)
{
    for (int i = 0; i < m->features; i++)
        m->known[i] = within(feature(m, m->feature + i, place));
    for (int i = 0; i < m->contexts; i++) {
        const Context *context = m->context + i;
        u64 key = (u64)(i + 1) * K2;
        for (int t = 0; t < context->count; t++)
            key = mix(key, (u64)scaled(m->known[context->terms[t].feature], context->terms[t].scale));
        m->hashes[i] = key;
    }
    for (int i = 0; i < m->selectors; i++) {
        const Selector *selector = m->selector + i;
        i64 row = scaled(m->known[selector->term.feature], selector->term.scale);
        row += selector->term.scale < 0 ? selector->rows / 2 : 0;
        m->selected[i] = (int)(row < 0 ? 0 : row < selector->rows ? row : selector->rows - 1);
    }
}

/* ------------------------------------------------------------------ the bit */

static inline u32 check_of(u64 key) { return key & 0xffff ? (u32)(key & 0xffff) : 1; }
static inline int count_of(Cell cell) { return cell >> 8 & 255; }
static inline int p_of(Cell cell) { return (int)(cell >> 16); }

static Slot *find_slot(const Values *m, u64 key)
{
    u32 check = check_of(key);
    size_t place = key >> (64 - m->table);
    Slot *least = NULL;
    for (int k = 0; k < 3; k++) {
        Slot *slot = m->slots + (place ^ (size_t)k);
        if (slot->check == check)
            return slot;
        if (!least || count_of(slot->cells[0]) < count_of(least->cells[0]))
            least = slot;
    }
    least->check = check;
    for (int j = 0; j < 15; j++)
        least->cells[j] = (Cell)32768 << 16;
    return least;
}

/* With few branches: which of the three it is, no processor foresees. */
INLINED Cell *find_near(const Values *m, u64 key)
{
    u32 check = check_of(key);
    size_t place = key >> (64 - m->table - NEAR_MORE);
    const Near *first = m->near + place, *second = m->near + (place ^ 1), *third = m->near + (place ^ 2);
    int fit = (second->check == check) | (third->check == check) << 1;
    if (first->check == check)
        return &m->near[place].cell;
    if (fit)
        return &m->near[place ^ (fit & 1 ? 1 : 2)].cell;
    int counts[2] = {count_of(first->cell), count_of(second->cell)};
    size_t least = counts[1] < counts[0];
    least = count_of(third->cell) < counts[least] ? 2 : least;
    Near *found = m->near + (place ^ least);
    found->check = check;
    found->cell = (Cell)32768 << 16;
    return &found->cell;
}

INLINED i64 distance(const Values *m, i64 gap)
{
    int fine = m->step > 1 || m->raw ? QUARTERS : 0;
    i64 most = m->k >= 3 ? NEAR_STEPS : NEAR_PLAIN;
    gap = m->step > 1 ? over(gap * (1 << fine), m->step) : gap * (1 << fine) >> m->raw;
    if (m->k >= 3)
        gap >>= m->k - 2 + fine;
    if (gap > most)
        return most + logarithm(gap - most, 1);
    return gap < -most ? -most - logarithm(-gap - most, 1) : gap;
}

INLINED void locate_curves(Values *m)
{
    u64 second = mix(m->hashes[m->contexts > 1 ? 1 : 0], m->node);
    m->curve[0] = m->curves[0] + m->node % NODE_CURVES * APM_KNOTS;
    m->curve[1] = m->curves[1] + (second >> 20 & (CONTEXT_CURVES - 1)) * APM_KNOTS;
    for (int c = 0; c < 2; c++) {
        PREFETCH(m->curve[c]);
        PREFETCH(m->curve[c] + APM_KNOTS - 1);
    }
}

/* Where the next bit is looked up; what is done before that is gives memory time to bring it. */
INLINED void locate(Values *m, i64 threshold)
{
    int last = -1, begins = (m->bits - 1 - m->k) % GROUP == 0;
    u64 away = 0; /* of the last feature: contexts near the same one stand together */
    for (int i = 0; i < m->contexts; i++) {
        int near = m->context[i].near;
        if (near >= 0) {
            if (near != last)
                away = (u64)(distance(m, threshold - m->known[near]) * 32 + m->k);
            last = near;
            m->keys[i] = mix(m->hashes[i], away);
            PREFETCH(m->near + (m->keys[i] >> (64 - m->table - NEAR_MORE)));
        } else if (begins) {
            m->keys[i] = mix(m->hashes[i], m->node);
            for (size_t k = 0; k < 3; k++)
                PREFETCH(m->slots + (m->keys[i] >> (64 - m->table) ^ k));
        }
    }
}

INLINED void find_cells(Values *m)
{
    int place = (m->bits - 1 - m->k) % GROUP, inside = (1 << place) - 1, cell = inside + (int)(m->node & (u32)inside);
    for (int i = 0; i < m->contexts; i++) {
        if (m->context[i].near >= 0) {
            m->cells[i] = find_near(m, m->keys[i]);
            continue;
        }
        if (!place)
            m->first[i] = find_slot(m, m->keys[i]);
        m->cells[i] = m->first[i]->cells + cell;
    }
}

INLINED void read_context(Values *m, int i)
{
    Cell cell = *m->cells[i];
    u32 count = cell >> 8 & 255, facts = of_count[count], first = facts & 511;
    i32 odds = of_probability[cell >> 20], known = -(i32)(count > 0);
    i32 *x = m->inputs + i * PER_CONTEXT;
    Maps *maps = m->maps + i;
    Adaptive *by_history = maps->by_history + (first | (cell & (first - 1)));
    Adaptive *by_level = maps->by_level + (odds & 0xffff) + (facts >> 16);
    Adaptive history = *by_history, level = *by_level;
    m->by_history[i] = known ? by_history : &m->unused;
    m->by_level[i] = known ? by_level : &m->unused;
    m->told[0][i] = history;
    m->told[1][i] = level;
    m->rates[0][i] = rates[history & 1023];
    m->rates[1][i] = rates[level & 1023];
    x[0] = ((of_probability[history >> 20] >> 16) + (of_probability[level >> 20] >> 16)) >> 1 & known;
    x[1] = odds >> 16 & known;
}

static inline int on_curve(u16 *curve, int odds, u16 **nearest)
{
    int knot = (odds + LIMIT + 1) / APM_STEP, part = (odds + LIMIT + 1) % APM_STEP;
    curve += knot;
    *nearest = part > APM_STEP / 2 ? curve + 1 : curve;
    return (curve[0] * (APM_STEP - part) + curve[1] * part) / APM_STEP;
}

INLINED int predict(Values *m)
{
    find_cells(m);
    for (int i = 0; i < m->contexts; i++)
        read_context(m, i);
    m->rows[0] = m->bits <= 10 ? (int)m->node : m->k;
    m->rows[1] = m->k;
    for (int i = 0; i < m->selectors; i++)
        m->rows[2 + i] = m->k * m->selector[i].rows + m->selected[i];
    for (int s = 0; s < m->sets; s++) {
        i32 out = dot(m->inputs, m->weights[s] + (size_t)m->rows[s] * (size_t)m->padded, m->padded) >> 8;
        m->outputs[s] = clamp(out, LIMIT);
        m->probabilities[s] = squash(out);
    }
    m->final_rows[0] = m->rows[0];
    m->final_rows[1] = m->rows[m->sets > 2 ? 2 : 1] % FINAL_ROWS;
    int both = 0;
    for (int f = 0; f < 2; f++) {
        i32 out = 0, *w = m->final_weights[f] + m->final_rows[f] * OUTPUTS;
        for (int s = 0; s < m->sets && s < SETS; s++) /* too few for a vector, which would wait for all of them */
            out += m->outputs[s] * w[s] >> 8;
        out >>= 8;
        m->final_probabilities[f] = squash(out);
        both += clamp(out, LIMIT);
    }
    int mixed = both >> 1;
    int p = 2 + 2 * squash(mixed);
    for (int c = 0; c < 2; c++)
        p += on_curve(m->curve[c], mixed, m->nearest + c);
    p >>= 2;
    return p < 1 ? 1 : p > 65535 ? 65535 : p;
}

static int rate_of(i64 count)
{
    return LEAST_RATE + MORE_RATE * FADING / (FADING + (int)(count < FADING_MOST ? count : FADING_MOST));
}

/* By an error so small that each product, of numbers up to LIMIT, rounds to zero, nothing is learned. */
INLINED void learn_row(i32 *weights, const i32 *inputs, int n, i32 error)
{
    if (error < -2 || error > 2)
        learn_weights(weights, inputs, n, error);
}

/* Learn from the bit that was coded last, once: when the next one is located, or there is none. */
INLINED void learn_bit(Values *m)
{
    int bit = m->bit, target = -bit & 65535, rate = m->rate;
    if (bit < 0)
        return;
    m->bit = -1;
    for (int s = 0; s < m->sets; s++)
        learn_row(m->weights[s] + (size_t)m->rows[s] * (size_t)m->padded, m->inputs, m->padded,
                  ((bit << 16) - m->probabilities[s]) * rate >> 8);
    for (int f = 0; f < 2; f++) /* beyond the sets, outputs and weights are zero */
        learn_row(m->final_weights[f] + m->final_rows[f] * OUTPUTS, m->outputs, OUTPUTS,
                  ((bit << 16) - m->final_probabilities[f]) >> 3);
    for (int c = 0; c < 2; c++)
        *m->nearest[c] = (u16)(*m->nearest[c] + (target - *m->nearest[c]) / 48);
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < m->groups * LANES; i++)
            m->told[j][i] = adapted(m->told[j][i], m->rates[j][i], bit, MAP_MOST);
    for (int i = 0; i < m->contexts; i++) {
        *m->by_history[i] = m->told[0][i];
        *m->by_level[i] = m->told[1][i];
        Cell cell = *m->cells[i];
        int p = p_of(cell), count = count_of(cell);
        p += (target - p) * rates[count] >> 16;
        *m->cells[i] = (Cell)p << 16 | (Cell)(count + (count < SEEN_MOST)) << 8 | ((cell << 1 | (Cell)bit) & 255);
    }
}

/* ------------------------------------------------------------------ sequences */

enum { EVEN = 32768 };

typedef struct { Coder coder; int decodes, learns, broken; } Stream;

static inline int code_bit(Stream *stream, int p, int bit)
{
    if (stream->decodes)
        return decode_bit(&stream->coder, p);
    if (!stream->learns)
        encode_bit(&stream->coder, p, bit);
    return bit;
}

static u64 code_plain(Stream *stream, u64 number, int bits)
{
    u64 found = 0;
    for (int k = bits - 1; k >= 0; k--)
        found = found << 1 | (u64)code_bit(stream, EVEN, (int)(number >> k & 1));
    return found;
}

INLINED i64 threshold(const Values *m, i64 low, i64 origin)
{
    return origin + (low + ((i64)1 << m->k)) * m->step * ((i64)1 << m->raw);
}

INLINED i64 code_bits(Values *m, Stream *stream, i64 value, i64 origin)
{
    i64 low = 0;
    int rate = rate_of(m->count);
    m->node = 1;
    for (m->k = m->bits - 1; m->k >= 0; m->k--) {
        locate(m, threshold(m, low, origin));
        locate_curves(m);
        learn_bit(m);
        m->rate = rate;
        m->bit = code_bit(stream, predict(m), (int)(value >> m->k & 1));
        low += (i64)m->bit << m->k;
        m->node = m->node << 1 | (u32)m->bit;
    }
    return low;
}

/* A whole number with its sign: Elias' gamma code. */
static i64 code_plainly(Stream *stream, i64 number)
{
    u64 folded = (number >= 0 ? 2 * (u64)number : 2 * (u64)-number - 1) + 1;
    int length = (int)code_plain(stream, (u64)length_of(folded), 6);
    if (length < 1 || length > LONGEST) {
        stream->broken = 1;
        return 0;
    }
    folded = code_plain(stream, folded, length - 1) | (u64)1 << (length - 1);
    return folded % 2 ? (i64)(folded >> 1) : -(i64)(folded >> 1);
}

INLINED i64 code_around(Values *m, Stream *stream, i64 value, i64 centre)
{
    i64 unit = m->step * ((i64)1 << m->raw), half = (i64)1 << (m->bits - 1), escape = 2 * half - 1;
    i64 steps = 0, low = 0, coded = 0;
    if (!stream->decodes) {
        steps = m->step > 1 ? over(value - centre, m->step) : (value - centre) >> m->raw;
        low = (value - centre) & (((i64)1 << m->raw) - 1);
        coded = steps >= -half && steps < half - 1 ? steps + half : escape;
    }
    coded = code_bits(m, stream, coded, centre - half * unit);
    steps = coded == escape ? code_plainly(stream, steps) : coded - half;
    low = (i64)code_plain(stream, (u64)low, m->raw);
    i64 most = ((i64)1 << 42) / unit;
    if (steps > most || steps < -most)
        return steps > 0 ? LARGEST : -LARGEST;
    return within(centre + steps * unit + low);
}

VECTORISED
static void code_piece(Values *m, Stream *stream, i64 *values, i64 from, i64 to)
{
    for (i64 place = from; place < to && !stream->broken; place++) {
        begin(m, place);
        i64 value = stream->decodes ? 0 : values[place];
        value = m->around < 0 ? code_bits(m, stream, value, 0) : code_around(m, stream, value, m->known[m->around]);
        values[place] = value;
        for (int i = 0; i < m->features; i++)
            if (m->feature[i].regression)
                learn_regression(m->feature[i].regression, value);
        m->count++;
    }
    learn_bit(m);
}

/* ------------------------------------------------------------------ making and forgetting */

/* Zeros that begin a line of the cache, so that no slot and no vector lies in two. Large tables are looked up all over,
   which is quicker in pages of 2 MB, where the system has them. */
enum { LARGE = 1 << 21, LINE = 64 };

static void *zeros(size_t size)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size >= LARGE) {
        void *found = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED)
            return NULL;
        madvise(found, size, MADV_HUGEPAGE);
        return found;
    }
#endif
    u8 *found = calloc(size + LINE, 1);
    if (!found)
        return NULL;
    size_t before = LINE - (uintptr_t)found % LINE;
    found[before - 1] = (u8)before;
    return found + before;
}

static void free_zeros(void *found, size_t size)
{
    u8 *at = found;
    if (!at)
        return;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (size >= LARGE) {
        munmap(at, size);
        return;
    }
#endif
    (void)size;
    free(at - at[-1]);
}

static size_t rows_of(const Values *m, int set)
{
    if (set == 0)
        return m->bits <= 10 ? (size_t)1 << m->bits : (size_t)m->bits;
    return (size_t)m->bits * (set == 1 ? 1 : (size_t)m->selector[set - 2].rows);
}

static void destroy(Values *m)
{
    if (!m)
        return;
    for (int i = 0; i < m->features; i++)
        free(m->feature[i].regression);
    for (int s = 0; s < m->sets; s++)
        free_zeros(m->weights[s], rows_of(m, s) * (size_t)m->padded * sizeof(i32));
    for (int f = 0; f < 2; f++) {
        free(m->final_weights[f]);
        free(m->curves[f]);
    }
    free_zeros(m->slots, sizeof(Slot) << m->table);
    free_zeros(m->near, sizeof(Near) << (m->table + NEAR_MORE));
    free_zeros(m->maps, sizeof(Maps) * (size_t)m->contexts);
    free_zeros(m, sizeof *m);
}

/* Read a scheme: 0 where it is none that the norm lets through, so that whoever calls cannot reach outside of memory. */
typedef struct { const i64 *at, *end; } Numbers;

static i64 next(Numbers *n, i64 least, i64 most, int *sound)
{
    i64 found = n->at < n->end ? *n->at++ : least - 1;
    if (found < least || found > most) {
        *sound = 0;
        return least;
    }
    return found;
}

static int read_feature(Values *m, Numbers *n, int place, i64 sides)
{
    int sound = 1;
    Feature *f = m->feature + place;
    i64 settings[4];
    f->kind = (int)next(n, SUM, REGRESSION, &sound);
    f->count = (int)next(n, f->kind == REGRESSION ? 2 : f->kind == MEDIAN ? 3 : 0, f->kind == MEDIAN ? 3 : TAPS, &sound);
    settings[0] = next(n, 0, 1 << 20, &sound);
    for (int i = 1; i < 4; i++)
        settings[i] = next(n, 0, 256, &sound);
    int inner = f->kind == SPREAD || f->kind == COMBINATION;
    i64 last = place ? place - 1 : 0, farthest = (i64)1 << 40;
    for (int i = 0; i < f->count; i++) {
        Tap *t = f->taps + i;
        t->source = next(n, 0, inner ? last : sides, &sound);
        t->lag = next(n, inner ? 0 : t->source ? -farthest : 1, inner ? last : farthest, &sound);
        t->factor = next(n, -(1 << 15), 1 << 15, &sound);
    }
    if (!sound || (inner && !place))
        return 0;
    if (f->kind != REGRESSION) {
        f->shift = (int)settings[0];
        return f->shift <= 31;
    }
    Regression *r = f->regression = calloc(1, sizeof *r);
    if (!r || settings[0] < 2 || settings[1] < 1 || settings[2] > 40 || settings[3] > 1)
        return 0;
    r->centred = (int)settings[3];
    r->n = r->centred ? f->count - 1 : f->count + 1;
    r->keep = 1.0 - 1.0 / (double)settings[0];
    r->new = 1.0 - r->keep;
    r->interval = (int)settings[1];
    r->ridge = ldexp(1.0, -(int)settings[2]);
    return 1;
}

static Term read_term(const Values *m, Numbers *n, int *sound)
{
    Term term;
    term.feature = (int)next(n, 0, m->features - 1, sound);
    term.scale = (int)next(n, -4, 31, sound);
    return term;
}

static int read_scheme(Values *m, Numbers n, i64 sides)
{
    int sound = 1;
    m->bits = (int)next(&n, 1, BITS_MOST, &sound);
    m->table = (int)next(&n, TABLE_LEAST, TABLE_MOST, &sound);
    m->around = (int)next(&n, -1, FEATURES - 1, &sound);
    m->step = next(&n, 1, 1 << 20, &sound);
    m->raw = (int)next(&n, 0, 40, &sound);
    m->features = (int)next(&n, 0, FEATURES, &sound);
    sound = sound && m->around < m->features && m->bits + m->raw + length_of((u64)m->step) <= 56;
    for (int i = 0; sound && i < m->features; i++)
        sound = read_feature(m, &n, i, sides);
    m->contexts = (int)next(&n, 1, CONTEXTS, &sound);
    for (int i = 0; sound && i < m->contexts; i++) {
        m->context[i].count = (int)next(&n, 0, TERMS, &sound);
        m->context[i].near = (int)next(&n, -1, m->features - 1, &sound);
        for (int t = 0; sound && t < m->context[i].count; t++)
            m->context[i].terms[t] = read_term(m, &n, &sound);
    }
    m->selectors = (int)next(&n, 0, SELECTORS, &sound);
    for (int i = 0; sound && i < m->selectors; i++) {
        m->selector[i].term = read_term(m, &n, &sound);
        m->selector[i].rows = (int)next(&n, 1, ROWS_MOST, &sound);
    }
    m->sets = 2 + m->selectors;
    m->groups = (m->contexts + LANES - 1) / LANES;
    m->padded = (m->contexts * PER_CONTEXT + 1 + 7) / 8 * 8;
    return sound && n.at == n.end;
}

static int make_room_to_learn(Values *m)
{
    int whole = (m->slots = zeros(sizeof(Slot) << m->table)) != NULL;
    whole = whole && (m->near = zeros(sizeof(Near) << (m->table + NEAR_MORE)));
    whole = whole && (m->maps = zeros(sizeof(Maps) * (size_t)m->contexts));
    for (int s = 0; s < m->sets; s++)
        whole = whole && (m->weights[s] = zeros(rows_of(m, s) * (size_t)m->padded * sizeof(i32)));
    for (int f = 0; f < 2; f++) {
        whole = whole && (m->final_weights[f] = calloc((size_t)FINAL_ROWS * OUTPUTS, sizeof(i32)));
        whole = whole && (m->curves[f] = malloc((size_t)(f ? CONTEXT_CURVES : NODE_CURVES) * APM_KNOTS * sizeof(u16)));
    }
    return whole;
}

static void begin_to_learn(Values *m)
{
    i32 first = 65536 / (m->contexts + 2), second = 16384 / (m->contexts + 2);
    for (int i = 0; i < m->contexts; i++)
        m->maps[i] = new_maps;
    for (int s = 0; s < m->sets; s++)
        for (size_t row = 0; row < rows_of(m, s); row++)
            for (int i = 0; i < m->contexts * PER_CONTEXT; i++)
                m->weights[s][row * (size_t)m->padded + (size_t)i] = i % 2 ? second : first;
    for (int f = 0; f < 2; f++) {
        for (int i = 0; i < FINAL_ROWS * OUTPUTS; i++)
            m->final_weights[f][i] = i % OUTPUTS < m->sets ? 65536 / m->sets : 0;
        for (int i = 0; i < (f ? CONTEXT_CURVES : NODE_CURVES) * APM_KNOTS; i++)
            m->curves[f][i] = (u16)squash((i % APM_KNOTS - 16) * APM_STEP);
    }
    m->inputs[m->contexts * PER_CONTEXT] = 256;
    m->bit = -1;
}

/* ------------------------------------------------------------------ for Python */

static const char NAME[] = "isthmus.coding.Values";
enum { PIECE = 512, VALUE_MOST = 64 }; /* values between two looks at signals; bytes that one can cost, with room */

typedef struct { Values *values; int sides, busy, broken; volatile int stopped; } Handle;

static void forget(PyObject *capsule)
{
    Handle *handle = PyCapsule_GetPointer(capsule, NAME);
    if (handle) {
        destroy(handle->values);
        free(handle);
    }
}

static PyObject *py_create(PyObject *module, PyObject *args)
{
    Py_buffer program;
    int sides;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*i", &program, &sides))
        return NULL;
    Handle *handle = calloc(1, sizeof *handle);
    Values *m = zeros(sizeof *m);
    Numbers numbers = {program.buf, (const i64 *)program.buf + program.len / (Py_ssize_t)sizeof(i64)};
    int sound = m && FLT_EVAL_METHOD == 0 && sides >= 0 && sides <= SIDES && read_scheme(m, numbers, sides);
    int whole = handle && sound && make_room_to_learn(m);
    PyBuffer_Release(&program);
    PyObject *capsule = NULL;
    if (whole) {
        begin_to_learn(m);
        handle->values = m;
        handle->sides = sides;
        capsule = PyCapsule_New(handle, NAME, forget);
    } else if (m && !sound)
        PyErr_SetString(PyExc_ValueError, "not a scheme");
    else
        PyErr_NoMemory();
    if (!capsule) {
        destroy(m);
        free(handle);
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

/* The sequences of a call: the values, and a tuple of sides as long. */
typedef struct { Py_buffer values, sides[SIDES]; int count; } Sequences;

static void release(Sequences *s)
{
    for (; s->count > 0; s->count--)
        PyBuffer_Release(s->sides + s->count - 1);
    PyBuffer_Release(&s->values);
}

static int take_sequences(Handle *handle, PyObject *values, PyObject *sides, Sequences *s)
{
    Values *m = handle->values;
    s->count = 0;
    if (PyObject_GetBuffer(values, &s->values, PyBUF_SIMPLE | PyBUF_WRITABLE))
        return 0;
    int fits = PyTuple_Check(sides) && PyTuple_Size(sides) == handle->sides;
    m->sources[0] = s->values.buf;
    m->length = s->values.len / (Py_ssize_t)sizeof(i64);
    for (int i = 0; fits && i < handle->sides; i++) {
        if (PyObject_GetBuffer(PyTuple_GetItem(sides, i), s->sides + i, PyBUF_SIMPLE))
            break;
        s->count++;
        m->sources[i + 1] = s->sides[i].buf;
        fits = s->sides[i].len == s->values.len;
    }
    if (fits && s->count == handle->sides)
        return 1;
    release(s);
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_ValueError, "as many sides as the scheme has, each as long as the values");
    return 0;
}

static int is_interrupted(const Handle *handle)
{
    if (handle->stopped && !PyErr_Occurred())
        PyErr_SetString(PyExc_RuntimeError, "the coder was stopped");
    return handle->stopped || PyErr_CheckSignals();
}

static int make_room(Coder *coder)
{
    if (coder->room - coder->length >= PIECE * VALUE_MOST)
        return 1;
    size_t room = coder->room * 2 + PIECE * VALUE_MOST;
    u8 *bytes = realloc(coder->bytes, room);
    if (!bytes)
        return 0;
    coder->bytes = bytes;
    coder->room = room;
    return 1;
}

/* Code all values; returns whether it went well. */
static int code_all(Handle *handle, Stream *stream)
{
    Values *m = handle->values;
    i64 *values = (i64 *)m->sources[0];
    int failed = 0;
    for (i64 at = 0; !failed && at < m->length; at += PIECE) {
        if (!stream->decodes && !make_room(&stream->coder)) {
            PyErr_NoMemory();
            return 0;
        }
        Py_BEGIN_ALLOW_THREADS
        code_piece(m, stream, values, at, at + PIECE < m->length ? at + PIECE : m->length);
        Py_END_ALLOW_THREADS
        failed = is_interrupted(handle);
        if (stream->broken || (stream->decodes && stream->coder.read > stream->coder.length + 4))
            break;
    }
    if (!failed && stream->decodes && (stream->broken || !is_at_end(&stream->coder))) {
        PyErr_SetString(PyExc_ValueError, "not the payload of so many values");
        failed = 1;
    }
    return !failed;
}

/* What encoding, decoding and learning have in common. */
static int run(PyObject *capsule, PyObject *values, PyObject *sides, Stream *stream)
{
    Sequences sequences;
    Handle *handle = PyCapsule_GetPointer(capsule, NAME);
    if (!handle)
        return 0;
    if (handle->busy || handle->broken) {
        PyErr_SetString(PyExc_RuntimeError, handle->busy ? "the coder is at work in another thread" : "the coder was interrupted");
        return 0;
    }
    if (!take_sequences(handle, values, sides, &sequences))
        return 0;
    handle->busy = 1;
    int well = code_all(handle, stream);
    handle->busy = 0;
    handle->broken = !well;
    release(&sequences);
    return well;
}

static PyObject *py_encode(PyObject *module, PyObject *args)
{
    PyObject *capsule, *values, *sides, *payload = NULL;
    Stream stream = {.coder = {.high = 0xffffffff}};
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO", &capsule, &values, &sides))
        return NULL;
    if (run(capsule, values, sides, &stream)) {
        Coder *coder = &stream.coder;
        u8 last[4];
        size_t n = last_bytes(coder, last);
        if (make_room(coder)) {
            memcpy(coder->bytes + coder->length, last, n);
            payload = PyBytes_FromStringAndSize((const char *)coder->bytes, (Py_ssize_t)(coder->length + n));
        } else
            PyErr_NoMemory();
    }
    free(stream.coder.bytes);
    return payload;
}

static PyObject *py_decode(PyObject *module, PyObject *args)
{
    PyObject *capsule, *values, *sides;
    Py_buffer payload;
    (void)module;
    if (!PyArg_ParseTuple(args, "Oy*OO", &capsule, &payload, &values, &sides))
        return NULL;
    Stream stream = {.coder = {.high = 0xffffffff, .bytes = payload.buf, .length = (size_t)payload.len}, .decodes = 1};
    for (int k = 0; k < 4; k++)
        stream.coder.window = stream.coder.window << 8 | next_byte(&stream.coder);
    int well = run(capsule, values, sides, &stream);
    PyBuffer_Release(&payload);
    if (!well)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *py_learn(PyObject *module, PyObject *args)
{
    PyObject *capsule, *values, *sides;
    Stream stream = {.learns = 1};
    (void)module;
    if (!PyArg_ParseTuple(args, "OOO", &capsule, &values, &sides))
        return NULL;
    int well = run(capsule, values, sides, &stream);
    free(stream.coder.bytes);
    if (!well)
        return NULL;
    Py_RETURN_NONE;
}

/* What was learned, array by array; `into` is NULL, or what it is to be copied from. */
enum { ARRAYS = 4 + SETS + 2 + FEATURES * 3 };

typedef struct { void *at; size_t size; } Array;

static int arrays_of(Values *m, Array *arrays)
{
    int n = 0;
    arrays[n++] = (Array){&m->count, sizeof m->count};
    arrays[n++] = (Array){m->slots, sizeof(Slot) << m->table};
    arrays[n++] = (Array){m->near, sizeof(Near) << (m->table + NEAR_MORE)};
    arrays[n++] = (Array){m->maps, sizeof(Maps) * (size_t)m->contexts};
    for (int s = 0; s < m->sets; s++)
        arrays[n++] = (Array){m->weights[s], rows_of(m, s) * (size_t)m->padded * sizeof(i32)};
    for (int f = 0; f < 2; f++)
        arrays[n++] = (Array){m->final_weights[f], (size_t)FINAL_ROWS * OUTPUTS * sizeof(i32)};
    for (int f = 0; f < 2; f++)
        arrays[n++] = (Array){m->curves[f], (size_t)(f ? CONTEXT_CURVES : NODE_CURVES) * APM_KNOTS * sizeof(u16)};
    for (int i = 0; i < m->features; i++) {
        Regression *r = m->feature[i].regression;
        if (r) {
            arrays[n++] = (Array){r->products, sizeof r->products};
            arrays[n++] = (Array){r->targets, sizeof r->targets};
            arrays[n++] = (Array){r->coefficients, sizeof r->coefficients};
        }
    }
    return n;
}

static Handle *idle(PyObject *capsule)
{
    Handle *handle = PyCapsule_GetPointer(capsule, NAME);
    if (handle && (handle->busy || handle->broken)) {
        PyErr_SetString(PyExc_RuntimeError, "the coder is at work, or was interrupted");
        return NULL;
    }
    return handle;
}

static PyObject *py_state(PyObject *module, PyObject *capsule)
{
    Array arrays[ARRAYS + 4];
    (void)module;
    Handle *handle = idle(capsule);
    if (!handle)
        return NULL;
    int n = arrays_of(handle->values, arrays);
    PyObject *found = PyTuple_New(n);
    for (int i = 0; found && i < n; i++) {
        PyObject *bytes = PyBytes_FromStringAndSize(arrays[i].at, (Py_ssize_t)arrays[i].size);
        if (!bytes || PyTuple_SetItem(found, i, bytes))
            Py_CLEAR(found);
    }
    return found;
}

static PyObject *py_take(PyObject *module, PyObject *args)
{
    Array arrays[ARRAYS + 4];
    PyObject *capsule, *state;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO!", &capsule, &PyTuple_Type, &state))
        return NULL;
    Handle *handle = idle(capsule);
    if (!handle)
        return NULL;
    int n = arrays_of(handle->values, arrays), fits = PyTuple_Size(state) == n;
    for (int pass = 0; fits && pass < 2; pass++)
        for (int i = 0; fits && i < n; i++) {
            Py_buffer given;
            if (PyObject_GetBuffer(PyTuple_GetItem(state, i), &given, PyBUF_SIMPLE))
                return NULL;
            fits = (size_t)given.len == arrays[i].size;
            if (fits && pass)
                memcpy(arrays[i].at, given.buf, arrays[i].size);
            PyBuffer_Release(&given);
        }
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "not the state of such a coder");
        return NULL;
    }
    for (int i = 0; i < handle->values->features; i++)
        if (handle->values->feature[i].regression)
            handle->values->feature[i].regression->since = 0;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"create", py_create, METH_VARARGS, "create(program, sides): a coder of values, by the numbers of a scheme"},
    {"stop", py_stop, METH_O, "stop(coder): interrupt what another thread has begun with it"},
    {"encode", py_encode, METH_VARARGS, "encode(coder, values, sides): their payload; values become what a decoder gets"},
    {"decode", py_decode, METH_VARARGS, "decode(coder, payload, values, sides): fill in the values"},
    {"learn", py_learn, METH_VARARGS, "learn(coder, values, sides): see values without coding them"},
    {"state", py_state, METH_O, "state(coder): what was learned, as a tuple of arrays"},
    {"take", py_take, METH_VARARGS, "take(coder, state): go on from what another one learned"},
    {NULL, NULL, 0, NULL}};

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_values", "The coder of values, compiled.", -1, methods,
                                 NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__values(void)
{
    make_tables();
    make_maps();
    return PyModule_Create(&definition);
}
