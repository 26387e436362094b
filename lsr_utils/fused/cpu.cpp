// Loss and gradient of smoothed cross-entropy, a row at a time, for the CPU.
//
// build.py compiles this file when it is first needed. A row is read once from memory;
// the two passes after the first find it in the cache. Taught in deep dive 02b.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {

// V: a vector as wide as the registers. A wider one compilers would take apart, and a
// choice between two of them lane by lane.
#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX2__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif

template <typename T> struct Lanes;
template <> struct Lanes<float> {
    typedef float V __attribute__((vector_size(BYTES)));
    typedef int32_t I __attribute__((vector_size(BYTES)));
    static constexpr int count = BYTES / 4, mantissa = 23, degree = 6;
    static constexpr float least = -88.0f;
    static constexpr float round = 12582912.0f + 127;  // 1.5 * 2^23 + the bias
    static constexpr float polynomial[] = {
        1.3836846e-3f, 8.3748158e-3f, 4.1668226e-2f, 1.6666420e-1f, 0.49999992f, 1, 1};
};
template <> struct Lanes<double> {
    typedef double V __attribute__((vector_size(BYTES)));
    typedef int64_t I __attribute__((vector_size(BYTES)));
    static constexpr int count = BYTES / 8, mantissa = 52, degree = 11;
    static constexpr double least = -709.05;
    static constexpr double round = 6755399441055744.0 + 1023;  // 1.5 * 2^52 + bias
    static constexpr double polynomial[] = {
        2.4994314816236953e-8, 2.763229322970563e-7, 2.7557622499311845e-6,
        2.480148652158092e-5, 1.9841269432715298e-4, 1.3888888951223825e-3,
        8.333333333559253e-3, 4.166666666649277e-2, 0.1666666666666617,
        0.5000000000000018, 1, 1};
};

template <typename T> using V = typename Lanes<T>::V;
template <typename T> using I = typename Lanes<T>::I;

template <typename T> V<T> all(T value) { return V<T>{} + value; }

// The greater of each two, and the second where the first is nan.
template <typename T> V<T> greater(V<T> a, V<T> b) { return a > b ? a : b; }

template <typename T> I<T> lane_numbers() {
    I<T> numbers;
    for (int lane = 0; lane < Lanes<T>::count; lane++) numbers[lane] = lane;
    return numbers;
}

