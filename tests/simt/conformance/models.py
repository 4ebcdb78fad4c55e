"""What the course builds: attention, layers and gradients, optimisers, simulation, clustering."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import distance

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

N_BODY = r"""
#define TILE 64
extern "C" __global__ void n_body_tiled(const float4* body, float4* acceleration, float softening, int n) {
    __shared__ float4 tile[TILE];
    int i = blockIdx.x * TILE + threadIdx.x;
    float4 me = i < n ? body[i] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    float ax = 0.0f, ay = 0.0f, az = 0.0f;
    for (int start = 0; start < n; start += TILE) {
        int j = start + threadIdx.x;
        tile[threadIdx.x] = j < n ? body[j] : make_float4(0.0f, 0.0f, 0.0f, 0.0f);   // no mass, no pull
        __syncthreads();
#pragma unroll 4
        for (int k = 0; k < TILE; ++k) {
            float dx = tile[k].x - me.x, dy = tile[k].y - me.y, dz = tile[k].z - me.z;
            float inverse = rsqrtf(dx * dx + dy * dy + dz * dz + softening);
            float pull = tile[k].w * inverse * inverse * inverse;
            ax += pull * dx, ay += pull * dy, az += pull * dz;
        }
        __syncthreads();
    }
    if (i < n) acceleration[i] = make_float4(ax, ay, az, 0.0f);
}
"""

ATTENTION = r"""
extern "C" __global__ void attention_naive(const float* Q, const float* K, const float* V, float* out, int n,
                                           int d, int causal) {
    extern __shared__ float score[];                           // one block, one query
    int q = blockIdx.x, t = threadIdx.x, limit = causal ? q + 1 : n;
    float scale = rsqrtf((float)d);
    for (int k = t; k < limit; k += blockDim.x) {
        float dot = 0.0f;
        for (int c = 0; c < d; ++c) dot += Q[q * d + c] * K[k * d + c];
        score[k] = dot * scale;
    }
    __syncthreads();
    float top = -1e30f, sum = 0.0f;
    for (int k = 0; k < limit; ++k) top = fmaxf(top, score[k]);
    __syncthreads();
    for (int k = t; k < limit; k += blockDim.x) score[k] = expf(score[k] - top);
    __syncthreads();
    for (int k = 0; k < limit; ++k) sum += score[k];
    for (int c = t; c < d; c += blockDim.x) {
        float v = 0.0f;
        for (int k = 0; k < limit; ++k) v += score[k] * V[k * d + c];
        out[q * d + c] = v / sum;
    }
}
"""

FLASH = r"""
template <int ROWS, int COLUMNS, int D>
__global__ void flash_attention(const float* Q, const float* K, const float* V, float* out, float* logsum,
                                int n) {
    __shared__ float q[ROWS][D], k[COLUMNS][D + 1], v[COLUMNS][D], s[ROWS][COLUMNS];
    int t = threadIdx.x, first = blockIdx.x * ROWS, head = blockIdx.y;     // ROWS x D threads
    int r = t / D, c = t % D;
    Q += head * n * D, K += head * n * D, V += head * n * D, out += head * n * D, logsum += head * n;
    q[r][c] = first + r < n ? Q[(first + r) * D + c] * rsqrtf((float)D) : 0.0f;
    float top = -1e30f, sum = 0.0f, value = 0.0f;
    for (int start = 0; start < n; start += COLUMNS) {
        for (int i = t; i < COLUMNS * D; i += ROWS * D) {
            bool inside = start + i / D < n;
            k[i / D][i % D] = inside ? K[start * D + i] : 0.0f;
            v[i / D][i % D] = inside ? V[start * D + i] : 0.0f;
        }
        __syncthreads();
        for (int j = c; j < COLUMNS; j += D) {
            float dot = 0.0f;
            for (int x = 0; x < D; ++x) dot += q[r][x] * k[j][x];
            s[r][j] = start + j < n ? dot : -1e30f;
        }
        __syncthreads();
        float best = top;
        for (int j = 0; j < COLUMNS; ++j) best = fmaxf(best, s[r][j]);
        float shrink = __expf(top - best);
        sum *= shrink, value *= shrink, top = best;            // the online softmax
        for (int j = 0; j < COLUMNS; ++j) {
            float p = __expf(s[r][j] - top);
            sum += p;
            value += p * v[j][c];
        }
        __syncthreads();
    }
    if (first + r < n) {
        out[(first + r) * D + c] = value / sum;
        if (c == 0) logsum[first + r] = top + __logf(sum);
    }
}
"""

CONV_LAYER = r"""
extern "C" __global__ void conv2d_layer(const float* x, const float* w, const float* bias, float* out,
                                        int channels, int height, int width, int stride) {
    int oh = (height - 3 + 2) / stride + 1, ow = (width - 3 + 2) / stride + 1;
    int at = blockIdx.x * blockDim.x + threadIdx.x, filter = blockIdx.y, image = blockIdx.z;
    if (at >= oh * ow) return;
    int oy = at / ow, ox = at % ow;
    float sum = bias[filter];
    for (int c = 0; c < channels; ++c)
        for (int ky = 0; ky < 3; ++ky)
            for (int kx = 0; kx < 3; ++kx) {
                int y = oy * stride + ky - 1, xx = ox * stride + kx - 1;
                if (y < 0 || y >= height || xx < 0 || xx >= width) continue;
                sum += x[((image * channels + c) * height + y) * width + xx] * w[((filter * channels + c) *
                    3 + ky) * 3 + kx];
            }
    out[((image * gridDim.y + filter) * oh + oy) * ow + ox] = fmaxf(sum, 0.0f);
}
"""

MAX_POOL = r"""
extern "C" __global__ void max_pool_argmax(const float* x, float* out, long long* where, int planes,
                                           int height, int width) {
    int ow = width / 2, oh = height / 2, i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= planes * oh * ow) return;
    int column = i % ow, row = i / ow % oh, plane = i / (ow * oh);
    float best = -1e30f;
    int place = 0;
    for (int k = 0; k < 4; ++k) {
        int at = (2 * row + k / 2) * width + 2 * column + k % 2;
        float v = x[plane * height * width + at];
        if (v > best) best = v, place = at;
    }
    out[i] = best;
    where[i] = place;
}
"""

IM2COL = r"""
extern "C" __global__ void im2col(const float* x, float* columns, int channels, int height, int width) {
    int oh = height - 2, ow = width - 2, total = channels * 9 * oh * ow;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {
        int place = i % (oh * ow), k = i / (oh * ow) % 9, c = i / (oh * ow * 9);
        columns[i] = x[(c * height + place / ow + k / 3) * width + place % ow + k % 3];
    }
}
"""

BATCH_NORM = r"""
extern "C" __global__ void batch_norm_inference(float* x, const float4* parameters, int channels, int area,
                                                int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float4 p = parameters[i / area % channels];                // mean, variance, gain, bias
    x[i] = (x[i] - p.x) / sqrtf(p.y + 1e-5f) * p.z + p.w;
}
"""

ADAM = r"""
struct Adam { float rate, beta1, beta2, epsilon; int step; };
extern "C" __global__ void adam_step(float* w, const float* g, float* m, float* v, Adam a, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    m[i] = a.beta1 * m[i] + (1.0f - a.beta1) * g[i];
    v[i] = a.beta2 * v[i] + (1.0f - a.beta2) * g[i] * g[i];
    float mean = m[i] / (1.0f - powf(a.beta1, a.step)), square = v[i] / (1.0f - powf(a.beta2, a.step));
    w[i] -= a.rate * mean / (sqrtf(square) + a.epsilon);
}
"""

EMBEDDING = r"""
extern "C" __global__ void embedding_gradient(const int* token, const float* upstream, float* table,
                                              int tokens, int width) {
    int t = blockIdx.x, c = threadIdx.x;
    for (; c < width; c += blockDim.x) atomicAdd(&table[token[t] * width + c], upstream[t * width + c]);
}
"""

GELU = r"""
extern "C" __global__ void gelu_both(const double* x, double* y, double* slope, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double v = x[i], cdf = 0.5 * (1.0 + erf(v * 0.70710678118654752440));
    y[i] = v * cdf;
    slope[i] = cdf + v * exp(-0.5 * v * v) * 0.39894228040143267794;
}
"""

GRU = r"""
__device__ float sigmoid(float x) { return 1.0f / (1.0f + __expf(-x)); }
extern "C" __global__ void gru_cell(const float* x, const float* h, const float* Wx, const float* Wh,
    const float* bx,
                                    const float* bh, float* next, int inputs, int hidden) {
    extern __shared__ float shared[];                          // one block, one example; one thread, one unit
    float *xs = shared, *hs = shared + inputs;
    int u = threadIdx.x, example = blockIdx.x;
    for (int k = u; k < inputs; k += blockDim.x) xs[k] = x[example * inputs + k];
    if (u < hidden) hs[u] = h[example * hidden + u];
    __syncthreads();
    if (u >= hidden) return;
    float a[3], b[3];                                          // reset, update, new
    for (int g = 0; g < 3; ++g) {
        int row = g * hidden + u;
        a[g] = bx[row], b[g] = bh[row];
        for (int k = 0; k < inputs; ++k) a[g] += Wx[row * inputs + k] * xs[k];
        for (int k = 0; k < hidden; ++k) b[g] += Wh[row * hidden + k] * hs[k];
    }
    float reset = sigmoid(a[0] + b[0]), update = sigmoid(a[1] + b[1]), fresh = tanhf(a[2] + reset * b[2]);
    next[example * hidden + u] = (1.0f - update) * fresh + update * hs[u];
}
"""

K_MEANS = r"""
extern "C" __global__ void k_means_assign(const float2* point, const float2* centre, int* label, float* sums,
    int* counts,
                                          int n, int k) {
    extern __shared__ float part[];                            // k x (sum of x, sum of y), then k counts
    int* count = (int*)(part + 2 * k);
    for (int c = threadIdx.x; c < 2 * k; c += blockDim.x) part[c] = 0.0f;
    for (int c = threadIdx.x; c < k; c += blockDim.x) count[c] = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) {
        float2 p = point[i];
        float best = 1e30f;
        int mine = 0;
        for (int c = 0; c < k; ++c) {
            float dx = p.x - centre[c].x, dy = p.y - centre[c].y, d = dx * dx + dy * dy;
            if (d < best) best = d, mine = c;
        }
        label[i] = mine;
        atomicAdd(&part[2 * mine], p.x);
        atomicAdd(&part[2 * mine + 1], p.y);
        atomicAdd(&count[mine], 1);
    }
    __syncthreads();
    for (int c = threadIdx.x; c < 2 * k; c += blockDim.x) atomicAdd(&sums[c], part[c]);
    for (int c = threadIdx.x; c < k; c += blockDim.x) atomicAdd(&counts[c], count[c]);
}
"""

DISTANCES = r"""
extern "C" __global__ void pairwise_distances(const double* a, const double* b, double* out, int na, int nb,
                                              int d) {
    __shared__ double left[8][9], right[8][9];
    int tx = threadIdx.x, ty = threadIdx.y, row = blockIdx.y * 8 + ty, column = blockIdx.x * 8 + tx;
    double sum = 0.0;
    for (int k = 0; k < d; k += 8) {
        left[ty][tx] = row < na && k + tx < d ? a[row * d + k + tx] : 0.0;
        right[ty][tx] = blockIdx.x * 8 + ty < nb && k + tx < d ? b[(blockIdx.x * 8 + ty) * d + k + tx] : 0.0;
        __syncthreads();
        for (int i = 0; i < 8; ++i) {
            double difference = left[ty][i] - right[tx][i];
            sum += difference * difference;
        }
        __syncthreads();
    }
    if (row < na && column < nb) out[row * nb + column] = sqrt(sum);
}
"""

SPECTROGRAM = r"""
extern "C" __global__ void spectrogram_frames(const float* sound, const float* window, float* power, int hop,
                                              int size, int bins) {
    extern __shared__ float frame[];
    int start = blockIdx.x * hop;
    for (int k = threadIdx.x; k < size; k += blockDim.x) frame[k] = sound[start + k] * window[k];
    __syncthreads();
    for (int bin = threadIdx.x; bin < bins; bin += blockDim.x) {
        float re = 0.0f, im = 0.0f;
        for (int k = 0; k < size; ++k) {
            float s, c;
            sincospif(-2.0f * (bin * k % size) / size, &s, &c);
            re += frame[k] * c, im += frame[k] * s;
        }
        power[blockIdx.x * bins + bin] = re * re + im * im;
    }
}
"""

RAYS = r"""
struct Vector { float x, y, z; };
__device__ Vector operator-(Vector a, Vector b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
__device__ float dot(Vector a, Vector b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
extern "C" __global__ void ray_spheres(const float4* sphere, int spheres, float* depth, int* hit, int width,
                                       int height) {
    int px = blockIdx.x * blockDim.x + threadIdx.x, py = blockIdx.y * blockDim.y + threadIdx.y;
    if (px >= width || py >= height) return;
    Vector origin = {px - 0.5f * width, py - 0.5f * height, -50.0f}, way = {0.0f, 0.0f, 1.0f};
    float nearest = 1e30f;
    int which = -1;
    for (int s = 0; s < spheres; ++s) {
        Vector to = Vector{sphere[s].x, sphere[s].y, sphere[s].z} - origin;
        float along = dot(to, way), apart = dot(to, to) - along * along, room = sphere[s].w *
            sphere[s].w - apart;
        if (room < 0.0f) continue;
        float t = along - sqrtf(room);
        if (t < nearest) nearest = t, which = s;
    }
    depth[py * width + px] = nearest;
    hit[py * width + px] = which;
}
"""

_SUMS = "float sums in another order than the oracle's float64"


def _n_body(arguments):
    bodies = body(arguments[0], 150, 4)
    apart = bodies[None, :, :3] - bodies[:, None, :3]
    pull = bodies[:, 3] / ((apart**2).sum(2) + float(arguments[2])) ** 1.5
    return {1: written(arguments[1], np.pad((pull[:, :, None] * apart).sum(1), ((0, 0), (0, 1))))}


def _attention(arguments):
    q, k, v = (torch.tensor(body(a, 23, 10)) for a in arguments[:3])
    out = torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)
    return {3: written(arguments[3], out.numpy())}


def _flash(arguments):
    q, k, v = (torch.tensor(body(a, 2, 37, 16)) for a in arguments[:3])
    out = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    logsum = torch.logsumexp(q @ k.transpose(1, 2) / 4, -1)
    return {3: written(arguments[3], out.numpy()), 4: written(arguments[4], logsum.numpy())}


def _conv_layer(arguments):
    x, w, b = (torch.tensor(body(a, *s)) for a, s in
               zip(arguments, ((2, 3, 11, 14), (4, 3, 3, 3), (4,)), strict=False))  # fmt: skip
    out = torch.relu(torch.nn.functional.conv2d(x, w, b, stride=2, padding=1))
    return {3: written(arguments[3], out.numpy())}


def _max_pool(arguments):
    x = torch.tensor(body(arguments[0], 1, 5, 9, 13))
    out, where = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
    return {1: written(arguments[1], out.numpy()), 2: written(arguments[2], where.numpy())}


def _im2col(arguments):
    columns = torch.nn.functional.unfold(torch.tensor(body(arguments[0], 1, 3, 10, 12)), 3)
    return {1: written(arguments[1], columns.numpy())}


def _batch_norm(arguments):
    x, p = torch.tensor(body(arguments[0], 2, 6, 29)), torch.tensor(body(arguments[1], 6, 4))
    out = torch.nn.functional.batch_norm(x, p[:, 0], p[:, 1], p[:, 2], p[:, 3])
    return {0: written(arguments[0], out.numpy())}


_ADAM = np.dtype([("rate", np.float32), ("beta1", np.float32), ("beta2", np.float32), ("epsilon", np.float32),
                  ("step", np.int32)], align=True)  # fmt: skip


def _adam(arguments):
    w, g, m, v = (torch.tensor(body(a, 170)) for a in arguments[:4])
    weight = w.clone().requires_grad_()
    weight.grad = g
    optimizer = torch.optim.Adam([weight], lr=0.01, betas=(0.875, 0.96875), eps=1e-6)
    optimizer.state[weight] = {"step": torch.tensor(4.0), "exp_avg": m.clone(), "exp_avg_sq": v.clone()}
    optimizer.step()
    state = optimizer.state[weight]
    return {0: written(arguments[0], weight.detach().numpy()), 2: written(arguments[2],
        state["exp_avg"].numpy()),
            3: written(arguments[3], state["exp_avg_sq"].numpy())}  # fmt: skip


def _adam_arguments(rng):
    setup = np.array((0.01, 0.875, 0.96875, 1e-6, 5), _ADAM)[()]
    return [padded(rng.normal(size=170)), padded(rng.normal(size=170)), padded(rng.normal(size=170)),
            padded(rng.random(170)), setup, np.int32(170)]  # fmt: skip


def _embedding(arguments):
    table = torch.zeros(12, 20, dtype=torch.float64, requires_grad=True)
    rows = torch.nn.functional.embedding(torch.tensor(arguments[0][:45]).long(), table)
    rows.backward(torch.tensor(body(arguments[1], 45, 20)))
    assert table.grad is not None
    return {2: written(arguments[2], table.grad.numpy())}


def _gelu(arguments):
    x = torch.tensor(arguments[0][:180], requires_grad=True)
    y = torch.nn.functional.gelu(x)
    y.sum().backward()
    assert x.grad is not None
    return {1: written(arguments[1], y.detach().numpy()), 2: written(arguments[2], x.grad.numpy())}


_GRU_SHAPES = ((5, 9), (5, 21), (63, 9), (63, 21), (63,), (63,))


def _gru(arguments):
    values = [torch.tensor(body(a, *s)) for a, s in zip(arguments, _GRU_SHAPES, strict=False)]
    cell = torch.nn.GRUCell(9, 21, dtype=torch.float64)
    with torch.no_grad():
        for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), values[2:], strict=True):
            getattr(cell, name).copy_(value)
        return {6: written(arguments[6], cell(values[0], values[1]).numpy())}


def _k_means(arguments):
    points, centres = body(arguments[0], 200, 2), body(arguments[1], 7, 2)
    label = distance.cdist(points, centres).argmin(1)
    sums = np.stack([points[label == c].sum(0) for c in range(7)])
    return {2: written(arguments[2], label), 3: written(arguments[3], sums),
            4: written(arguments[4], np.bincount(label, minlength=7))}  # fmt: skip


def _spectrogram(arguments):
    sound, window = body(arguments[0], 400), body(arguments[1], 60)
    frames = np.lib.stride_tricks.sliding_window_view(sound, 60)[:: 25][:12]
    return {2: written(arguments[2], np.abs(np.fft.rfft(frames * window)) ** 2)}


def _spheres(arguments):
    x, y, z, r = body(arguments[0], 6, 4).T
    column, row = np.meshgrid(np.arange(45) - 22.5, np.arange(30) - 15.0)
    room = r**2 - (column[..., None] - x) ** 2 - (row[..., None] - y) ** 2
    depth = np.where(room >= 0, z + 50 - np.sqrt(np.maximum(room, 0)), 1e30)
    hit = np.where(depth.min(-1) < 1e30, depth.argmin(-1), -1)
    return {2: written(arguments[2], depth.min(-1)), 3: written(arguments[3], hit)}


def _normal(rng, *counts):
    return [padded(rng.normal(size=count)) for count in counts]


KERNELS = (
    Kernel(
        name="n_body_tiled", source=N_BODY, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.random(600), tail=8), blank(600, tail=8), np.float32(0.125),
            np.int32(150)],
        expected=_n_body, rtol=2e-4, atol=1e-4, reason=_SUMS + ", and rsqrt cubed",
        tags=frozenset({"shared"}),
    ),
    Kernel(
        name="attention_naive", source=ATTENTION, grid=(23,), block=(16,), shared_bytes=92,
        arguments=lambda rng: [*_normal(rng, 230, 230, 230), blank(230), np.int32(23), np.int32(10),
            np.int32(1)],
        expected=_attention, rtol=2e-5, atol=1e-5, reason=_SUMS, tags=frozenset({"attention",
            "dynamic shared"}),
    ),
    Kernel(
        name="flash_attention", source=FLASH, entry="flash_attention<8, 12, 16>",
        name_expressions=("flash_attention<8, 12, 16>",), grid=(5, 2), block=(128,),
        arguments=lambda rng: [*_normal(rng, 1184, 1184, 1184), blank(1184), blank(74), np.int32(37)],
        expected=_flash, rtol=1e-4, atol=1e-5, reason=_SUMS + ", __expf", tags=frozenset({"attention",
            "template"}),
    ),
    Kernel(
        name="conv2d_layer", source=CONV_LAYER, grid=(2, 4, 2), block=(32,),
        arguments=lambda rng: [*_normal(rng, 2 * 3 * 11 * 14, 108, 4), blank(2 * 4 * 6 * 7), np.int32(3),
            np.int32(11),
                               np.int32(14), np.int32(2)],
        expected=_conv_layer, rtol=1e-5, atol=1e-5, reason=_SUMS,
    ),
    Kernel(
        name="max_pool_argmax", source=MAX_POOL, grid=(3,), block=(48,),
        arguments=lambda rng: [*_normal(rng, 5 * 9 * 13), blank(120), blank(120, np.int64), np.int32(5),
            np.int32(9),
                               np.int32(13)],
        expected=_max_pool,
    ),
    Kernel(
        name="im2col", source=IM2COL, grid=(3,), block=(96,),
        arguments=lambda rng: [*_normal(rng, 360), blank(27 * 80), np.int32(3), np.int32(10), np.int32(12)],
        expected=_im2col,
    ),
    Kernel(
        name="batch_norm_inference", source=BATCH_NORM, grid=(4,), block=(96,),
        arguments=lambda rng: [*_normal(rng, 348), padded(np.abs(rng.normal(size=24)), tail=8), np.int32(6),
            np.int32(29),
                               np.int32(348)],
        expected=_batch_norm, rtol=1e-5, atol=1e-5, reason="division and sqrt in float32",
    ),
    Kernel(
        name="adam_step", source=ADAM, grid=(3,), block=(64,), arguments=_adam_arguments, expected=_adam,
        rtol=2e-5, atol=1e-6, reason="float32 powers and square roots", tags=frozenset({"struct"}),
    ),
    Kernel(
        name="embedding_gradient", source=EMBEDDING, grid=(45,), block=(16,),
        arguments=lambda rng: [padded(rng.integers(0, 12, 45), np.int32), *_normal(rng, 900),
                               written(blank(240), np.zeros(240)), np.int32(45), np.int32(20)],
        expected=_embedding, rtol=1e-5, atol=1e-5, reason="atomic float sums in any order",
        tags=frozenset({"atomics"}),
    ),
    Kernel(
        name="gelu_both", source=GELU, grid=(3,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=180) * 2, np.float64), blank(180, np.float64),
            blank(180, np.float64),
                               np.int32(180)],
        expected=_gelu, rtol=1e-13, atol=1e-14, reason="erf and exp err by 2 ULPs",
        tags=frozenset({"float64"}),
    ),
    Kernel(
        name="gru_cell", source=GRU, grid=(5,), block=(32,), shared_bytes=120,
        arguments=lambda rng: [*_normal(rng, 45, 105, 567, 1323, 63, 63), blank(105), np.int32(9),
            np.int32(21)],
        expected=_gru, rtol=1e-4, atol=2e-5, reason=_SUMS + ", __expf", tags=frozenset({"dynamic shared"}),
    ),
    Kernel(
        name="k_means_assign", source=K_MEANS, grid=(3,), block=(80,), shared_bytes=7 * 12,
        arguments=lambda rng: [padded(rng.normal(size=400), tail=8), padded(rng.normal(size=14), tail=8),
                               blank(200, np.int32), written(blank(14), np.zeros(14)),
                               written(blank(7, np.int32), np.zeros(7)), np.int32(200), np.int32(7)],
        expected=_k_means, rtol=1e-5, atol=1e-5, reason="atomic float sums in any order",
        tags=frozenset({"atomics", "dynamic shared"}),
    ),
    Kernel(
        name="pairwise_distances", source=DISTANCES, grid=(3, 4), block=(8, 8),
        arguments=lambda rng: [padded(rng.normal(size=27 * 13), np.float64), padded(rng.normal(size=21 * 13),
            np.float64),
                               blank(567, np.float64), np.int32(27), np.int32(21), np.int32(13)],
        expected=lambda a: {2: written(a[2], distance.cdist(body(a[0], 27, 13), body(a[1], 21, 13)))},
        rtol=1e-13, reason="sums in another order", tags=frozenset({"float64", "shared"}),
    ),
    Kernel(
        name="spectrogram_frames", source=SPECTROGRAM, grid=(12,), block=(24,), shared_bytes=240,
        arguments=lambda rng: [*_normal(rng, 400), padded(np.hanning(60)), blank(12 * 31), np.int32(25),
            np.int32(60),
                               np.int32(31)],
        expected=_spectrogram, rtol=1e-3, atol=1e-3, reason="60 float32 terms, then a square",
        tags=frozenset({"dynamic shared"}),
    ),
    Kernel(
        name="ray_spheres", source=RAYS, grid=(3, 4), block=(16, 8),
        arguments=lambda rng: [padded(rng.uniform(-10, 10, (6, 4)) * [2, 1.2, 1, 0] + [0, 0, 0, 7], tail=8),
            np.int32(6),
                               blank(1350), blank(1350, np.int32), np.int32(45), np.int32(30)],
        expected=_spheres, rtol=1e-4, atol=1e-3, reason="float32 differences of squares near 2,500",
        tags=frozenset({"struct"}),
    ),
)  # fmt: skip
