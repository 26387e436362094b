// Loss and gradient of smoothed cross-entropy, a row at a time, for the CPU.
//
// fused_cpu.py compiles this file when it is first needed. A row is read once from
// memory; the two passes after the first find it in the cache. Taught in 08 section 4.

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

template <typename T> I<T> lane_numbers() {
    I<T> numbers;
    for (int lane = 0; lane < Lanes<T>::count; lane++) numbers[lane] = lane;
    return numbers;
}

// `count` elements and, in the other lanes, the filler. Of the elements from here on,
// `there` may be read: a whole vector is, where that many are there.
template <typename T> V<T> load(const T *from, int64_t count, int64_t there, T filler) {
    constexpr int W = Lanes<T>::count;
    V<T> v = all<T>(filler);
    if (there < W) {
        std::memcpy(&v, from, count * sizeof(T));
        return v;
    }
    std::memcpy(&v, from, sizeof v);
    if (count >= W) return v;
    return lane_numbers<T>() < I<T>{} + int(count) ? v : all<T>(filler);
}

template <typename T> void store(T *to, V<T> v, int64_t count) {
    if (count >= Lanes<T>::count)
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

// Lanes are folded in halves, which needs fewer steps than one after another.
template <typename T> T sum(V<T> v) {
    for (int half = Lanes<T>::count / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++) v[lane] += v[lane + half];
    return v[0];
}

template <typename T> T largest(V<T> v) {
    for (int half = Lanes<T>::count / 2; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            v[lane] = v[lane] > v[lane + half] ? v[lane] : v[lane + half];
    return v[0];
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
// there (and before that, the exponentials); `slope` may be `z` itself. Behind `z`,
// `there` elements may be read.
template <typename T>
T one_row(const T *z, int64_t there, int64_t K, int64_t y, const T *weight,
          Smoothing how, T factor, T *slope) {
    constexpr int W = Lanes<T>::count;
    const T inf = INFINITY;
    V<T> highest = all<T>(-inf);
    for (int64_t k = 0; k < K; k += W) {
        const V<T> x = load<T>(z + k, K - k, there - k, -inf);
        highest = x > highest ? x : highest;
    }
    const T m = largest<T>(highest);

    // The true class stays out of the sums over classes and comes in at the end.
    const I<T> lane = lane_numbers<T>();
    const T d_y = z[y] - m;  // before it is overwritten
    V<T> exponentials{}, offsets{}, weights{};
    for (int64_t k = 0; k < K; k += W) {
        const V<T> d = load<T>(z + k, K - k, there - k, -inf) - m;
        const V<T> e = exponential<T>(d);
        exponentials += e;
        if (slope) store<T>(slope + k, e, K - k);
        I<T> other = lane != I<T>{} + lane_of(y - k, W);
        if (K - k < W) other = other & (lane < I<T>{} + int(K - k));
        if (weight) {
            const V<T> w = load<T>(weight + k, K - k, K - k, T(0));
            weights += other ? w : V<T>{};
            other = other & ((w != 0) | ((d - d) == 0));  // no 0 * inf
            offsets += other ? w * d : V<T>{};
        } else {
            offsets += other ? d : V<T>{};
        }
    }
    const T total = sum<T>(exponentials), log_total = std::log(total);
    const T w_y = weight ? weight[y] : T(1);
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
    const T slope_y = (mass * (slope[y] / total) - on_y) * factor;
    for (int64_t k = 0; k < K; k += W) {
        V<T> w = all<T>(1);
        if (weight) w = load<T>(weight + k, K - k, K - k, T(0));
        const V<T> e = load<T>(slope + k, K - k, K - k, T(0));
        store<T>(slope + k, e * scale - w * (each * factor), K - k);
    }
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
            loss[0] = one_row<T>(from, K + (end - 1 - n) * z_step, K, y[n], weight, how,
                                 factor[0], to);
        } else {
            for (int64_t k = 0; k < K; k++) wide[k] = from[k];
            loss[0] = one_row<T>(wide, K, K, y[n], weight, how, factor[0],
                                 to ? wide : nullptr);
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

#define ROWS(NAME, T, STORED)                                                         \
    extern "C" double NAME(                                                           \
        const STORED *z, int64_t z_step, int64_t K, const int64_t *y, int64_t begin,  \
        int64_t end, int64_t ignored, const T *weight, double eps, int64_t others,    \
        double unit, const T *upstream, int64_t upstream_step, T *losses,             \
        STORED *slope, int64_t slope_step, T *wide) {                                 \
        return each_row<T, STORED>(                                                   \
            z, z_step, K, y, begin, end, ignored, weight, Smoothing{eps, others}, unit,\
            upstream, upstream_step, losses, slope, slope_step, wide);                \
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
