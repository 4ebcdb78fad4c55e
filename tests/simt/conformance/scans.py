"""Data-parallel building blocks: scans, histograms, compaction, sorting, searching, graphs and tables."""

from __future__ import annotations

import zlib

import numpy as np
from scipy.sparse.csgraph import floyd_warshall

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

HILLIS_STEELE = r"""
extern "C" __global__ void scan_hillis_steele(const int* in, int* out, int n) {
    extern __shared__ int both[];
    int *from = both, *to = both + blockDim.x, t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    from[t] = i < n ? in[i] : 0;
    __syncthreads();
    for (int d = 1; d < blockDim.x; d *= 2) {
        to[t] = t >= d ? from[t] + from[t - d] : from[t];
        int* swap = from;
        from = to, to = swap;
        __syncthreads();
    }
    if (i < n) out[i] = from[t];
}
"""

BLELLOCH = r"""
#define N 128
#define AT(i) ((i) + ((i) >> 5))                               // a pad word every 32 avoids bank conflicts
extern "C" __global__ void scan_blelloch(const int* in, int* out, int* sums, int n) {
    __shared__ int s[AT(N)];
    int t = threadIdx.x, base = blockIdx.x * N;
    for (int k = t; k < N; k += N / 2) s[AT(k)] = base + k < n ? in[base + k] : 0;
    int offset = 1;
    for (int d = N / 2; d > 0; d >>= 1, offset *= 2) {         // up-sweep
        __syncthreads();
        if (t < d) s[AT(offset * (2 * t + 2) - 1)] += s[AT(offset * (2 * t + 1) - 1)];
    }
    if (t == 0) sums[blockIdx.x] = s[AT(N - 1)], s[AT(N - 1)] = 0;
    for (int d = 1; d < N; d *= 2) {                           // down-sweep
        offset >>= 1;
        __syncthreads();
        if (t < d) {
            int left = AT(offset * (2 * t + 1) - 1), right = AT(offset * (2 * t + 2) - 1), v = s[left];
            s[left] = s[right];
            s[right] += v;
        }
    }
    __syncthreads();
    for (int k = t; k < N; k += N / 2)
        if (base + k < n) out[base + k] = s[AT(k)];
}
"""

SCAN_WARP = r"""
__device__ long long warp_scan(long long v) {
    for (int d = 1; d < 32; d *= 2) {
        long long other = __shfl_up_sync(0xffffffff, v, d);
        if (threadIdx.x % 32 >= d) v += other;
    }
    return v;
}
extern "C" __global__ void scan_warp_shuffle(const int* in, long long* out, int n) {
    __shared__ long long totals[32];
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    long long v = warp_scan(i < n ? in[i] : 0);
    if (lane == 31) totals[warp] = v;
    __syncthreads();
    if (warp == 0) totals[lane] = warp_scan(lane < blockDim.x / 32 ? totals[lane] : 0);
    __syncthreads();
    if (i < n) out[i] = v + (warp ? totals[warp - 1] : 0);
}
"""

SCAN_CHAINED = r"""
extern "C" __global__ void scan_chained_blocks(const int* in, int* out, volatile int* prefix, int* ready,
                                               int n) {
    __shared__ int s[64], before;
    int t = threadIdx.x, i = blockIdx.x * 64 + t;
    s[t] = i < n ? in[i] : 0;
    __syncthreads();
    for (int d = 1; d < 64; d *= 2) {
        int v = t >= d ? s[t - d] : 0;
        __syncthreads();
        s[t] += v;
        __syncthreads();
    }
    if (t == 0) {
        // the block on the left opens this gate
        while (atomicAdd(&ready[blockIdx.x], 0) == 0) __nanosleep(50);
        __threadfence();
        before = prefix[blockIdx.x];
        prefix[blockIdx.x + 1] = before + s[63];
        __threadfence();
        atomicExch(&ready[blockIdx.x + 1], 1);
    }
    __syncthreads();
    if (i < n) out[i] = before + s[t];
}
"""