template <typename T> V<T> load(const T *from) {
    V<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <typename T> void store(T *to, V<T> v) { std::memcpy(to, &v, sizeof v); }

// The end of a row: `count` elements and, in the other lanes, the filler. Of the
// elements from here on, `there` may be read: a whole vector is, where that many are.
template <typename T>
V<T> load_end(const T *from, int64_t count, int64_t there, T filler) {
    V<T> v = all<T>(filler);
    if (there < Lanes<T>::count) {
        std::memcpy(&v, from, count * sizeof(T));
        return v;
    }
    return lane_numbers<T>() < I<T>{} + int(count) ? load<T>(from) : v;
}

template <typename T> void store_end(T *to, V<T> v, int64_t count) {
    if (count == Lanes<T>::count) return store<T>(to, v);
    std::memcpy(to, &v, count * sizeof(T));
}

// e^x for x <= 0: x = n ln 2 + r with |r| <= ln 2 / 2, then the polynomial in r whose
// relative error is least. Below the least, -inf among it, 2^n has the exponent of
// zero; nan gives nan. One constant for ln 2 will do: x is a rounded difference.
template <typename T> inline V<T> exponential(V<T> x) {
    using L = Lanes<T>;
    const V<T> least = all<T>(L::least);
    const V<T> clipped = least > x ? least : x;
    const V<T> shifted = clipped * T(1.4426950408889634) + L::round;
    const V<T> n = shifted - L::round;
    const V<T> r = clipped - n * T(0.6931471805599453);
    V<T> series = all<T>(L::polynomial[0]);
    for (int k = 1; k <= L::degree; k++) series = series * r + L::polynomial[k];
    I<T> bits;  // the low bits of `shifted` hold n + bias: the exponent of 2^n
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = bits << L::mantissa;
    V<T> power;
    std::memcpy(&power, &bits, sizeof power);
    return series * power;
}

// Lanes are folded in halves, which needs fewer steps than one after another.
template <typename T> T sum(V<T> v) {
#pragma GCC unroll 8
    for (int half = Lanes<T>::count / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) v[lane] += v[lane + half];
    return v[0];
}

template <typename T> T largest(V<T> v) {
#pragma GCC unroll 8
    for (int half = Lanes<T>::count / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            v[lane] = v[lane] > v[lane + half] ? v[lane] : v[lane + half];
    return v[0];
}

struct Smoothing {
    double eps;
    int64_t others;  // 1: eps goes to the K - 1 other classes, 0: to all K
};

// 0 * inf = 0: a class without mass adds nothing, whatever its logit is.
template <typename T> T times(T mass, T term) {
    return mass == 0 && std::isinf(term) ? T(0) : mass * term;
}

// One row: returns its loss. Unless `slope` is null, writes factor times the gradient
// there (and before that, the exponentials); `slope` may be `z` itself. Behind `z`,
// `there` elements may be read. Fetches `next`, the row to come, into the cache.
template <typename T, bool weighted>
T one_row(const T *z, int64_t there, int64_t K, int64_t y, const T *weight,
          Smoothing how, T factor, T *slope, const T *next) {
    constexpr int W = Lanes<T>::count;
    const T inf = INFINITY;
    // Two vectors need care: that with the true class, and the last, often not full.
    const int64_t at_y = y / W * W, last = (K - 1) / W * W;
    const V<T> one = all<T>(1);

    // Two maxima at a time: a single one would wait for itself.
    const int64_t rest = K - last;
    V<T> highest = load_end<T>(z + last, rest, there - last, -inf);
    V<T> second = highest;
    const int64_t half = last / (2 * W) * W;
    for (int64_t k = 0; k < half; k += W) {
        highest = greater<T>(load<T>(z + k), highest);
        second = greater<T>(load<T>(z + half + k), second);
    }
    if (2 * half < last) second = greater<T>(load<T>(z + 2 * half), second);
    const T m = largest<T>(greater<T>(second, highest));

    const T d_y = z[y] - m;  // before it is overwritten
    V<T> exponentials{}, offsets{}, weights{};
    const auto add = [&](V<T> x, V<T> w, I<T> counts) {
        const V<T> d = x - m, e = exponential<T>(d);
        exponentials += e;
        if (weighted) {
            weights += counts ? w : V<T>{};
            counts = counts & ((w != 0) | ((d - d) == 0));  // no 0 * inf
        }
        offsets += counts ? w * d : V<T>{};
        return e;
    };
    const auto add_many = [&](int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; k += W) {
            __builtin_prefetch(next + k);
            const V<T> w = weighted ? load<T>(weight + k) : one;
            const V<T> e = add(load<T>(z + k), w, I<T>{} - 1);
            if (slope) store<T>(slope + k, e);
        }
    };
    // The true class stays out of the sums over classes and comes in at the end.
    const auto add_with_care = [&](int64_t k, int lane_of_y) {
        const int64_t count = K - k < W ? K - k : W;
        const I<T> lane = lane_numbers<T>();
        const I<T> counts = (lane < I<T>{} + int(count)) & (lane != I<T>{} + lane_of_y);
        const V<T> w = weighted ? load_end<T>(weight + k, count, count, 0) : one;
        return add(load_end<T>(z + k, count, there - k, -inf), w, counts);
    };
    add_many(0, at_y);
    V<T> tail = add_with_care(at_y, int(y - at_y));
    const T e_y = tail[y - at_y];
    if (at_y < last) {
        if (slope) store<T>(slope + at_y, tail);
        add_many(at_y + W, last);
        tail = add_with_care(last, W);
    }
    const T total = sum<T>(exponentials), log_total = std::log(total);
    const T w_y = weighted ? weight[y] : T(1);
    const T sum_weights = weighted ? sum<T>(weights) : T(K - 1);

    // Mass on the true class, and for each unit of weight on any other one.
    const T receivers = T(how.others ? K - 1 : K);
    const T each = how.eps > 0 ? T(how.eps) / receivers : T(0);
    const T on_y = w_y * (T(1 - how.eps) + (how.others ? T(0) : each));
    T loss = times<T>(on_y, log_total - d_y);
    if (each > 0) loss += each * (sum_weights * log_total - sum<T>(offsets));
    if (!slope) return loss;

    const T mass = on_y + each * sum_weights;
    const V<T> scale = all<T>(mass / total * factor), pull = all<T>(each * factor);
    const T slope_y = (mass * (e_y / total) - on_y) * factor;
    for (int64_t k = 0; k < last; k += W) {
        const V<T> w = weighted ? load<T>(weight + k) : one;
        store<T>(slope + k, load<T>(slope + k) * scale - w * pull);
    }
    const V<T> w = weighted ? load_end<T>(weight + last, rest, rest, 0) : one;
    store_end<T>(slope + last, tail * scale - w * pull, rest);
    slope[y] = slope_y;
    return loss;
}

// The 16-bit types: read into float32, rounded once when the gradient is written.
struct BFloat16 {  // the upper half of a float32
    uint16_t bits;
    operator float() const {
        const uint32_t wide = uint32_t(bits) << 16;
        float value;
        std::memcpy(&value, &wide, sizeof value);
        return value;
    }
    BFloat16(float value) {  // to nearest, ties to even; nan stays nan
        uint32_t wide;
        std::memcpy(&wide, &value, sizeof wide);
        const uint32_t even = (wide + 0x7fff + (wide >> 16 & 1)) >> 16;
        bits = uint16_t(value != value ? wide >> 16 | 0x40 : even);
    }
};

// Few classes would leave most lanes idle: here every lane holds a row instead, and
// the loop over classes is the outer one. The arithmetic is that of `one_row`.
constexpr int FEW = 16;

template <typename T, typename Stored>
V<T> few_classes(const Stored *z, int64_t z_step, int K, const int64_t *y, int count,
                 int64_t ignored, const T *weight, Smoothing how, V<T> factor,
                 Stored *slope, int64_t slope_step) {
    const T inf = INFINITY;
    V<T> x[FEW], e[FEW];
    I<T> label = I<T>{} - 1;
    for (int k = 0; k < K; k++) x[k] = V<T>{};
    for (int lane = 0; lane < count; lane++) {
        if (y[lane] == ignored) continue;
        label[lane] = int(y[lane]);
        for (int k = 0; k < K; k++) x[k][lane] = T(z[lane * z_step + k]);
    }
    V<T> m = x[0];
    for (int k = 1; k < K; k++) m = x[k] > m ? x[k] : m;
    V<T> total{}, offsets{}, weights{}, d_y{}, e_y{}, w_y{};
    for (int k = 0; k < K; k++) {
        const V<T> d = x[k] - m;
        const T w = weight ? weight[k] : T(1);
        const I<T> is_y = label == k;
        e[k] = exponential<T>(d);
        total += e[k];
        d_y = is_y ? d : d_y;
        e_y = is_y ? e[k] : e_y;
        w_y = is_y ? all<T>(w) : w_y;
        weights += is_y ? V<T>{} : all<T>(w);
        I<T> other = ~is_y;
        if (w == 0) other = other & ((d - d) == 0);
        offsets += other ? w * d : V<T>{};
    }
    V<T> log_total;
    for (int lane = 0; lane < Lanes<T>::count; lane++)
        log_total[lane] = std::log(total[lane]);

    const T receivers = T(how.others ? K - 1 : K);
    const T each = how.eps > 0 ? T(how.eps) / receivers : T(0);
    const V<T> on_y = w_y * (T(1 - how.eps) + (how.others ? T(0) : each));
    const V<T> term = log_total - d_y;
    V<T> loss = ((on_y == 0) & (term == inf)) ? V<T>{} : on_y * term;
    if (each > 0) loss += each * (weights * log_total - offsets);
    loss = label < 0 ? V<T>{} : loss;
    if (!slope) return loss;

    const V<T> mass = on_y + each * weights, scale = mass / total * factor;
    const V<T> slope_y = (mass * (e_y / total) - on_y) * factor;
    for (int k = 0; k < K; k++) {
        const V<T> g = e[k] * scale - (weight ? weight[k] : T(1)) * (each * factor);
        x[k] = label < 0 ? V<T>{} : label == k ? slope_y : g;
    }
    for (int lane = 0; lane < count; lane++)
        for (int k = 0; k < K; k++) slope[lane * slope_step + k] = Stored(x[k][lane]);
    return loss;
}

// Rows begin to end: returns the sum of their losses; `losses`, `upstream` and `slope`
// may be null. An ignored row is not read. `wide` has room for a row of 16-bit logits.
template <typename T, typename Stored>
double each_row(const Stored *z, int64_t z_step, int64_t K, const int64_t *y,
              int64_t begin, int64_t end, int64_t ignored, const T *weight,
              Smoothing how, double unit, const T *upstream, int64_t upstream_step,
              T *losses, Stored *slope, int64_t slope_step, T *wide) {
    constexpr int W = Lanes<T>::count;
    const auto row = weight ? one_row<T, true> : one_row<T, false>;
    double sum_of_losses = 0;
    for (int64_t n = begin; n < end;) {
        const int count = K > FEW ? 1 : end - n < W ? int(end - n) : W;
        const Stored *from = z + n * z_step;
        Stored *to = slope ? slope + n * slope_step : nullptr;
        V<T> factor = all<T>(T(unit)), loss{};
        for (int lane = 0; upstream && lane < count; lane++)
            factor[lane] *= upstream[(n + lane) * upstream_step];
        if (K <= FEW) {
            loss = few_classes<T, Stored>(from, z_step, int(K), y + n, count, ignored,
                                          weight, how, factor, to, slope_step);
        } else if (y[n] == ignored) {
            if (to) std::memset(static_cast<void *>(to), 0, K * sizeof(Stored));
        } else if constexpr (std::is_same<T, Stored>::value) {
            const int64_t step = n + 1 < end ? z_step : 0;
            loss[0] = row(from, K + (end - 1 - n) * z_step, K, y[n], weight, how,
                          factor[0], to, from + step);
        } else {
            for (int64_t k = 0; k < K; k++) wide[k] = from[k];
            loss[0] = row(wide, K, K, y[n], weight, how, factor[0],
                          to ? wide : nullptr, wide);
            for (int64_t k = 0; to && k < K; k++) to[k] = Stored(wide[k]);
        }
        for (int lane = 0; lane < count; lane++, n++) {
            if (losses) losses[n] = loss[lane];
            sum_of_losses += loss[lane];
        }
    }
    return sum_of_losses;
}

}  // namespace

