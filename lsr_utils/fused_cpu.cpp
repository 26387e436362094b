// Loss and gradient of smoothed cross-entropy, a row at a time, for the CPU.
//
// fused_cpu.py compiles this file when it is first needed. A row is read once from
// memory; the two passes after the first find it in the cache. Taught in 08 section 5.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace {

// V: a vector of 64 bytes. Compilers split it into what the processor has.
template <typename T> struct Lanes;
template <> struct Lanes<float> {
    typedef float V __attribute__((vector_size(64)));
    typedef int32_t I __attribute__((vector_size(64)));
    static constexpr int count = 16, mantissa = 23, bias = 127, terms = 7;
    static constexpr float least = -87.3f, round = 12582912.0f;  // 1.5 * 2^23
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
};
template <> struct Lanes<double> {
    typedef double V __attribute__((vector_size(64)));
    typedef int64_t I __attribute__((vector_size(64)));
    static constexpr int count = 8, mantissa = 52, bias = 1023, terms = 13;
    static constexpr double least = -708.0, round = 6755399441055744.0;  // 1.5 * 2^52
    static constexpr double ln2_high = 6.93147180369123816490e-01;
    static constexpr double ln2_low = 1.90821492927058770002e-10;
};

template <typename T> using V = typename Lanes<T>::V;
template <typename T> using I = typename Lanes<T>::I;

template <typename T> V<T> all(T value) { return V<T>{} + value; }

template <typename T> V<T> load(const T *from, int count, T filler) {
    V<T> v = all<T>(filler);
    if (count == Lanes<T>::count)
        std::memcpy(&v, from, sizeof v);
    else
        std::memcpy(&v, from, count * sizeof(T));
    return v;
}

template <typename T> void store(T *to, V<T> v, int count) {
    if (count == Lanes<T>::count)
        std::memcpy(to, &v, sizeof v);
    else
        std::memcpy(to, &v, count * sizeof(T));
}

// e^x for x <= 0: x = n ln 2 + r with |r| <= ln 2 / 2, then a Taylor series in r.
// -inf gives 0 and nan gives nan.
template <typename T> inline V<T> exponential(V<T> x) {
    using L = Lanes<T>;
    const V<T> least = all<T>(L::least);
    const V<T> clipped = x < least ? least : x;
    const V<T> shifted = clipped * T(1.4426950408889634) + L::round;
    const V<T> n = shifted - L::round;
    const V<T> r = (clipped - n * L::ln2_high) - n * L::ln2_low;
    V<T> series = all<T>(1);
    for (int k = L::terms; k > 0; k--) series = series * r * T(1.0 / k) + T(1);
    I<T> bits;  // the low bits of `shifted` hold n: make them the exponent of 2^n
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + L::bias) << L::mantissa;
    V<T> power;
    std::memcpy(&power, &bits, sizeof power);
    return x < least ? V<T>{} : series * power;
}

template <typename T> T sum(V<T> v) {
    T total = 0;
    for (int lane = 0; lane < Lanes<T>::count; lane++) total += v[lane];
    return total;
}