SEGMENTED = r"""
extern "C" __global__ void scan_segmented_warp(const int* head, const float* in, float* out, int n) {
    int i = blockIdx.x * 32 + threadIdx.x, lane = threadIdx.x;
    float v = i < n ? in[i] : 0.0f;
    unsigned heads = __ballot_sync(0xffffffff, (i < n && head[i]) || lane == 0);
    int start = 31 - __clz(heads & (0xffffffffu >> (31 - lane)));
    for (int d = 1; d < 32; d *= 2) {
        float other = __shfl_up_sync(0xffffffff, v, d);
        if (lane - d >= start) v += other;
    }
    if (i < n) out[i] = v;
}
"""

HISTOGRAM_GLOBAL = r"""
extern "C" __global__ void histogram_global(const unsigned char* in, unsigned* bins, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&bins[in[i]], 1u);
}
"""

HISTOGRAM_SHARED = r"""
extern "C" __global__ void histogram_privatised(const unsigned char* in, unsigned* bins, int n) {
    __shared__ unsigned mine[256];
    for (int b = threadIdx.x; b < 256; b += blockDim.x) mine[b] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
        atomicAdd(&mine[in[i]], 1u);
    __syncthreads();
    for (int b = threadIdx.x; b < 256; b += blockDim.x)
        if (mine[b]) atomicAdd(&bins[b], mine[b]);
}
"""

HISTOGRAM_MATCH = r"""
extern "C" __global__ void histogram_warp_match(const int* key, int* bins, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32;
    unsigned inside = __ballot_sync(0xffffffff, i < n);
    if (i >= n) return;
    unsigned equals = __match_any_sync(inside, key[i]);
    if (lane == __ffs(equals) - 1) atomicAdd(&bins[key[i]], __popc(equals));
}
"""

COMPACT = r"""
extern "C" __global__ void compact_ballot(const int* in, int* out, int* count, int n) {
    __shared__ int base[33];
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    bool keep = i < n && in[i] % 3 == 0;
    unsigned kept = __ballot_sync(0xffffffff, keep);
    if (lane == 0) base[warp + 1] = __popc(kept);
    __syncthreads();
    if (threadIdx.x == 0) {
        base[0] = 0;
        for (int w = 0; w < blockDim.x / 32; ++w) base[w + 1] += base[w];
        count[blockIdx.x] = base[blockDim.x / 32];
    }
    __syncthreads();
    if (keep) out[blockIdx.x * blockDim.x + base[warp] + __popc(kept & ((1u << lane) - 1))] = in[i];
}
"""

BITONIC = r"""
extern "C" __global__ void bitonic_sort_shared(const float* in, float* out) {
    __shared__ float s[128];
    int t = threadIdx.x, base = blockIdx.x * 128;
    s[t] = in[base + t], s[t + 64] = in[base + t + 64];
    for (int size = 2; size <= 128; size *= 2)
        for (int stride = size / 2; stride > 0; stride /= 2) {
            __syncthreads();
            int low = 2 * t - (t & (stride - 1)), high = low + stride;
            bool rising = (low & size) == 0;
            if ((s[low] > s[high]) == rising) {
                float v = s[low];
                s[low] = s[high], s[high] = v;
            }
        }
    __syncthreads();
    out[base + t] = s[t], out[base + t + 64] = s[t + 64];
}
"""

ODD_EVEN = r"""
extern "C" __global__ void odd_even_sort(short* values, int n) {
    extern __shared__ short row[];
    int t = threadIdx.x;
    if (t < n) row[t] = values[blockIdx.x * n + t];
    __syncthreads();
    for (int phase = 0; phase < n; ++phase) {
        if (t % 2 == phase % 2 && t + 1 < n && row[t] > row[t + 1]) {
            short v = row[t];
            row[t] = row[t + 1], row[t + 1] = v;
        }
        __syncthreads();
    }
    if (t < n) values[blockIdx.x * n + t] = row[t];
}
"""

