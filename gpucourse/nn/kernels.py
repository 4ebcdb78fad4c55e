"""CUDA C behind the operations of `cuda_ops.py`: convolution and its two gradients, softmax cross-entropy, Adam.

Written for float; `made` gives the same for double by exchanging the word, for gradient checks need it.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from gpucourse.benchmarks.rung import Rung

BLOCK = 128   # threads; what conv_weight_gradient and cross_entropy reduce over

CONV_FORWARD = Rung("conv_forward", "convolution: one thread a result", r"""
extern "C" __global__
void conv_forward(const float* x, const float* weight, const float* bias, float* y, int n, int channels, int h, int w,
                  int filters, int k, int stride, int padding, int dilation, int high, int wide)
{
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;      // one element of y (n, filters, high, wide)
    if (i >= (long long)n * filters * high * wide) return;
    int column = i % wide, row = i / wide % high, filter = i / wide / high % filters;
    int example = i / wide / high / filters;
    float sum = bias[filter];
    for (int c = 0; c < channels; c++)
        for (int p = 0; p < k; p++)
            for (int q = 0; q < k; q++) {
                int r = row * stride + p * dilation - padding, s = column * stride + q * dilation - padding;
                if (r >= 0 && r < h && s >= 0 && s < w)
                    sum += weight[((filter * channels + c) * k + p) * k + q]
                         * x[(((long long)example * channels + c) * h + r) * w + s];
            }
    y[i] = sum;
}
""")
CONV_INPUT_GRADIENT = Rung("conv_input_gradient", "gradient of a convolution's input: one thread a pixel", r"""
extern "C" __global__
void conv_input_gradient(const float* dy, const float* weight, float* dx, int n, int channels, int h, int w,
                         int filters, int k, int stride, int padding, int dilation, int high, int wide)
{
    long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;      // one element of dx (n, channels, h, w)
    if (i >= (long long)n * channels * h * w) return;
    int s = i % w, r = i / w % h, c = i / w / h % channels, example = i / w / h / channels;
    float sum = 0;
    for (int p = 0; p < k; p++)
        for (int q = 0; q < k; q++) {
            int row = r + padding - p * dilation, column = s + padding - q * dilation;    // stride times their place
            if (row < 0 || column < 0 || row % stride || column % stride) continue;
            row /= stride;
            column /= stride;
            if (row >= high || column >= wide) continue;
            for (int filter = 0; filter < filters; filter++)
                sum += weight[((filter * channels + c) * k + p) * k + q]
                     * dy[(((long long)example * filters + filter) * high + row) * wide + column];
        }
    dx[i] = sum;
}
""")
CONV_WEIGHT_GRADIENT = Rung("conv_weight_gradient", "gradient of a convolution's weights: one block a weight", r"""
extern "C" __global__
void conv_weight_gradient(const float* x, const float* dy, float* dw, int n, int channels, int h, int w,
                          int filters, int k, int stride, int padding, int dilation, int high, int wide)
{
    __shared__ float part[128];
    int i = blockIdx.x;                                                  // one element of dw (filters, channels, k, k)
    int q = i % k, p = i / k % k, c = i / k / k % channels, filter = i / k / k / channels;
    float sum = 0;
    for (long long j = threadIdx.x; j < (long long)n * high * wide; j += blockDim.x) {
        int column = j % wide, row = j / wide % high, example = j / wide / high;
        int r = row * stride + p * dilation - padding, s = column * stride + q * dilation - padding;
        if (r >= 0 && r < h && s >= 0 && s < w)
            sum += x[(((long long)example * channels + c) * h + r) * w + s]
                 * dy[(((long long)example * filters + filter) * high + row) * wide + column];
    }
    part[threadIdx.x] = sum;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0) dw[i] = part[0];
}
""")
CROSS_ENTROPY = Rung("cross_entropy", "softmax cross-entropy: one warp a row", r"""
extern "C" __global__
void cross_entropy(const float* logits, const long long* labels, float* loss, float* gradient, int rows, int classes)
{
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;                                             // whole warps leave
    const float* x = logits + (long long)row * classes;
    float largest = x[0], sum = 0;
    for (int c = lane; c < classes; c += 32) largest = max(largest, x[c]);
    for (int far = 16; far > 0; far /= 2) largest = max(largest, __shfl_xor_sync(0xffffffff, largest, far));
    for (int c = lane; c < classes; c += 32) sum += exp(x[c] - largest);
    for (int far = 16; far > 0; far /= 2) sum += __shfl_xor_sync(0xffffffff, sum, far);
    for (int c = lane; c < classes; c += 32) {
        float log_p = x[c] - largest - log(sum);
        gradient[(long long)row * classes + c] = (exp(log_p) - (c == labels[row])) / rows;
        if (c == labels[row]) loss[row] = -log_p / rows;
    }
}
""")
FUSED_ADAM = Rung("fused_adam", "Adam in one pass: each number is read once and written once", r"""
extern "C" __global__
void fused_adam(float* p, const float* g, float* m, float* s, long long n, float lr, float b1, float b2, float eps,
                float decay, float correction1, float correction2)
{
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < n; i += step) {
        float weight = p[i], gradient = g[i] + decay * weight;
        float mean = b1 * m[i] + (1 - b1) * gradient;
        float square = b2 * s[i] + (1 - b2) * gradient * gradient;
        m[i] = mean;
        s[i] = square;
        p[i] = weight - lr / correction1 * mean / (sqrt(square / correction2) + eps);
    }
}
""")
#: Kernel's name -> its rung, as a lesson's source asks for it.
RUNGS = {
    rung.name: rung
    for rung in (CONV_FORWARD, CONV_INPUT_GRADIENT, CONV_WEIGHT_GRADIENT, CROSS_ENTROPY, FUSED_ADAM)
}


@cache
def made(name: str, dtype: str, xp: ModuleType) -> Any:
    """Return the kernel called `name` for float32 or float64; kept, so that it is compiled once."""
    rung = RUNGS[name]
    source = rung.source.replace("float", "double") if dtype == "float64" else rung.source
    return xp.RawKernel(source, name)


def number(value: float, dtype: str) -> Any:
    """Return a kernel's argument of type float or double, by the arrays' dtype."""
    return np.dtype(dtype).type(value)