// What `cpu.py` packs: where the numbers lie, and the options of the loss.
struct Job {
    const void *z;
    int64_t z_step, K;
    const int64_t *y;
    int64_t ignored;
    const void *weight;
    double eps;
    int64_t others;
    double unit;
    const void *upstream;
    int64_t upstream_step;
    void *losses, *slope;
    int64_t slope_step;
};

#define ROWS(NAME, T, STORED)                                                         \
    extern "C" double NAME(const char *packed, int64_t begin, int64_t end, T *wide) { \
        Job job;                                                                      \
        std::memcpy(&job, packed, sizeof job);                                        \
        return each_row<T, STORED>(                                                   \
            static_cast<const STORED *>(job.z), job.z_step, job.K, job.y, begin, end, \
            job.ignored, static_cast<const T *>(job.weight),                          \
            Smoothing{job.eps, job.others}, job.unit,                                 \
            static_cast<const T *>(job.upstream), job.upstream_step,                  \
            static_cast<T *>(job.losses), static_cast<STORED *>(job.slope),           \
            job.slope_step, wide);                                                    \
    }

ROWS(rows_float32, float, float)
ROWS(rows_float64, double, double)
ROWS(rows_bfloat16, float, BFloat16)
#ifdef __FLT16_MANT_DIG__
ROWS(rows_float16, float, _Float16)
#endif

// Summed weights of the true classes; nan where a row is out of range.
extern "C" double shares(const int64_t *y, int64_t N, int64_t K, int64_t ignored,
                         const void *weight, int64_t is_double) {
    double sum = 0;
    for (int64_t n = 0; n < N; n++) {
        if (y[n] == ignored) continue;
        if (y[n] < 0 || y[n] >= K) return NAN;
        if (!weight) sum += 1;
        else if (is_double) sum += static_cast<const double *>(weight)[y[n]];
        else sum += static_cast<const float *>(weight)[y[n]];
    }
    return sum;
}