RADIX = r"""
extern "C" __global__ void radix_sort_block(const unsigned* in, unsigned* out, unsigned* order) {
    __shared__ unsigned key[2][96], value[2][96];
    __shared__ int zeros, places[96];
    int t = threadIdx.x, now = 0;
    key[0][t] = in[blockIdx.x * 96 + t], value[0][t] = t;
    for (int bit = 0; bit < 16; ++bit, now ^= 1) {
        unsigned one = key[now][t] >> bit & 1;
        int count = __syncthreads_count(!one);                 // how many have a zero: a barrier too
        if (t == 0) zeros = count;
        places[t] = one;
        __syncthreads();
        int before = 0;
        for (int k = 0; k < t; ++k) before += places[k];       // ones before this thread
        int to = one ? zeros + before : t - before;
        key[now ^ 1][to] = key[now][t], value[now ^ 1][to] = value[now][t];
        __syncthreads();
    }
    out[blockIdx.x * 96 + t] = key[now][t], order[blockIdx.x * 96 + t] = value[now][t];
}
"""

RANK_SORT = r"""
extern "C" __global__ void merge_by_rank(const int* a, int na, const int* b, int nb, int* out) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= na + nb) return;
    bool first = i < na;
    int v = first ? a[i] : b[i - na], low = 0, high = first ? nb : na;
    const int* other = first ? b : a;
    while (low < high) {                                       // binary search; ties: a before b
        int middle = (low + high) / 2;
        if (first ? other[middle] < v : other[middle] <= v) low = middle + 1;
        else high = middle;
    }
    out[(first ? i : i - na) + low] = v;
}
"""

SEARCH = r"""
__constant__ char pattern[16];
extern "C" __global__ void string_search(const char* text, int n, int m, int* found, int* first) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i + m > n) return;
    int k = 0;
    while (k < m && text[i + k] == pattern[k]) ++k;
    if (k < m) return;
    atomicAdd(found, 1);
    atomicMin(first, i);
}
"""

WORDS = r"""
__device__ bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
extern "C" __global__ void words_and_capitals(const char* text, char* out, int n, int* words) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool starts = i < n && letter(text[i]) && (i == 0 || !letter(text[i - 1]));
    int here = __syncthreads_count(starts);
    if (threadIdx.x == 0) atomicAdd(words, here);
    if (i >= n) return;
    char c = text[i];
    out[i] = threadIdx.x % 2 == 0 && c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c;
}
"""

BFS = r"""
extern "C" __global__ void bfs_level(const int* start, const int* edge, const int* distance, int* next,
    int level,
                                     int* more, int nodes) {
    int v = blockIdx.x * blockDim.x + threadIdx.x;
    if (v >= nodes || distance[v] != level) return;
    for (int e = start[v]; e < start[v + 1]; ++e)
        if (atomicCAS(&next[edge[e]], -1, level + 1) == -1) atomicAdd(more, 1);
}
"""

HASH = r"""
extern "C" __global__ void hash_table_insert(const unsigned* keys, int n, unsigned* table, unsigned* counts,
                                             unsigned slots) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned at = keys[i] * 2654435761u % slots;
    while (true) {
        unsigned old = atomicCAS(&table[at], 0u, keys[i]);
        if (old == 0u || old == keys[i]) break;
        at = at + 1 == slots ? 0 : at + 1;
    }
    atomicAdd(&counts[at], 1u);
}
extern "C" __global__ void unused(int* p) { *p = 0; }
"""

CRC = r"""
__device__ unsigned one_byte(unsigned v) {
    for (int k = 0; k < 8; ++k) v = v & 1 ? v >> 1 ^ 0xEDB88320u : v >> 1;
    return v;
}
extern "C" __global__ void crc32_records(const unsigned char* data, const int* start, unsigned* out,
                                         int records) {
    __shared__ unsigned lookup[256];
    for (int b = threadIdx.x; b < 256; b += blockDim.x) lookup[b] = one_byte(b);
    __syncthreads();
    int r = blockIdx.x * blockDim.x + threadIdx.x;
    if (r >= records) return;
    unsigned crc = 0xffffffffu;
    for (int k = start[r]; k < start[r + 1]; ++k) crc = lookup[(crc ^ data[k]) & 255] ^ crc >> 8;
    out[r] = ~crc;
}
"""