int lane_of(int64_t distance, int none) {
    return distance >= 0 && distance < none ? int(distance) : none;
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
// there; `slope` may be `z` itself. `room` holds one row.
template <typename T>
T one_row(const T *z, int64_t K, int64_t y, const T *weight, Smoothing how, T factor,
          T *slope, T *room) {
    constexpr int W = Lanes<T>::count;
    const T inf = INFINITY;
    V<T> highest = all<T>(-inf);
    for (int64_t k = 0; k < K; k += W) {
        const V<T> x = load<T>(z + k, K - k < W ? K - k : W, -inf);
        highest = x > highest ? x : highest;
    }
    T m = -inf;
    for (int lane = 0; lane < W; lane++) m = highest[lane] > m ? highest[lane] : m;

    // The true class stays out of the sums over classes and comes in at the end.
    I<T> place;
    for (int lane = 0; lane < W; lane++) place[lane] = lane;
    V<T> exponentials{}, offsets{}, weights{};
    for (int64_t k = 0; k < K; k += W) {
        const int count = K - k < W ? K - k : W;
        const V<T> d = load<T>(z + k, count, -inf) - m;
        const V<T> e = exponential<T>(d);
        exponentials += e;
        if (slope) store<T>(room + k, e, count);
        I<T> other = (place < count) & (place != I<T>{} + lane_of(y - k, W));
        if (weight) {
            const V<T> w = load<T>(weight + k, count, T(0));
            weights += other ? w : V<T>{};
            other = other & ((w != 0) | ((d - d) == 0));  // no 0 * inf
            offsets += other ? w * d : V<T>{};
        } else {
            offsets += other ? d : V<T>{};
        }
    }
    const T total = sum<T>(exponentials), log_total = std::log(total);
    const T d_y = z[y] - m, w_y = weight ? weight[y] : T(1);
    const T sum_weights = weight ? sum<T>(weights) : T(K - 1);

    // Mass on the true class, and for each unit of weight on any other one.
    const T receivers = T(how.others ? K - 1 : K);
    const T each = how.eps > 0 ? T(how.eps) / receivers : T(0);
    const T on_y = w_y * (T(1 - how.eps) + (how.others ? T(0) : each));
    T loss = times<T>(on_y, log_total - d_y);
    if (each > 0) loss += each * (sum_weights * log_total - sum<T>(offsets));
    if (!slope) return loss;

    const T mass = on_y + each * sum_weights;
    const V<T> scale = all<T>(mass / total * factor);
    for (int64_t k = 0; k < K; k += W) {
        const int count = K - k < W ? K - k : W;
        V<T> g = load<T>(room + k, count, T(0)) * scale;
        if (weight)
            g -= load<T>(weight + k, count, T(0)) * (each * factor);
        else
            g -= each * factor;
        store<T>(slope + k, g, count);
    }
    slope[y] = (mass * (room[y] / total) - on_y) * factor;
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

template <typename T, typename Stored>
void each_row(const Stored *z, int64_t z_step, int64_t K, const int64_t *y,
              int64_t begin, int64_t end, int64_t ignored, const T *weight,
              Smoothing how, double unit, const T *upstream, int64_t upstream_step,
              T *losses, Stored *slope, int64_t slope_step, T *room) {
    T *wide = room + K;  // used for 16-bit rows
    for (int64_t n = begin; n < end; n++) {
        const Stored *from = z + n * z_step;
        Stored *to = slope ? slope + n * slope_step : nullptr;
        T loss = 0;
        if (y[n] == ignored) {
            if (to) std::memset(static_cast<void *>(to), 0, K * sizeof(Stored));
        } else {
            const T factor = T(unit) * (upstream ? upstream[n * upstream_step] : T(1));
            if constexpr (std::is_same<T, Stored>::value) {
                loss = one_row<T>(from, K, y[n], weight, how, factor, to, room);
            } else {
                for (int64_t k = 0; k < K; k++) wide[k] = from[k];
                loss = one_row<T>(wide, K, y[n], weight, how, factor,
                                  to ? wide : nullptr, room);
                for (int64_t k = 0; to && k < K; k++) to[k] = Stored(wide[k]);
            }
        }
        if (losses) losses[n] = loss;
    }
}

}  // namespace

#define ROWS(NAME, T, STORED)                                                          \
    extern "C" void NAME(const STORED *z, int64_t z_step, int64_t K, const int64_t *y, \
                         int64_t begin, int64_t end, int64_t ignored, const T *weight, \
                         double eps, int64_t others, double unit, const T *upstream,   \
                         int64_t upstream_step, T *losses, STORED *slope,              \
                         int64_t slope_step, T *room) {                                \
        each_row<T, STORED>(z, z_step, K, y, begin, end, ignored, weight,              \
                            Smoothing{eps, others}, unit, upstream, upstream_step,     \
                            losses, slope, slope_step, room);                          \
    }

ROWS(rows_float32, float, float)
ROWS(rows_float64, double, double)
ROWS(rows_bfloat16, float, BFloat16)
#ifdef __FLT16_MANT_DIG__
ROWS(rows_float16, float, _Float16)
#endif

// Summed weights of the true classes; returns the first row out of range, or -1.
extern "C" int64_t shares(const int64_t *y, int64_t N, int64_t K, int64_t ignored,
                          const void *weight, int64_t is_double, double *total) {
    double sum = 0;
    for (int64_t n = 0; n < N; n++) {
        if (y[n] == ignored) continue;
        if (y[n] < 0 || y[n] >= K) return n;
        if (!weight) sum += 1;
        else if (is_double) sum += static_cast<const double *>(weight)[y[n]];
        else sum += static_cast<const float *>(weight)[y[n]];
    }
    *total = sum;
    return -1;
}
