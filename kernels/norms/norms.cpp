// The l1, l2 and largest magnitude (and where), mean and variance over the positions of each (sample, channel) of a
// strided tensor, in one pass over memory. Called through ctypes; see compiled.py for what fills a Task.
//
// Sums are kept in vectors of the accumulation type for a few thousand elements and then added to doubles, so that
// the error does not grow with the size. The largest magnitude is taken on the bit patterns of |x|, which order like
// the numbers and put NaN above infinity: so NaN survives, as in torch, and no -ffast-math is needed for speed.
// Deviations are summed from a pilot (the first element), so that the variance does not cancel when mean >> spread.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <thread>
#include <vector>

#ifndef ELEMENT  // one library an element type, built when it is first met: float, Half, Brain or double
#define ELEMENT float
#endif
#define INLINE inline __attribute__((always_inline))
#ifdef MULTIVERSION  // one portable library: the loader picks the widest instructions that the machine has
#define HOT __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define HOT
#endif

extern "C" struct Task {
    const void* data;
    const void* end;         // one past the last element in memory
    void* values;            // (3 or 6, samples * channels): l1, l2, linf [, mean, second moment, variance]
    int64_t* index;          // (samples * channels), or null
    int64_t samples, channels;
    int64_t sizes[3];        // of the positions, slowest in memory first
    int64_t strides[5];      // of sample, channel and the three sizes, in elements
    int64_t steps[3];        // what one step along each size adds to the flat index that is reported
    int32_t moments;         // wanted: mean, second moment and variance
    int32_t lanes;           // neighbours in memory are channels
    int32_t threads;
};