EDIT_DISTANCE = r"""
extern "C" __global__ void edit_distance_diagonals(const char* a, const char* b, int* out, int m, int n) {
    __shared__ int d[3][40];                                   // three anti-diagonals, by row
    int i = threadIdx.x;
    for (int k = 0; k <= m + n; ++k) {
        int j = k - i, *now = d[k % 3], *last = d[(k + 2) % 3], *older = d[(k + 1) % 3];
        if (i <= m && j >= 0 && j <= n) {
            if (i == 0 || j == 0) now[i] = i + j;
            else {
                int same = older[i - 1] + (a[blockIdx.x * m + i - 1] != b[blockIdx.x * n + j - 1]);
                now[i] = min(same, 1 + min(last[i], last[i - 1]));
            }
        }
        __syncthreads();
    }
    if (i == m) out[blockIdx.x] = d[(m + n) % 3][m];
}
"""

FLOYD = r"""
extern "C" __global__ void floyd_warshall_block(const int* weight, int* distance, int n) {
    extern __shared__ int d[];
    int i = threadIdx.y, j = threadIdx.x;
    const int far = 1 << 28;
    d[i * n + j] = weight[(blockIdx.x * n + i) * n + j] ? weight[(blockIdx.x * n + i) * n + j] : (i == j ?
        0 : far);
    __syncthreads();
    for (int k = 0; k < n; ++k) {
        int through = d[i * n + k] + d[k * n + j];
        __syncthreads();
        if (through < d[i * n + j]) d[i * n + j] = through;
        __syncthreads();
    }
    distance[(blockIdx.x * n + i) * n + j] = min(d[i * n + j], far);
}
"""

FFT = r"""
extern "C" __global__ void fft_radix_2(const float2* in, float2* out) {
    __shared__ float2 s[64];
    int t = threadIdx.x, base = blockIdx.x * 64;               // 32 threads, 64 points
    for (int k = t; k < 64; k += 32) s[__brev(k) >> 26] = in[base + k];
    for (int half = 1; half < 64; half *= 2) {
        __syncwarp();
        int k = t % half, low = t / half * 2 * half + k;
        float sine, cosine;
        sincospif(-(float)k / half, &sine, &cosine);
        float2 u = s[low], v = s[low + half];
        float2 w = make_float2(v.x * cosine - v.y * sine, v.x * sine + v.y * cosine);
        s[low] = make_float2(u.x + w.x, u.y + w.y);
        s[low + half] = make_float2(u.x - w.x, u.y - w.y);
    }
    __syncwarp();
    for (int k = t; k < 64; k += 32) out[base + k] = s[k];
}
"""


def _chunks(values, size):
    return [values[i : i + size] for i in range(0, len(values), size)]


def _per_block_scan(arguments):
    return {1: written(arguments[1], np.concatenate([c.cumsum() for c in _chunks(arguments[0][:200], 64)]))}


def _blelloch(arguments):
    parts = _chunks(arguments[0][:300], 128)
    return {1: written(arguments[1], np.concatenate([p.cumsum() - p for p in parts])),
            2: written(arguments[2], [p.sum() for p in parts])}  # fmt: skip


def _scan_warp(arguments):
    parts = [c.astype(np.int64).cumsum() for c in _chunks(arguments[0][:300], 96)]
    return {1: written(arguments[1], np.concatenate(parts))}


def _chained(arguments):
    total = arguments[0][:250].cumsum()
    ends = np.append(0, total[63::64])
    return {1: written(arguments[1], total), 2: written(arguments[2], np.append(ends, total[-1])),
            3: np.ones_like(arguments[3])}  # fmt: skip


def _segmented(arguments):
    head, x, out = arguments[0][:150].astype(bool), body(arguments[1], 150), []
    for i in range(150):
        out.append(x[i] if head[i] or i % 32 == 0 else out[-1] + x[i])
    return {2: written(arguments[2], out)}


def _compact(arguments):
    out, kept = arguments[1].copy(), []
    for number, part in enumerate(_chunks(arguments[0][:300], 128)):
        keep = part[part % 3 == 0]
        out[number * 128 : number * 128 + len(keep)] = keep
        kept.append(len(keep))
    return {1: out, 2: written(arguments[2], kept)}


