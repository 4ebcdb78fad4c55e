"""Neighbours in one to three dimensions: stencils, images, convolution, Mandelbrot, life, transposes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage, signal

from tests.simt.conformance.kernel import Kernel, blank, body, padded, written

STENCIL_1D = r"""
#define RADIUS 3
#define THREADS 64
extern "C" __global__ void stencil_1d_halo(const float* in, float* out, int n) {
    __shared__ float tile[THREADS + 2 * RADIUS];
    int i = blockIdx.x * THREADS + threadIdx.x;
    int t = threadIdx.x + RADIUS;
    tile[t] = i < n ? in[i] : 0.0f;
    if (threadIdx.x < RADIUS) {
        tile[t - RADIUS] = i >= RADIUS ? in[i - RADIUS] : 0.0f;
        tile[t + THREADS] = i + THREADS < n ? in[i + THREADS] : 0.0f;
    }
    __syncthreads();
    if (i >= n) return;
    float sum = 0.0f;
    for (int d = -RADIUS; d <= RADIUS; ++d) sum += tile[t + d];
    out[i] = sum;
}
"""

HEAT_2D = r"""
extern "C" __global__ void heat_2d(const double* u, double* next, double k, int rows, int columns) {
    int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
    if (r >= rows || c >= columns) return;
    int i = r * columns + c;
    if (r == 0 || c == 0 || r == rows - 1 || c == columns - 1) { next[i] = u[i]; return; }
    next[i] = u[i] + k * (u[i - 1] + u[i + 1] + u[i - columns] + u[i + columns] - 4.0 * u[i]);
}
"""

STENCIL_3D = r"""
extern "C" __global__ void stencil_3d_marching(const float* in, float* out, int depth, int rows,
                                               int columns) {
    int x = blockIdx.x * blockDim.x + threadIdx.x + 1, y = blockIdx.y * blockDim.y + threadIdx.y + 1;
    if (x >= columns - 1 || y >= rows - 1) return;
    int plane = rows * columns, at = y * columns + x;
    float below, here = in[at], above = in[at + plane];
    for (int z = 1; z < depth - 1; ++z) {                      // registers march along z
        at += plane;
        below = here, here = above, above = in[at + plane];
        out[at] = below + above + in[at - 1] + in[at + 1] + in[at - columns] + in[at + columns] - 6.0f * here;
    }
}
"""

BOX_BLUR = r"""
extern "C" __global__ void box_blur_u8(const unsigned char* in, unsigned char* out, int width, int height,
                                       int radius) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    int sum = 0, count = 0;
    for (int dy = -radius; dy <= radius; ++dy)
        for (int dx = -radius; dx <= radius; ++dx) {
            int u = x + dx, v = y + dy;
            if (u < 0 || v < 0 || u >= width || v >= height) continue;
            sum += in[v * width + u];
            ++count;
        }
    out[y * width + x] = (unsigned char)(sum / count);
}
"""

SOBEL = r"""
extern "C" __global__ void sobel_u8(const unsigned char* in, float* out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    auto at = [=](int u, int v) {
        u = min(max(u, 0), width - 1), v = min(max(v, 0), height - 1);
        return (int)in[v * width + u];
    };
    int gx = at(x + 1, y - 1) + 2 * at(x + 1, y) + at(x + 1, y + 1) - at(x - 1, y - 1) - 2 * at(x - 1, y)
        - at(x - 1, y + 1);
    int gy = at(x - 1, y + 1) + 2 * at(x, y + 1) + at(x + 1, y + 1) - at(x - 1, y - 1) - 2 * at(x, y - 1)
        - at(x + 1, y - 1);
    out[y * width + x] = sqrtf((float)(gx * gx + gy * gy));
}
"""

CONV_1D = r"""
__constant__ float filter[5];
extern "C" __global__ void conv_1d_constant(const float* in, float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float sum = 0.0f;
    for (int k = 0; k < 5; ++k) {
        int j = i + 2 - k;
        if (j >= 0 && j < n) sum += filter[k] * in[j];
    }
    out[i] = sum;
}
"""

CONV_2D = r"""
#define TILE 12
#define R 2
__constant__ float mask[(2 * R + 1) * (2 * R + 1)];
extern "C" __global__ void conv_2d_tiled(const float* in, float* out, int width, int height) {
    // 16 x 16 threads load, 12 x 12 of them compute
    __shared__ float tile[TILE + 2 * R][TILE + 2 * R];
    int x = blockIdx.x * TILE + threadIdx.x - R, y = blockIdx.y * TILE + threadIdx.y - R;
    tile[threadIdx.y][threadIdx.x] = x >= 0 && y >= 0 && x < width && y < height ? in[y * width + x] : 0.0f;
    __syncthreads();
    bool inner = threadIdx.x >= R && threadIdx.x < R + TILE && threadIdx.y >= R && threadIdx.y < R + TILE;
    if (!inner || x >= width || y >= height) return;
    float sum = 0.0f;
    for (int v = -R; v <= R; ++v)
        for (int u = -R; u <= R; ++u)
            sum += mask[(v + R) * (2 * R + 1) + u + R] * tile[threadIdx.y + v][threadIdx.x + u];
    out[y * width + x] = sum;
}
"""

LIFE = r"""
extern "C" __global__ void game_of_life(const unsigned char* now, unsigned char* next, int width,
                                        int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    int alive = 0;
    for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx)
            if (dx || dy) alive += now[(y + dy + height) % height * width + (x + dx + width) % width];
    next[y * width + x] = alive == 3 || (alive == 2 && now[y * width + x]);
}
"""

MANDELBROT = r"""
extern "C" __global__ void mandelbrot(int* out, int width, int height, double left, double top, double step,
                                      int limit) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    double a = left + x * step, b = top - y * step, re = 0.0, im = 0.0;
    int k = 0;
    for (; k < limit && re * re + im * im <= 4.0; ++k) {
        double next = re * re - im * im + a;
        im = 2.0 * re * im + b;
        re = next;
    }
    out[y * width + x] = k;
}
"""

RESIZE = r"""
extern "C" __global__ void resize_bilinear(const float* in, float* out, int w, int h, int W, int H) {
    int X = blockIdx.x * blockDim.x + threadIdx.x, Y = blockIdx.y * blockDim.y + threadIdx.y;
    if (X >= W || Y >= H) return;
    float x = X * (float)(w - 1) / (W - 1), y = Y * (float)(h - 1) / (H - 1);
    int x0 = min((int)x, w - 2), y0 = min((int)y, h - 2);
    float u = x - x0, v = y - y0;
    const float* p = in + y0 * w + x0;
    out[Y * W + X] = (1 - v) * ((1 - u) * p[0] + u * p[1]) + v * ((1 - u) * p[w] + u * p[w + 1]);
}
"""

MEDIAN = r"""
extern "C" __global__ void median_3x3(const unsigned char* in, unsigned char* out, int width, int height) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    unsigned char seen[9];
    int n = 0;
    for (int dy = -1; dy <= 1; ++dy)
        for (int dx = -1; dx <= 1; ++dx) {
            int u = min(max(x + dx, 0), width - 1), v = min(max(y + dy, 0), height - 1);
            int place = n++;
            unsigned char value = in[v * width + u];
            while (place > 0 && seen[place - 1] > value) { seen[place] = seen[place - 1]; --place; }
            seen[place] = value;
        }
    out[y * width + x] = seen[4];
}
"""

TRANSPOSE_NAIVE = r"""
extern "C" __global__ void transpose_naive(const float* in, float* out, int rows, int columns) {
    int c = blockIdx.x * blockDim.x + threadIdx.x, r = blockIdx.y * blockDim.y + threadIdx.y;
    if (r < rows && c < columns) out[c * rows + r] = in[r * columns + c];
}
"""

TRANSPOSE_TILED = r"""
extern "C" __global__ void NAME(const float* in, float* out, int rows, int columns) {
    __shared__ float tile[TILE][TILE + PAD];                   // PAD 0: every column in one bank
    int c = blockIdx.x * TILE + threadIdx.x, r = blockIdx.y * TILE + threadIdx.y;
    for (int k = 0; k < TILE; k += blockDim.y)
        if (r + k < rows && c < columns) tile[threadIdx.y + k][threadIdx.x] = in[(r + k) * columns + c];
    __syncthreads();
    c = blockIdx.y * TILE + threadIdx.x, r = blockIdx.x * TILE + threadIdx.y;
    for (int k = 0; k < TILE; k += blockDim.y)
        if (r + k < columns && c < rows) out[(r + k) * rows + c] = tile[threadIdx.x][threadIdx.y + k];
}
"""

TRANSPOSE_DIAGONAL = r"""
#define TILE 16
extern "C" __global__ void transpose_swizzled(const double* in, double* out, int n) {
    __shared__ double tile[TILE][TILE];
    int bx = (blockIdx.x + blockIdx.y) % gridDim.x, by = blockIdx.x;      // diagonal order of blocks
    int c = bx * TILE + threadIdx.x, r = by * TILE + threadIdx.y;
    if (r < n && c < n) tile[threadIdx.y][threadIdx.x ^ threadIdx.y] = in[r * n + c];
    __syncthreads();
    c = by * TILE + threadIdx.x, r = bx * TILE + threadIdx.y;
    if (r < n && c < n) out[r * n + c] = tile[threadIdx.x][threadIdx.x ^ threadIdx.y];
}
"""


def _heat(arguments):
    u = body(arguments[0], 29, 41)
    after = u.copy()
    after[1:-1, 1:-1] += 0.2 * signal.convolve2d(u, [[0, 1, 0], [1, -4, 1], [0, 1, 0]], "valid")
    return {1: written(arguments[1], after)}


def _laplacian_3d(arguments):
    inside = (slice(1, -1),) * 3
    after = arguments[1][: 9 * 13 * 21].reshape(9, 13, 21).astype(np.float64)
    after[inside] = ndimage.laplace(body(arguments[0], 9, 13, 21))[inside]
    return {1: written(arguments[1], after)}


def _box(arguments):
    image = arguments[0][: 33 * 47].reshape(33, 47).astype(int)
    ones = np.ones((5, 5), int)
    return {1: written(arguments[1], signal.convolve2d(image, ones, "same")
                       // signal.convolve2d(np.ones_like(image), ones, "same"))}  # fmt: skip


def _sobel(arguments):
    image = body(arguments[0], 33, 47).astype(float)
    return {1: written(arguments[1], np.hypot(ndimage.sobel(image, 0, mode="nearest"),
                                              ndimage.sobel(image, 1, mode="nearest")))}  # fmt: skip


def _life(arguments):
    now = arguments[0][: 30 * 45].reshape(30, 45).astype(int)
    alive = signal.convolve2d(now, [[1, 1, 1], [1, 0, 1], [1, 1, 1]], "same", "wrap")
    return {1: written(arguments[1], (alive == 3) | ((alive == 2) & (now == 1)))}


def _mandelbrot(arguments):
    c = (-2.1 + np.arange(50) * 0.0625) + 1j * (1.0 - np.arange(33) * 0.0625)[:, None]
    z, count = np.zeros_like(c), np.zeros(c.shape, int)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(60):
            inside = np.abs(z) <= 2
            count += inside
            z = np.where(inside, z * z + c, z)
    return {0: written(arguments[0], count)}


def _resize(arguments):
    y, x = np.meshgrid(np.linspace(0, 8, 30), np.linspace(0, 10, 44), indexing="ij")
    return {1: written(arguments[1], ndimage.map_coordinates(body(arguments[0], 9, 11), [y, x], order=1))}


def _median(arguments):
    image = arguments[0][: 33 * 47].reshape(33, 47)
    return {1: written(arguments[1], ndimage.median_filter(image, 3, mode="nearest"))}


def _image(rng, dtype=np.uint8):
    return [padded(rng.integers(0, 256, 33 * 47), np.uint8), blank(33 * 47, dtype), np.int32(47),
        np.int32(33)]


def _transposed(arguments):
    return {1: written(arguments[1], body(arguments[0], int(arguments[2]), int(arguments[3])).T)}


def _matrix(rows, columns):
    return lambda rng: [padded(rng.normal(size=rows * columns)), blank(rows * columns), np.int32(rows),
        np.int32(columns)]


def _transpose(name, tile, pad, block, grid, rows, columns):
    return Kernel(name=name, source=TRANSPOSE_TILED, options=(f"-DNAME={name}", f"-DTILE={tile}",
        f"-DPAD={pad}"),
                  grid=grid, block=block, arguments=_matrix(rows, columns), expected=_transposed,
                  tags=frozenset({"shared", "bank conflicts"}))  # fmt: skip


_FILTER = np.array([0.1, -0.4, 1.5, 0.7, 0.3], np.float32)
_MASK = np.random.default_rng(5).normal(size=(5, 5)).astype(np.float32)
_SUMS = "float sums in another order than the oracle's float64"

KERNELS = (
    Kernel(
        name="stencil_1d_halo", source=STENCIL_1D, grid=(5,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=301)), blank(301), np.int32(301)],
        expected=lambda a: {1: written(a[1], np.convolve(body(a[0], 301), np.ones(7), "same"))},
        rtol=1e-5, atol=1e-6, reason=_SUMS, tags=frozenset({"shared"}),
    ),
    Kernel(
        name="heat_2d", source=HEAT_2D, grid=(3, 4), block=(16, 8),
        arguments=lambda rng: [padded(rng.normal(size=29 * 41), np.float64), blank(29 * 41, np.float64),
                               np.float64(0.2), np.int32(29), np.int32(41)],
        expected=_heat, rtol=1e-13, atol=1e-14, reason="sums in another order", tags=frozenset({"float64"}),
    ),
    Kernel(
        name="stencil_3d_marching", source=STENCIL_3D, grid=(3, 2), block=(8, 8),
        arguments=lambda rng: [padded(rng.normal(size=9 * 13 * 21)), blank(9 * 13 * 21), np.int32(9),
            np.int32(13),
                               np.int32(21)],
        expected=_laplacian_3d, rtol=1e-5, atol=1e-5, reason=_SUMS,
    ),
    Kernel(
        name="box_blur_u8", source=BOX_BLUR, grid=(3, 5), block=(16, 8),
        arguments=lambda rng: [*_image(rng), np.int32(2)], expected=_box,
    ),
    Kernel(
        name="sobel_u8", source=SOBEL, grid=(2, 5), block=(32, 8),
        arguments=lambda rng: _image(rng, np.float32), expected=_sobel, rtol=1e-6,
        reason="sqrtf is approximate",
    ),
    Kernel(
        name="conv_1d_constant", source=CONV_1D, grid=(4,), block=(64,),
        arguments=lambda rng: [padded(rng.normal(size=205)), blank(205), np.int32(205)],
        expected=lambda a: {1: written(a[1], np.convolve(body(a[0], 205), _FILTER, "same"))},
        constants={"filter": _FILTER}, rtol=1e-5, atol=1e-6, reason=_SUMS, tags=frozenset({"constant"}),
    ),
    Kernel(
        name="conv_2d_tiled", source=CONV_2D, grid=(3, 3), block=(16, 16),
        arguments=lambda rng: [padded(rng.normal(size=29 * 35)), blank(29 * 35), np.int32(35), np.int32(29)],
        expected=lambda a: {1: written(a[1], signal.correlate2d(body(a[0], 29, 35), _MASK, "same"))},
        constants={"mask": _MASK.ravel()},
        rtol=1e-4, atol=1e-5, reason=_SUMS, tags=frozenset({"constant", "shared"}),
    ),
    Kernel(
        name="game_of_life", source=LIFE, grid=(3, 4), block=(16, 8),
        arguments=lambda rng: [padded(rng.random(30 * 45) < 0.35, np.uint8), blank(30 * 45, np.uint8),
            np.int32(45),
                               np.int32(30)],
        expected=_life,
    ),
    Kernel(
        name="mandelbrot", source=MANDELBROT, grid=(4, 5), block=(16, 8),
        options=("-fmad=false",),
        arguments=lambda rng: [blank(33 * 50, np.int32), np.int32(50), np.int32(33), np.float64(-2.1),
                               np.float64(1.0), np.float64(0.0625), np.int32(60)],
        expected=_mandelbrot, tags=frozenset({"float64"}),
    ),
    Kernel(
        name="resize_bilinear", source=RESIZE, grid=(3, 4), block=(16, 8),
        arguments=lambda rng: [padded(rng.normal(size=9 * 11)), blank(30 * 44), np.int32(11), np.int32(9),
                               np.int32(44), np.int32(30)],
        expected=_resize, rtol=1e-4, atol=1e-5, reason="coordinates in float32",
    ),
    Kernel(
        name="median_3x3", source=MEDIAN, grid=(3, 5), block=(16, 8), arguments=_image, expected=_median,
        tags=frozenset({"local"}),
    ),
    Kernel(
        name="transpose_naive", source=TRANSPOSE_NAIVE, grid=(3, 5), block=(16, 8),
        arguments=_matrix(37, 45), expected=_transposed,
    ),
    _transpose("transpose_tiled_conflicts", 32, 0, (32, 8), (3, 2), 50, 70),
    _transpose("transpose_tiled_padded", 32, 1, (32, 8), (3, 2), 50, 70),
    _transpose("transpose_tile_16", 16, 1, (16, 16), (2, 3), 45, 31),
    Kernel(
        name="transpose_swizzled", source=TRANSPOSE_DIAGONAL, grid=(3, 3), block=(16, 16),
        arguments=lambda rng: [padded(rng.normal(size=43 * 43), np.float64), blank(43 * 43, np.float64),
            np.int32(43)],
        expected=lambda a: {1: written(a[1], body(a[0], 43, 43).T)}, tags=frozenset({"shared", "float64"}),
    ),
)  # fmt: skip