namespace {

struct Half { uint16_t bits; };
struct Brain { uint16_t bits; };

typedef float f32v __attribute__((vector_size(64)));
typedef int32_t i32v __attribute__((vector_size(64)));
typedef uint32_t u32v __attribute__((vector_size(64)));
typedef uint16_t u16v __attribute__((vector_size(32)));
typedef double f64v __attribute__((vector_size(64)));
typedef int64_t i64v __attribute__((vector_size(64)));

template <class T> struct Kind {
    using Real = float;
    using Vec = f32v;
    using Bit = int32_t;
    using Bits = i32v;
    static constexpr Bit magnitude = 0x7fffffff, nan = 0x7f800001;
    static constexpr Real wide = 1e18f;
};
template <> struct Kind<double> {
    using Real = double;
    using Vec = f64v;
    using Bit = int64_t;
    using Bits = i64v;
    static constexpr Bit magnitude = 0x7fffffffffffffff, nan = 0x7ff0000000000001;
    static constexpr Real wide = 1e150;
};
template <class T> constexpr int LANES = 64 / sizeof(typename Kind<T>::Real);

template <class To, class From> INLINE To cast(const From& from) {
    static_assert(sizeof(To) == sizeof(From), "bit cast");
    To to;
    std::memcpy(&to, &from, sizeof(to));
    return to;
}

template <class T> INLINE typename Kind<T>::Vec load(const T* at) {
    typename Kind<T>::Vec v;
    std::memcpy(&v, at, sizeof(v));
    return v;
}
template <> INLINE f32v load(const Brain* at) {
    u16v h;
    std::memcpy(&h, at, sizeof(h));
    return cast<f32v>(__builtin_convertvector(h, u32v) << 16);
}
template <> INLINE f32v load(const Half* at) {
    u16v h;
    std::memcpy(&h, at, sizeof(h));
    const u32v w = __builtin_convertvector(h, u32v);
    const f32v scaled = cast<f32v>((w & 0x7fff) << 13) * 0x1p112f;  // moves the exponent's bias from 15 to 127
    const u32v special = cast<u32v>((w & 0x7c00) == 0x7c00) & 0x7f800000u;
    return cast<f32v>(cast<u32v>(scaled) | special | ((w & 0x8000) << 16));
}

template <class T> INLINE typename Kind<T>::Vec gather(const T* at, int64_t stride, int count) {
    T buffer[LANES<T>] = {};
    for (int i = 0; i < count; i++) buffer[i] = at[i * stride];
    return load(buffer);
}

INLINE float real(const float* at) { return *at; }
INLINE double real(const double* at) { return *at; }
INLINE float real(const Brain* at) { return cast<float>(uint32_t(at->bits) << 16); }
INLINE float real(const Half* at) {
    const uint32_t w = at->bits;
    const float scaled = cast<float>((w & 0x7fff) << 13) * 0x1p112f;
    const uint32_t special = (w & 0x7c00) == 0x7c00 ? 0x7f800000u : 0;
    return cast<float>(cast<uint32_t>(scaled) | special | (w & 0x8000) << 16);
}

// A pilot whose differences stay finite where the element does; zero where it is itself NaN, infinite or huge.
template <class T> INLINE typename Kind<T>::Real pilot_of(const T* at) {
    const auto x = real(at);
    return std::fabs(x) < Kind<T>::wide ? x : 0;
}

template <class T> INLINE typename Kind<T>::Bit bits_of(typename Kind<T>::Real x) {
    return std::min<typename Kind<T>::Bit>(cast<typename Kind<T>::Bit>(x) & Kind<T>::magnitude, Kind<T>::nan);
}

// Slices of it keep the first or the last lanes of a vector. (gcc 12 crashes on comparisons that would do the same.)
template <class T> struct Mask {
    typename Kind<T>::Bit lane[3 * LANES<T>] = {};
    constexpr Mask() {
        for (int i = LANES<T>; i < 2 * LANES<T>; i++) lane[i] = -1;
    }
};
template <class T> constexpr Mask<T> MASK{};

// The sum of the lanes, by halves: shorter chains of additions than one after the other.
template <class T> INLINE double total(typename Kind<T>::Vec v) {
    double lane[LANES<T>];
    for (int i = 0; i < LANES<T>; i++) lane[i] = v[i];
    for (int half = LANES<T> / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

template <class T> struct Sums {
    typename Kind<T>::Vec l1 = {}, square = {}, shift = {}, spread = {};
};

template <class T> struct Totals {
    double l1 = 0, square = 0, shift = 0, spread = 0;
    typename Kind<T>::Bit top = -1;
    int64_t index = -1;

    INLINE void add(Sums<T>& sums, bool moments) {
        l1 += total<T>(sums.l1), square += total<T>(sums.square);
        if (moments) shift += total<T>(sums.shift), spread += total<T>(sums.spread);
        sums = {};
    }
    INLINE void raise(typename Kind<T>::Bit bits, int64_t at) {
        if (bits > top || (bits == top && at < index)) top = bits, index = at;
    }
};

template <class T> INLINE void finish(const Task& task, int64_t row, double pilot, const Totals<T>& totals) {
    using Real = typename Kind<T>::Real;
    Real* out = static_cast<Real*>(task.values) + row;
    const int64_t rows = task.samples * task.channels;
    const double count = double(task.sizes[0]) * task.sizes[1] * task.sizes[2];
    out[0] = Real(totals.l1);
    out[rows] = Real(std::sqrt(totals.square));
    out[2 * rows] = cast<Real>(totals.top);
    if (task.index) task.index[row] = totals.index;
    if (!task.moments) return;
    const double shift = totals.shift / count, variance = totals.spread / count - shift * shift;
    out[3 * rows] = Real(pilot + shift);
    out[4 * rows] = Real(totals.square / count);
    out[5 * rows] = Real(variance < 0 ? 0 : variance);
}

// ---- rows: the positions of one (sample, channel) lie in runs -------------------------------------------------------

template <class T, bool MOMENTS>
INLINE void take(typename Kind<T>::Vec x, typename Kind<T>::Bits keep, typename Kind<T>::Vec pilot, Sums<T>& sums,
                 typename Kind<T>::Bits& top) {
    using Vec = typename Kind<T>::Vec;
    using Bits = typename Kind<T>::Bits;
    const Bits bits = cast<Bits>(x) & keep & Kind<T>::magnitude;
    const Vec size = cast<Vec>(bits);
    sums.l1 += size;
    sums.square += size * size;
    top = bits > top ? bits : top;
    if (MOMENTS) {
        const Vec d = cast<Vec>(cast<Bits>(x - pilot) & keep);
        sums.shift += d;
        sums.spread += d * d;
    }
}

template <class T, bool UNIT, bool MOMENTS>
INLINE void run(const T* at, int64_t stride, int64_t count, typename Kind<T>::Vec pilot, Sums<T>& sums,
                typename Kind<T>::Bits& top) {
    using Bits = typename Kind<T>::Bits;
    constexpr int W = LANES<T>;
    const Bits all = ~Bits{};
    Sums<T> s = sums;
    Bits t = top;
    int64_t i = 0;
    for (; i + W <= count; i += W)
        take<T, MOMENTS>(UNIT ? load(at + i) : gather(at + i * stride, stride, W), all, pilot, s, t);
    if (i < count) {
        const int left = int(count - i);
        Bits keep;
        std::memcpy(&keep, MASK<T>.lane + (UNIT && count >= W ? left : 2 * W - left), sizeof(keep));
        if (UNIT && count >= W)  // the last full vector, less what has been counted
            take<T, MOMENTS>(load(at + count - W), keep, pilot, s, t);
        else
            take<T, MOMENTS>(gather(at + i * stride, stride, left), keep, pilot, s, t);
    }
    sums = s;
    top = t;
}

template <class T> INLINE int64_t find(const T* at, int64_t stride, int64_t count, typename Kind<T>::Bit top) {
    for (int64_t i = 0; i < count; i++)
        if (bits_of<T>(real(at + i * stride)) == top) return i;
    return count;  // cannot be
}

template <class T> INLINE typename Kind<T>::Bit largest(typename Kind<T>::Bits top) {
    typename Kind<T>::Bit lane[LANES<T>];
    std::memcpy(lane, &top, sizeof(lane));
    for (int half = LANES<T> / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] = std::max(lane[i], lane[i + half]);
    return std::min(lane[0], Kind<T>::nan);
}

template <class T, bool UNIT, bool MOMENTS> INLINE void row(const Task& task, int64_t row) {
    constexpr int64_t BLOCK = 4096;
    const int64_t stop = task.index ? BLOCK / 16 : BLOCK;  // where is looked for in a stretch that holds a new maximum
    const int64_t *size = task.sizes, *stride = task.strides + 2, *step = task.steps;
    const T* base = static_cast<const T*>(task.data) + row / task.channels * task.strides[0] +
                    row % task.channels * task.strides[1];
    const auto pilot = pilot_of(base);
    const typename Kind<T>::Vec pilots = typename Kind<T>::Vec{} + pilot;
    typename Kind<T>::Bits top = {};
    Sums<T> sums;
    Totals<T> totals;
    int64_t pending = 0;
    for (int64_t a = 0; a < size[0]; a++)
        for (int64_t b = 0; b < size[1]; b++)
            for (int64_t c = 0; c < size[2]; c += stop) {
                const T* at = base + a * stride[0] + b * stride[1] + c * stride[2];
                const int64_t count = std::min(stop, size[2] - c);
                if (task.index) top = typename Kind<T>::Bits{};
                run<T, UNIT, MOMENTS>(at, stride[2], count, pilots, sums, top);
                if (task.index) {
                    const auto most = largest<T>(top);
                    const int64_t from = a * step[0] + b * step[1] + c * step[2];
                    // The search is short: a row's maximum rises only a few times, and a tie is met at once.
                    if (most > totals.top || (most == totals.top && from < totals.index))
                        totals.raise(most, from + step[2] * find(at, stride[2], count, most));
                }
                pending += count;
                if (pending >= BLOCK) totals.add(sums, MOMENTS), pending = 0;
            }
    totals.add(sums, MOMENTS);
    if (!task.index) totals.top = largest<T>(top);
    finish<T>(task, row, pilot, totals);
}

// ---- lanes: neighbours in memory are channels, so every lane of a vector is a row of its own ------------------------

constexpr int TILE = 512;  // channels at a time: their sums stay in the first-level cache

template <class T> struct Lanes {
    using Real = typename Kind<T>::Real;
    alignas(64) Real l1[TILE], square[TILE], shift[TILE], spread[TILE], pilot[TILE];
    alignas(64) typename Kind<T>::Bit top[TILE], place[TILE];
    Totals<T> totals[TILE];

    void clear(int width) {
        const auto zero = [&](auto* what) { std::memset(what, 0, width * sizeof(*what)); };
        zero(l1), zero(square), zero(shift), zero(spread), zero(place);
        std::memset(top, 255, width * sizeof(*top));  // -1: below every magnitude
    }
};

template <class T, int DEPTH, bool FULL>
INLINE void positions(Lanes<T>& lanes, const T* at, int64_t stride, int width, int64_t place, int64_t apart) {
    using Vec = typename Kind<T>::Vec;
    using Bits = typename Kind<T>::Bits;
    using Bit = typename Kind<T>::Bit;
    for (int i = 0; i < width; i += LANES<T>) {
        const auto in = [&](auto* from) __attribute__((always_inline)) { return *reinterpret_cast<const Vec*>(from + i); };
        Vec l1 = in(lanes.l1), square = in(lanes.square), shift = {}, spread = {}, pilot = {};
        Bits top = *reinterpret_cast<const Bits*>(lanes.top + i), where = {};
        if (FULL) shift = in(lanes.shift), spread = in(lanes.spread), pilot = in(lanes.pilot);
        if (FULL) where = *reinterpret_cast<const Bits*>(lanes.place + i);
        for (int k = 0; k < DEPTH; k++) {
            const Vec x = load(at + k * stride + i);
            Bits bits = cast<Bits>(x) & Kind<T>::magnitude;
            const Vec size = cast<Vec>(bits);
            l1 += size;
            square += size * size;
            if (FULL) {
                const Vec d = x - pilot;
                shift += d;
                spread += d * d;
            }
            if (FULL) {
                const Bits nan = Bits{} + Kind<T>::nan;
                bits = bits < nan ? bits : nan;
                where = bits > top ? Bits{} + Bit(place + k * apart) : where;
            }
            top = bits > top ? bits : top;
        }
        *reinterpret_cast<Vec*>(lanes.l1 + i) = l1;
        *reinterpret_cast<Vec*>(lanes.square + i) = square;
        *reinterpret_cast<Bits*>(lanes.top + i) = top;
        if (FULL) *reinterpret_cast<Vec*>(lanes.shift + i) = shift, *reinterpret_cast<Vec*>(lanes.spread + i) = spread;
        if (FULL) *reinterpret_cast<Bits*>(lanes.place + i) = where;
    }
}

// Adds the lanes to the totals of their channels: `group` positions lie side by side, so lane = position * channels + c.
template <class T> INLINE void flush(Lanes<T>& lanes, int channels, int group, int padded, int64_t start, bool moments) {
    for (int g = 0, i = 0; g < group; g++)
        for (int c = 0; c < channels; c++, i++) {
            Totals<T>& totals = lanes.totals[c];
            totals.l1 += lanes.l1[i], totals.square += lanes.square[i];
            if (moments) totals.shift += lanes.shift[i], totals.spread += lanes.spread[i];
            if (lanes.top[i] >= 0) totals.raise(std::min(lanes.top[i], Kind<T>::nan), start + lanes.place[i] + g);
        }
    lanes.clear(padded);
}

// One position, element by element: what is left of a run when `group` positions are taken side by side.
template <class T> INLINE void lone(Lanes<T>& lanes, const T* at, int channels, int64_t place, bool moments) {
    for (int c = 0; c < channels; c++) {
        const double x = real(at + c), d = x - lanes.pilot[c];
        Totals<T>& totals = lanes.totals[c];
        totals.l1 += std::fabs(x), totals.square += x * x;
        if (moments) totals.shift += d, totals.spread += d * d;
        totals.raise(bits_of<T>(real(at + c)), place);
    }
}

// How many positions fill whole vectors when there are few channels and nothing lies between the positions.
template <class T> INLINE int grouped(const Task& task) {
    int group = 1;
    if (task.channels < 32 && task.strides[4] == task.channels)
        while (group * task.channels % 16 || group * task.channels < 64) group *= 2;
    return group;
}

template <class T, bool FULL> INLINE void tile(const Task& task, int64_t unit) {
    constexpr int64_t BLOCK = 512;  // positions between two flushes
    const int64_t tiles = (task.channels + TILE - 1) / TILE, sample = unit / tiles, from = unit % tiles * TILE;
    const int channels = int(std::min<int64_t>(TILE, task.channels - from)), group = grouped<T>(task);
    const int width = channels * group, padded = (width + LANES<T> - 1) / LANES<T> * LANES<T>;
    const int64_t *size = task.sizes, *stride = task.strides + 2;
    const T *base = static_cast<const T*>(task.data) + sample * task.strides[0] + from, *end = static_cast<const T*>(task.end);
    Lanes<T> lanes;
    std::fill_n(lanes.totals, channels, Totals<T>{});
    for (int i = 0; i < padded; i++) lanes.pilot[i] = i < width ? pilot_of(base + i % channels) : 0;
    lanes.clear(padded);
    int64_t start = 0;
    for (int64_t a = 0; a < size[0]; a++)
        for (int64_t b = 0; b < size[1]; b++) {
            const T* at = base + a * stride[0] + b * stride[1];
            const int64_t origin = (a * size[1] + b) * size[2], pace = group * stride[2];
            int64_t c = 0;
            while (c + group <= size[2]) {
                const int64_t place = origin + c;
                const T* here = at + c * stride[2];
                // A tile's last vector may read the neighbours' elements, into lanes that nobody asks for; never past
                // the end of the tensor.
                if (c + 4 * group <= size[2] && here + 3 * pace + padded <= end) {
                    positions<T, 4, FULL>(lanes, here, pace, padded, place - start, group);
                    c += 4 * group;
                } else if (here + padded <= end) {
                    positions<T, 1, FULL>(lanes, here, pace, padded, place - start, group);
                    c += group;
                } else {
                    T copy[TILE + LANES<T>] = {};
                    std::copy_n(here, width, copy);
                    positions<T, 1, FULL>(lanes, copy, pace, padded, place - start, group);
                    c += group;
                }
                if (origin + c - start >= BLOCK * group)
                    flush<T>(lanes, channels, group, padded, start, FULL), start = origin + c;
            }
            for (; c < size[2]; c++) lone<T>(lanes, at + c * stride[2], channels, origin + c, FULL);
        }
    flush<T>(lanes, channels, group, padded, start, FULL);
    for (int c = 0; c < channels; c++)
        finish<T>(task, sample * task.channels + from + c, lanes.pilot[c], lanes.totals[c]);
}

// ---- all units, on several threads ----------------------------------------------------------------------------------

}  // namespace

HOT void units(const Task& task, int64_t from, int64_t to) {
    using T = ELEMENT;
    const bool unit = task.strides[4] == 1 || task.sizes[2] == 1;
    for (int64_t i = from; i < to; i++) {
        if (task.lanes)
            task.moments || task.index ? tile<T, true>(task, i) : tile<T, false>(task, i);
        else if (unit)
            task.moments ? row<T, true, true>(task, i) : row<T, true, false>(task, i);
        else
            row<T, false, true>(task, i);
    }
}

extern "C" void activation_norms(const Task* task) {
    const int64_t tiles = task->lanes ? (task->channels + TILE - 1) / TILE : task->channels;
    const int64_t total = task->samples * tiles;
    const int64_t grain = std::max<int64_t>(1, total / (8 * std::max(1, task->threads)));
    std::atomic<int64_t> next{0};
    const auto loop = [&] {
        for (int64_t from; (from = next.fetch_add(grain)) < total;) units(*task, from, std::min(total, from + grain));
    };
    std::vector<std::thread> helpers;
    try {
        for (int i = 1; i < task->threads && i < total; i++) helpers.emplace_back(loop);
    } catch (const std::system_error&) {
        // No more threads to be had: those that there are do all the work.
    }
    loop();
    for (auto& helper : helpers) helper.join();
}