def _radix(arguments):
    keys = arguments[0][: 4 * 96].reshape(4, 96)
    return {1: written(arguments[1], np.sort(keys, 1)), 2: written(arguments[2], np.argsort(keys, 1,
        "stable"))}


def _merge_arguments(rng):
    a, b = np.sort(rng.integers(0, 60, 130)), np.sort(rng.integers(0, 60, 75))
    return [padded(a, np.int32), np.int32(130), padded(b, np.int32), np.int32(75), blank(205, np.int32)]


_SENTENCE = b"the warp that waits is the warp the other warps wait for; a that and a thatch. That is that. "
_TEXT = (_SENTENCE * 7)[:613]


def _text(count=_TEXT):
    return np.frombuffer(count + b"that", np.int8).copy()  # the tail would match, were it read


def _capitals(arguments):
    text = bytes(arguments[0][:613])
    words = sum(1 for word in "".join(chr(c) if chr(c).isalpha() else " " for c in text).split())
    upper = np.frombuffer(text.upper(), np.int8)
    place = np.arange(613) % 96 % 2 == 0
    return {1: written(arguments[1], np.where(place, upper, arguments[0][:613])), 3: written(arguments[3],
        words)}


def _graph(rng):
    edges = [np.unique(rng.integers(0, 150, rng.integers(0, 5))) for _ in range(150)]
    start = np.append(0, np.cumsum([len(e) for e in edges]))
    distance = np.full(150 + 7, -1, np.int32)
    distance[rng.integers(0, 150, 40)] = 2
    return [start.astype(np.int32), padded(np.concatenate(edges), np.int32), distance, distance.copy(),
        np.int32(2),
            np.zeros(1, np.int32), np.int32(150)]  # fmt: skip


def _bfs(arguments):
    start, edge, distance, _, _, more, _ = arguments
    frontier = np.flatnonzero(distance == 2)
    reached = np.unique(np.concatenate([edge[start[v] : start[v + 1]] for v in frontier]))
    new = reached[distance[reached] == -1]
    after = distance.copy()
    after[new] = 3
    return {3: after, 5: more + len(new)}


def _hash_arguments(rng):
    # keys = slot's inverse, so that no two distinct keys collide and the table has one right answer
    inverse = pow(2654435761, -1, 2**32)
    keys = [(slot * inverse) % 2**32 for slot in range(1, 61)]
    chosen = rng.choice(np.array(keys, np.uint32), 400)
    return [padded(chosen, np.uint32), np.int32(400), np.zeros(61 + 7, np.uint32), np.zeros(61 + 7,
        np.uint32),
            np.uint32(61)]  # fmt: skip


def _hash(arguments):
    keys, counts = np.unique(arguments[0][:400], return_counts=True)
    slot = (keys.astype(object) * 2654435761 % 2**32 % 61).astype(int)
    table, tally = arguments[2].copy(), arguments[3].copy()
    table[slot], tally[slot] = keys, counts
    return {2: table, 3: tally}


def _records(rng):
    start = np.append(0, np.cumsum(rng.integers(0, 40, 100)))
    return [padded(rng.integers(0, 256, start[-1]), np.uint8), start.astype(np.int32), blank(100, np.uint32),
        np.int32(100)]


def _crc(arguments):
    data, start = bytes(arguments[0]), arguments[1]
    return {2: written(arguments[2], [zlib.crc32(data[start[i] : start[i + 1]]) for i in range(100)])}


def _levenshtein(a, b):
    """Recursive definition with memory, as in any textbook: not the diagonal order of the kernel."""
    seen = {}

    def d(i, j):
        if (i, j) not in seen:
            seen[i, j] = i + j if not (i and j) else min(
                d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))  # fmt: skip
        return seen[i, j]

    return d(len(a), len(b))


def _edits(arguments):
    a, b = arguments[0][:93].reshape(3, 31), arguments[1][:81].reshape(3, 27)
    return {2: written(arguments[2], [_levenshtein(x, y) for x, y in zip(a, b, strict=True)])}


def _shortest(arguments):
    graphs = arguments[0][: 3 * 121].reshape(3, 11, 11)
    lengths = np.stack([floyd_warshall(g) for g in graphs])
    return {1: written(arguments[1], np.where(np.isinf(lengths), 1 << 28, lengths))}


def _weights(rng):
    weight = rng.integers(1, 30, 363) * (rng.random(363) < 0.2)
    weight.reshape(3, 11, 11)[:, range(11), range(11)] = 0
    return [padded(weight, np.int32), blank(363, np.int32), np.int32(11)]


def _fft(arguments):
    signal_in = arguments[0][:512].astype(np.float64).view(complex).reshape(4, 64)
    return {1: written(arguments[1], np.fft.fft(signal_in).view(float))}


def _ints(rng, low, high, count, dtype=np.int32):
    return padded(rng.integers(low, high, count), dtype)


def _pixels(rng):
    return [padded(np.clip(rng.normal(90, 30, 900), 0, 255), np.uint8), np.zeros(256 + 7, np.uint32),
        np.int32(900)]


def _counted_256(arguments):
    after = arguments[1].copy()
    after[:256] += np.bincount(arguments[0][:900], minlength=256).astype(np.uint32)
    return {1: after}


KERNELS = (
    Kernel(
        name="scan_hillis_steele", source=HILLIS_STEELE, grid=(4,), block=(64,), shared_bytes=512,
        arguments=lambda rng: [_ints(rng, -99, 99, 200), blank(200, np.int32), np.int32(200)],
        expected=_per_block_scan, tags=frozenset({"scan", "dynamic shared"}),
    ),
    Kernel(
        name="scan_blelloch", source=BLELLOCH, grid=(3,), block=(64,),
        arguments=lambda rng: [_ints(rng, -99, 99, 300), blank(300, np.int32), blank(3, np.int32),
            np.int32(300)],
        expected=_blelloch, tags=frozenset({"scan", "shared", "bank conflicts"}),
    ),
    Kernel(
        name="scan_warp_shuffle", source=SCAN_WARP, grid=(4,), block=(96,),
        arguments=lambda rng: [_ints(rng, -2**31, 2**31 - 1, 300), blank(300, np.int64), np.int32(300)],
        expected=_scan_warp, tags=frozenset({"scan", "shuffle"}),
    ),
    Kernel(
        name="scan_chained_blocks", source=SCAN_CHAINED, grid=(4,), block=(64,),
        arguments=lambda rng: [_ints(rng, -99, 99, 250), blank(250, np.int32), np.zeros(5, np.int32),
                               np.array([1, 0, 0, 0, 0], np.int32), np.int32(250)],
        expected=_chained, tags=frozenset({"scan", "fence", "spins"}),
        skip={"cpu": "the shim runs one block at a time, and from the last block on the gate never opens"},
    ),
    Kernel(
        name="scan_segmented_warp", source=SEGMENTED, grid=(5,), block=(32,),
        arguments=lambda rng: [padded(rng.random(150) < 0.15, np.int32), padded(rng.normal(size=150)),
            blank(150),
                               np.int32(150)],
        expected=_segmented, rtol=1e-5, atol=1e-5, reason="sums in another order",
        tags=frozenset({"scan", "shuffle", "vote"}),
    ),
    Kernel(name="histogram_global", source=HISTOGRAM_GLOBAL, grid=(4,), block=(256,), arguments=_pixels,
           expected=_counted_256, tags=frozenset({"histogram", "atomics"})),
    Kernel(name="histogram_privatised", source=HISTOGRAM_SHARED, grid=(3,), block=(96,), arguments=_pixels,
           expected=_counted_256, tags=frozenset({"histogram", "atomics", "shared"})),
    Kernel(
        name="histogram_warp_match", source=HISTOGRAM_MATCH, grid=(3,), block=(96,),
        arguments=lambda rng: [_ints(rng, 0, 9, 270), np.zeros(9 + 7, np.int32), np.int32(270)],
        expected=lambda a: {1: a[1] + np.bincount(a[0][:270], minlength=16).astype(np.int32)},
        tags=frozenset({"histogram", "vote", "match"}),
    ),
    Kernel(
        name="compact_ballot", source=COMPACT, grid=(3,), block=(128,),
        arguments=lambda rng: [_ints(rng, 0, 1000, 300), blank(384, np.int32), blank(3, np.int32),
            np.int32(300)],
        expected=_compact, tags=frozenset({"vote"}),
    ),
    Kernel(
        name="bitonic_sort_shared", source=BITONIC, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=384)), blank(384)],
        expected=lambda a: {1: written(a[1], np.sort(a[0][:384].reshape(3, 128), 1))},
        tags=frozenset({"sort"}),
    ),
    Kernel(
        name="odd_even_sort", source=ODD_EVEN, grid=(4,), block=(48,), shared_bytes=96,
        arguments=lambda rng: [_ints(rng, -2**15, 2**15, 4 * 37, np.int16), np.int32(37)],
        expected=lambda a: {0: written(a[0], np.sort(a[0][:148].reshape(4, 37), 1))},
        tags=frozenset({"sort"}),
    ),
    Kernel(
        name="radix_sort_block", source=RADIX, grid=(4,), block=(96,),
        arguments=lambda rng: [_ints(rng, 0, 2**16, 384, np.uint32), blank(384, np.uint32), blank(384,
            np.uint32)],
        expected=_radix, tags=frozenset({"sort", "barrier vote"}),
    ),
    Kernel(
        name="merge_by_rank", source=RANK_SORT, grid=(4,), block=(64,), arguments=_merge_arguments,
        expected=lambda a: {4: written(a[4], np.sort(np.concatenate([a[0][:130], a[2][:75]])))},
    ),
    Kernel(
        name="string_search", source=SEARCH, grid=(7,), block=(96,),
        arguments=lambda rng: [_text(), np.int32(613), np.int32(4), np.zeros(1, np.int32),
                               np.full(1, 2**31 - 1, np.int32)],
        expected=lambda a: {3: a[3] + np.int32(_TEXT.count(b"that")), 4: np.array([_TEXT.find(b"that")],
            np.int32)},
        constants={"pattern": np.frombuffer(b"that".ljust(16, b"\0"), np.int8)},
        tags=frozenset({"constant", "strings", "atomics"}),
    ),
    Kernel(
        name="words_and_capitals", source=WORDS, grid=(7,), block=(96,),
        arguments=lambda rng: [_text(_TEXT.replace(b"is", b"Is")), blank(613, np.int8), np.int32(613),
                               np.zeros(1, np.int32)],
        expected=_capitals, tags=frozenset({"strings", "barrier vote"}),
    ),
    Kernel(name="bfs_level", source=BFS, grid=(3,), block=(64,), arguments=_graph, expected=_bfs,
           tags=frozenset({"atomics", "cas"})),
    Kernel(name="hash_table_insert", source=HASH, grid=(5,), block=(96,), arguments=_hash_arguments,
        expected=_hash,
           tags=frozenset({"atomics", "cas"})),
    Kernel(name="crc32_records", source=CRC, grid=(4,), block=(32,), arguments=_records, expected=_crc,
           tags=frozenset({"shared"})),
    Kernel(
        name="edit_distance_diagonals", source=EDIT_DISTANCE, grid=(3,), block=(40,),
        arguments=lambda rng: [_ints(rng, 97, 101, 93, np.int8), _ints(rng, 97, 101, 81, np.int8), blank(3,
            np.int32),
                               np.int32(31), np.int32(27)],
        expected=_edits, tags=frozenset({"shared"}),
    ),
    Kernel(
        name="floyd_warshall_block", source=FLOYD, grid=(3,), block=(11, 11), shared_bytes=484,
        arguments=_weights,
        expected=_shortest, tags=frozenset({"dynamic shared"}),
    ),
    Kernel(
        name="fft_radix_2", source=FFT, grid=(4,), block=(32,),
        arguments=lambda rng: [padded(rng.normal(size=512), tail=8), blank(512, tail=8)], expected=_fft,
        rtol=1e-4, atol=1e-4, reason="six stages of float32", tags=frozenset({"shared", "syncwarp"}),
    ),
)  # fmt: skip
