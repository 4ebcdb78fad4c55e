"""Metrics against numbers worked out by hand, access pattern by access pattern.

The numbers stand in tables with the reason beside them; nothing here computes them the way metrics.py does.
One warp unless said otherwise; every array begins at a multiple of 512 bytes, as on a GPU.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import pytest

from gpucourse.simt import metrics
from gpucourse.simt.link import Program
from gpucourse.simt.profile import Profile, profile_launch
from gpucourse.simt.run import launch


@dataclass(frozen=True)
class Pattern:
    """A kernel body, its launch and the counters of the whole launch; `i` is the thread's number in the grid."""

    name: str
    body: str
    expected: dict[str, float]
    reason: str
    types: str = "float"
    grid: tuple[int, ...] = (1,)
    block: tuple[int, ...] = (32,)
    n: int = 32
    before: str = ""
    size: int = 1 << 16


def _source(pattern: Pattern) -> str:
    return f"""{pattern.before}
extern "C" __global__ void k(const {pattern.types}* x, {pattern.types}* y, {pattern.types}* z, int* h, int n) {{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    {pattern.body}
}}"""


@functools.cache
def _program(source: str) -> Program:
    return Program(source)


def _profile(pattern: Pattern) -> Profile:
    x, y, z = (np.zeros(pattern.size, np.uint8) for _ in range(3))
    args = (x, y, z, np.zeros(1024, np.int32), np.int32(pattern.n))
    return profile_launch(_program(_source(pattern)), "k", pattern.grid, pattern.block, args)


def check(pattern: Pattern) -> None:
    found = _profile(pattern)
    got = {name: getattr(found, name) for name in pattern.expected}
    assert got == pytest.approx(pattern.expected, rel=1e-12), pattern.reason


def _loads(requests: int, sectors: int, ideal: int, used: int) -> dict[str, float]:
    return {"global_load_requests": requests, "global_load_sectors": sectors,
            "global_load_ideal_sectors": ideal, "global_load_bytes_used": used}  # fmt: skip


def _stores(requests: int, sectors: int, ideal: int, used: int) -> dict[str, float]:
    return {"global_store_requests": requests, "global_store_sectors": sectors,
            "global_store_ideal_sectors": ideal, "global_store_bytes_used": used}  # fmt: skip


_STRUCT = "struct Body { float x, y, z; };"
GLOBAL = [
    Pattern("stride 1", "y[i] = x[i];", _loads(1, 4, 4, 128) | _stores(1, 4, 4, 128), "128 bytes side by side"),
    Pattern("stride 2", "y[i] = x[2 * i];", _loads(1, 8, 4, 128), "256 bytes, every second float unused"),
    Pattern("stride 4", "y[i] = x[4 * i];", _loads(1, 16, 4, 128), "512 bytes: two floats of each sector"),
    Pattern("stride 8", "y[i] = x[8 * i];", _loads(1, 32, 4, 128), "a lane every 32 bytes: one sector each"),
    Pattern("stride 16", "y[i] = x[16 * i];", _loads(1, 32, 4, 128), "still one sector a lane"),
    Pattern("stride 32", "y[i] = x[32 * i];", _loads(1, 32, 4, 128), "still one sector a lane"),
    Pattern("stride 33", "y[i] = x[33 * i];", _loads(1, 32, 4, 128), "132 bytes apart: one sector a lane"),
    Pattern("offset 1", "y[i] = x[i + 1];", _loads(1, 5, 4, 128), "bytes 4 to 131: sectors 0 to 4"),
    Pattern("offset 4", "y[i] = x[i + 4];", _loads(1, 5, 4, 128), "bytes 16 to 143: sectors 0 to 4"),
    Pattern("offset 8", "y[i] = x[i + 8];", _loads(1, 4, 4, 128), "bytes 32 to 159: sectors 1 to 4"),
    Pattern("broadcast", "y[i] = x[n];", _loads(1, 1, 1, 4), "one float for all"),
    Pattern("two broadcasts", "y[i] = x[n * (i / 16)];", _loads(1, 2, 1, 8), "bytes 0 and 128"),
    Pattern("permuted", "y[i] = x[i ^ 21];", _loads(1, 4, 4, 128), "the same 128 bytes in another order"),
    Pattern("reversed", "y[i] = x[31 - i];", _loads(1, 4, 4, 128), "the same 128 bytes backwards"),
    Pattern("float2", "y[i] = x[i];", _loads(1, 8, 8, 256), "256 bytes", types="float2"),
    Pattern("float2 stride 2", "y[i] = x[2 * i];", _loads(1, 16, 8, 256), "512 bytes, half of them", types="float2"),
    Pattern("float2 offset 1", "y[i] = x[i + 1];", _loads(1, 9, 8, 256), "bytes 8 to 263", types="float2"),
    Pattern("float4", "y[i] = x[i];", _loads(1, 16, 16, 512), "512 bytes", types="float4"),
    Pattern("float4 stride 2", "y[i] = x[2 * i];", _loads(1, 32, 16, 512), "a lane every 32 bytes", types="float4"),
    Pattern("float4 offset 1", "y[i] = x[i + 1];", _loads(1, 17, 16, 512), "bytes 16 to 527", types="float4"),
    Pattern("double", "y[i] = x[i];", _loads(1, 8, 8, 256), "256 bytes", types="double"),
    Pattern("double stride 4", "y[i] = x[4 * i];", _loads(1, 32, 8, 256), "a lane every 32 bytes", types="double"),
    Pattern("16-bit", "y[i] = x[i];", _loads(1, 2, 2, 64), "64 bytes", types="short"),
    Pattern("8-bit", "y[i] = x[i];", _loads(1, 1, 1, 32), "32 bytes", types="char"),
    Pattern("8-bit stride 3", "y[i] = x[3 * i];", _loads(1, 3, 1, 32), "bytes 0 to 93", types="char"),
    Pattern("array of structures", "z[i].x = x[i].x + x[i].y + x[i].z;", _loads(3, 36, 12, 384),
            "12 bytes apart: each of three loads touches all 12 sectors of 384 bytes", types="Body", before=_STRUCT),
    Pattern("structure of arrays", "z[i] = x[i] + x[n + i] + x[2 * n + i];", _loads(3, 12, 12, 384),
            "three loads of 128 bytes", n=1024),
    Pattern("40 threads", "y[i] = x[i];", _loads(2, 5, 5, 160) | {"divergent_branches": 0},
            "the second warp has 8 threads: 32 bytes", block=(40,)),
    Pattern("64 threads, 40 elements", "if (i < n) y[i] = x[i];", _loads(2, 5, 5, 160) | {"divergent_branches": 1},
            "the second warp parts at the guard", block=(64,), n=40),
    Pattern("128 threads, 64 elements", "if (i < n) y[i] = x[i];", _loads(2, 8, 8, 256) | {"divergent_branches": 0},
            "whole warps leave: no warp parts", block=(128,), n=64),
    Pattern("three blocks", "y[i] = x[i];", _loads(6, 24, 24, 768), "6 warps of 128 bytes", grid=(3,), block=(64,)),
    Pattern("block 16 x 16, rows", "y[threadIdx.y * 64 + threadIdx.x] = x[threadIdx.y * 64 + threadIdx.x];",
            _loads(8, 32, 32, 1024), "a warp is two rows of 64 bytes: 2 + 2 sectors", block=(16, 16)),
    Pattern("block 8 x 8, rows", "y[i] = x[threadIdx.y * 64 + threadIdx.x];", _loads(2, 8, 8, 256),
            "a warp is four rows of 32 bytes", block=(8, 8)),
    Pattern("block 16 x 16, columns", "y[i] = x[threadIdx.x * 64 + threadIdx.y];", _loads(8, 128, 32, 1024),
            "16 rows of the matrix a warp, two neighbors in each", block=(16, 16)),
    Pattern("block 32 x 2, rows", "y[i] = x[threadIdx.y * 33 + threadIdx.x];", _loads(2, 9, 8, 256),
            "the second row begins at byte 132: sectors 4 to 8", block=(32, 2)),
    Pattern("naive transpose", "y[threadIdx.x * 32 + threadIdx.y] = x[threadIdx.y * 32 + threadIdx.x];",
            _loads(32, 128, 128, 4096) | _stores(32, 1024, 128, 4096),
            "rows are read: 4 sectors; columns are written: 32", block=(32, 32)),
    Pattern("early return", "if (i >= 20) return; y[i] = 1;", _stores(1, 3, 3, 80) | {"divergent_branches": 1},
            "20 lanes: bytes 0 to 79"),
    Pattern("every second lane stores", "if (i % 2) y[i] = 1;", _stores(1, 4, 2, 64) | {"divergent_branches": 1},
            "16 floats spread over 128 bytes"),
    Pattern("two ways with stores", "if (i % 2) { y[i] = 1; y[i + 64] = 2; } else { z[i] = 3; }",
            _stores(3, 12, 6, 192) | {"divergent_branches": 1}, "each of three stores has 16 lanes, 8 bytes apart"),
    Pattern("no warp parts", "if (i / 32 % 2) { y[i] = 1; y[i + 64] = 2; } else { z[i] = 3; }",
            _stores(3, 12, 12, 384) | {"divergent_branches": 0}, "the condition is the same in a warp", block=(64,)),
    Pattern("switch of five ways",
            "switch (i % 5) { case 0: y[i] = x[1]; break; case 1: z[i] = x[2]; break; case 2: y[i + 99] = 3; break; "
            "case 3: z[i + 99] = 4; y[5] = 1; break; default: y[i + 50] = 5; }",
            {"global_store_requests": 6}, "each way is a request of its own"),
    Pattern("switch, one way a warp",
            "switch (i / 32 % 5) { case 0: y[i] = x[1]; break; case 1: z[i] = x[2]; break; case 2: y[i + 99] = 3; "
            "break; case 3: z[i + 99] = 4; y[5] = 1; break; default: y[i + 50] = 5; }",
            {"global_store_requests": 6, "divergent_branches": 0}, "five warps, five ways", block=(160,)),
    Pattern("loop of i rounds", "float s = 0;\n#pragma unroll 1\nfor (int k = 0; k < i; k++) s += x[k]; y[i] = s;",
            _loads(31, 31, 31, 124) | {"divergent_branches": 31, "flops": 496},
            "round k reads one float for the lanes above k; one lane leaves before the first round and one after "
            "each but the last; 0 + 1 + ... + 31 additions"),
    Pattern("naive product 32 x 32",
            "int r = blockIdx.y * 16 + threadIdx.y, c = blockIdx.x * 16 + threadIdx.x; float s = 0;"
            "for (int k = 0; k < n; k++) s += x[r * n + k] * y[k * n + c]; z[r * n + c] = s;",
            _loads(2048, 4096, 3072, 73728)
            | {"flops": 65536, "compulsory_bytes": 12288, "arithmetic_intensity": 65536 / 12288},
            "32 warps x 32 rounds: x gives 2 floats from 2 rows, y 16 floats of one row (64 bytes)",
            grid=(2, 2), block=(16, 16)),
]  # fmt: skip


@pytest.mark.parametrize("pattern", GLOBAL, ids=lambda pattern: pattern.name)
def test_global_memory(pattern: Pattern) -> None:
    check(pattern)


def _shared(requests: int, wavefronts: int, ideal: int, degree: int) -> dict[str, float]:
    return {"shared_load_requests": requests, "shared_load_wavefronts": wavefronts,
            "shared_load_ideal_wavefronts": ideal, "bank_conflict_degree": degree}  # fmt: skip


def _reads(index: str, name: str, expected: dict[str, float], reason: str, types: str = "float", **more) -> Pattern:
    """A warp fills shared memory from address 0 on, which is free of conflicts, then reads `s[index]`."""
    body = f"s[i] = x[i]; __syncthreads(); y[i] = s[{index}];"
    shared = f"__shared__ {types} s[{more.pop('length', 1152)}];"
    return Pattern(name, body, expected, reason, types, before=shared, **more)


_ROW = "s[threadIdx.y][threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x]; __syncthreads();"
_COLUMN = "y[threadIdx.y * 32 + threadIdx.x] = s[threadIdx.x][threadIdx.y];"
_TILED = _loads(32, 128, 128, 4096) | _stores(32, 128, 128, 4096)
SHARED = [
    _reads("i", "32-bit row", _shared(1, 1, 1, 1), "32 words in 32 banks"),
    _reads("2 * i", "32-bit stride 2", _shared(1, 2, 1, 2), "16 banks, two words in each"),
    _reads("3 * i", "32-bit stride 3", _shared(1, 1, 1, 1), "an odd stride visits every bank once"),
    _reads("4 * i", "32-bit stride 4", _shared(1, 4, 1, 4), "8 banks, four words in each"),
    _reads("16 * i", "32-bit stride 16", _shared(1, 16, 1, 16), "2 banks, 16 words in each"),
    _reads("32 * i", "32-bit stride 32", _shared(1, 32, 1, 32), "one bank"),
    _reads("33 * i", "32-bit stride 33", _shared(1, 1, 1, 1), "33 i mod 32 = i: every bank once"),
    _reads("n", "32-bit broadcast", _shared(1, 1, 1, 1), "one word for all"),
    _reads("i / 2", "32-bit pairs", _shared(1, 1, 1, 1), "16 words in 16 banks"),
    _reads("(i % 2) * 32", "two words of one bank", _shared(1, 2, 1, 2), "words 0 and 32 are both in bank 0"),
    _reads("i ^ 13", "32-bit permuted", _shared(1, 1, 1, 1), "every bank once"),
    _reads("32 * i", "8 lanes, stride 32", _shared(1, 8, 1, 8), "8 words of one bank", block=(8,)),
    _reads("i", "64-bit row", _shared(1, 2, 2, 1), "two halves of 16 lanes x 2 words", types="double"),
    _reads("32 * i", "64-bit column", _shared(1, 32, 2, 16), "in each half 16 words of bank 0 and 16 of bank 1",
           types="double"),
    _reads("33 * i", "64-bit column, padded", _shared(1, 2, 2, 1), "66 i mod 32 = 2 i: every bank once in a half",
           types="double"),
    _reads("2 * i", "64-bit stride 2", _shared(1, 4, 2, 2), "lanes 0 and 8 of a half are 32 words apart",
           types="double"),
    _reads("n", "64-bit broadcast", _shared(1, 2, 2, 1), "one wavefront for each half", types="double"),
    _reads("i", "64-bit, 16 lanes", _shared(1, 1, 1, 1), "the upper half is empty", types="double", block=(16,)),
    _reads("i", "float2 row", _shared(1, 2, 2, 1), "as double", types="float2"),
    _reads("i", "128-bit row", _shared(1, 4, 4, 1), "four quarters of 8 lanes x 4 words", types="float4"),
    _reads("2 * i", "128-bit stride 2", _shared(1, 8, 4, 2), "lanes 0 and 4 of a quarter are 32 words apart",
           types="float4"),
    _reads("8 * i", "128-bit column of 32 words", _shared(1, 32, 4, 8), "8 lanes of a quarter in banks 0 to 3",
           types="float4"),
    _reads("9 * i", "128-bit column, padded", _shared(1, 4, 4, 1), "36 i mod 32 = 4 i: every bank once in a quarter",
           types="float4"),
    _reads("i", "8-bit row", _shared(1, 1, 1, 1), "8 words hold the 32 bytes", types="char"),
    _reads("128 * i", "8-bit stride 128", _shared(1, 32, 1, 32), "32 words of bank 0", types="char", length=4096),
    _reads("i", "16-bit row", _shared(1, 1, 1, 1), "16 words hold them", types="short"),
    Pattern("tile, columns", _ROW + _COLUMN,
            _TILED | _shared(32, 1024, 32, 32) | {"shared_store_wavefronts": 32, "bank_conflicts": 992},
            "a column of 32 x 32 floats lies in one bank", block=(32, 32), before="__shared__ float s[32][32];"),
    Pattern("tile, padded", _ROW + _COLUMN,
            _TILED | _shared(32, 32, 32, 1) | {"shared_store_wavefronts": 32, "bank_conflicts": 0},
            "33 words a row: a column visits every bank", block=(32, 32), before="__shared__ float s[32][33];"),
    Pattern("tile 16 x 16, columns", "s[threadIdx.y][threadIdx.x] = x[i]; __syncthreads();"
            "y[i] = s[threadIdx.x][threadIdx.y];", _shared(8, 64, 8, 8) | {"shared_store_wavefronts": 8},
            "a warp reads two columns: words 16 j and 16 j + 1, each in 2 banks, 8 words in each",
            block=(16, 16), before="__shared__ float s[16][16];"),
    Pattern("tile 16 x 17, columns", "s[threadIdx.y][threadIdx.x] = x[i]; __syncthreads();"
            "y[i] = s[threadIdx.x][threadIdx.y];",
            _shared(8, 16, 8, 2) | {"shared_store_wavefronts": 16, "bank_conflicts": 16},
            "reads: words 0 and 17 * 15 + 1 = 256 are in bank 0; writes: a second row ends at word 17 + 15 = 32",
            block=(16, 16), before="__shared__ float s[16][17];"),
    Pattern("tiled product 32 x 32",
            "int r = blockIdx.y * 16 + threadIdx.y, c = blockIdx.x * 16 + threadIdx.x; float s = 0;"
            "for (int t = 0; t < n; t += 16) { a[threadIdx.y][threadIdx.x] = x[r * n + t + threadIdx.x];"
            "b[threadIdx.y][threadIdx.x] = y[(t + threadIdx.y) * n + c]; __syncthreads();"
            "for (int k = 0; k < 16; k++) s += a[threadIdx.y][k] * b[k][threadIdx.x]; __syncthreads(); }"
            "z[r * n + c] = s;",
            _loads(128, 512, 512, 16384) | _stores(32, 128, 128, 4096)
            | {"flops": 65536, "bank_conflicts": 0, "shared_store_requests": 128, "compulsory_bytes": 12288},
            "32 warps x 2 tiles x 2 loads of two 64-byte rows", grid=(2, 2), block=(16, 16),
            before="__shared__ float a[16][16], b[16][16];"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", SHARED, ids=lambda pattern: pattern.name)
def test_shared_memory(pattern: Pattern) -> None:
    check(pattern)


_CONSTANT = "__constant__ float c[64];"
OTHER = [
    Pattern("atomics, one address", "atomicAdd(&h[0], i);",
            {"global_atomic_requests": 1, "global_atomic_sectors": 1, "atomic_serialization": 32,
             "global_requests": 0, "compulsory_bytes": 64, "worst_case_bytes": 64},
            "32 lanes take turns at one sector, which is read and written"),
    Pattern("atomics, all different", "atomicAdd(&h[i], 1);",
            {"global_atomic_requests": 1, "global_atomic_sectors": 4, "atomic_serialization": 1}, "128 bytes"),
    Pattern("atomics, four bins", "atomicAdd(&h[i % 4], 1);",
            {"global_atomic_requests": 1, "global_atomic_sectors": 1, "atomic_serialization": 8}, "32 / 4 lanes a bin"),
    Pattern("atomics, ragged bins", "atomicAdd(&h[i < 11 ? 0 : i], 1);",
            {"global_atomic_requests": 1, "atomic_serialization": 11}, "11 lanes in bin 0, one in each other"),
    Pattern("atomics, two warps at one address", "atomicAdd(&h[0], i);",
            {"global_atomic_requests": 2, "atomic_serialization": 32}, "turns are counted within a warp", block=(64,)),
    Pattern("shared atomics", "if (i < 4) s[i] = 0; __syncthreads(); atomicAdd(&s[i % 2], 1); __syncthreads();"
            "if (i < 2) h[i] = s[i];",
            {"shared_atomic_requests": 1, "atomic_serialization": 16, "global_atomic_requests": 0},
            "16 lanes at each of two words", before="__shared__ int s[4];"),
    Pattern("shared atomics, two warps", "if (i < 4) s[i] = 0; __syncthreads(); atomicAdd(&s[i % 2], 1);",
            {"shared_atomic_requests": 2, "atomic_serialization": 16}, "turns are counted within a warp",
            before="__shared__ int s[4];", block=(64,)),
    Pattern("constant, broadcast", "y[i] = c[n];", {"constant_requests": 1, "constant_addresses": 1},
            "one address", before=_CONSTANT),
    Pattern("constant, each lane its own", "y[i] = c[i];", {"constant_requests": 1, "constant_addresses": 32},
            "32 addresses", before=_CONSTANT),
    Pattern("constant, four addresses", "y[i] = c[i / 8];",
            {"constant_requests": 1, "constant_addresses_per_request": 4, "global_load_requests": 0},
            "one for 8 lanes", before=_CONSTANT),
    Pattern("local array", "volatile float a[4]; a[0] = i; a[1] = n; a[2] = 2; a[3] = 3; y[i] = a[(i + n) & 3];",
            {"local_store_requests": 4, "local_store_bytes": 512, "local_load_requests": 1, "local_load_bytes": 128,
             "local_bytes": 640}, "4 stores and 1 load of 4 bytes by 32 lanes"),
    Pattern("saxpy", "if (i < n) y[i] = 2.5f * x[i] + y[i];",
            {"flops": 200, "global_load_requests": 8, "compulsory_bytes": 1248, "special_functions": 0},
            "100 fused multiply-adds; 400 bytes are 13 sectors: two arrays read, one written", block=(128,), n=100),
    Pattern("vector add", "if (i < n) z[i] = x[i] + y[i];",
            {"flops": 1024, "compulsory_bytes": 12288, "worst_case_bytes": 12288, "arithmetic_intensity": 1 / 12,
             "worst_case_intensity": 1 / 12, "bytes_used_percent": 100, "sectors_per_request": 4},
            "1 FLOP for two floats read and one written", grid=(4,), block=(256,), n=1024),
    Pattern("stencil", "if (i > 0 && i < n - 1) y[i] = x[i - 1] + x[i] + x[i + 1];",
            {"flops": 60, "global_load_requests": 3, "global_load_sectors": 12, "compulsory_bytes": 256,
             "worst_case_bytes": 512},
            "30 lanes at bytes 0 to 119, 4 to 123 and 8 to 127 (4 sectors each); 4 distinct read, 4 written"),
    Pattern("double precision", "y[i] = x[i] * x[i] - 3.0;", {"flops": 64}, "one fma a lane", types="double"),
    Pattern("square root and division", "y[i] = sqrtf(x[i]) / x[i + 1];", {"special_functions": 64, "flops": 0},
            "one root and one division a lane"),
    Pattern("minimum is no FLOP", "y[i] = fminf(x[i], x[i + 1]);", {"flops": 0, "special_functions": 0}, "convention"),
    Pattern("integers are no FLOP", "h[i] = i * n + 3;", {"flops": 0, "special_functions": 0}, "convention"),
    Pattern("half2", "y[i] = __hfma2(x[i], x[i + 1], x[i + 2]);", {"flops": 128}, "two fused multiply-adds a lane",
            types="__half2", before="#include <cuda_fp16.h>"),
    Pattern("nothing at all", "", {"global_requests": 0, "sectors_per_request": 0, "arithmetic_intensity": 0,
                                   "branch_efficiency": 1}, "no memory, no branch"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", OTHER, ids=lambda pattern: pattern.name)
def test_other_memory_and_flops(pattern: Pattern) -> None:
    check(pattern)


# --- what is counted on which line -------------------------------------------------------------------

_TWO_LINES = """
extern "C" __global__ void k(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float a = x[i];
    if (i < n)
        y[2 * i] = a * a;
}"""


def _lines(source: str, *args: object, block: int = 32) -> Profile:
    return profile_launch(_program(source), "k", (1,), (block,), args)


def test_counters_belong_to_their_source_lines() -> None:
    found = _lines(_TWO_LINES, np.zeros(64, np.float32), np.zeros(64, np.float32), np.int32(16))
    loads = {line: c.global_load_requests for line, c in found.lines.items() if c.global_load_requests}
    stores = {line: c.global_store_sectors for line, c in found.lines.items() if c.global_store_requests}
    divergent = {line: c.divergent_branches for line, c in found.lines.items() if c.divergent_branches}
    flops = {line: c.flops for line, c in found.lines.items() if c.flops}
    assert (loads, stores, divergent, flops) == ({4: 1}, {6: 4}, {5: 1}, {6: 16})


def test_the_total_is_the_sum_of_the_lines() -> None:
    found = _lines(_TWO_LINES, np.zeros(64, np.float32), np.zeros(64, np.float32), np.int32(16))
    for name in metrics.COUNTED:
        numbers = [getattr(c, name) for c in found.lines.values()]
        expected = max(numbers) if name in ("bank_conflict_degree", "atomic_serialization") else sum(numbers)
        assert getattr(found, name) == expected, name


def test_header_code_counts_for_the_line_that_uses_it() -> None:
    source = """#include <cuda_fp16.h>
extern "C" __global__ void k(const __half2* x, __half2* y) {
    __half2 a = x[threadIdx.x];
    for (int o = 16; o > 0; o /= 2)
        a = __hadd2(a, __shfl_down_sync(0xffffffffu, a, o));
    y[threadIdx.x] = a;
}"""
    found = _lines(source, np.zeros(32, np.uint32), np.zeros(32, np.uint32))
    assert set(found.lines) - {0} <= set(range(2, 8))
    assert {line: c.flops for line, c in found.lines.items() if c.flops} == {5: 5 * 32 * 2}


_UNIFORM = """
extern "C" __global__ void k(const float* x, float* y, int n) {
    float s = 0;
    #pragma unroll 1
    for (int k = 0; k < n; k++) s += __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1) * k;
    __syncthreads();
    y[threadIdx.x] = s;
}"""


@pytest.mark.parametrize("threads", [32, 20])
def test_one_warp_that_never_parts_counts_what_the_machine_issues(threads: int) -> None:
    """The machine's own count of issued instructions is another count of the same thing."""
    source = _UNIFORM if threads == 32 else _UNIFORM.replace("0xffffffffu", "0xfffffu")
    args = (np.zeros(32, np.float32), np.zeros(32, np.float32), np.int32(7))
    done = launch(_program(source), "k", (1,), (threads,), args)
    found = _lines(source, *args, block=threads)
    assert found.warp_instructions == done.issued
    assert found.thread_instructions == threads * done.issued
    assert found.active_lanes == threads
    assert found.warp_efficiency == threads / 32


def test_lanes_of_a_loop_drop_out() -> None:
    """Lane i does i rounds of one line: 0 + 1 + ... + 31 = 496 lane rounds in 31 warp rounds."""
    source = """
extern "C" __global__ void k(float* y) {
    #pragma unroll 1
    for (int k = 0; k < threadIdx.x; k++)
        y[threadIdx.x * 32 + k] = k;
}"""
    found = _lines(source, np.zeros(1024, np.float32))
    stores = found.lines[5]
    assert stores.global_store_requests == 31
    assert stores.active_lanes == 496 / 31


def test_a_lane_of_each_warp_is_a_warp_instruction_of_each() -> None:
    source = """
extern "C" __global__ void k(float* y) {
    if (threadIdx.x % 32 == 7)
        y[threadIdx.x] = 1;
}"""
    store = _lines(source, np.zeros(128, np.float32), block=128).lines[4]
    assert (store.global_store_requests, store.active_lanes) == (4, 1)


_JUMP_TABLE = """
.version 7.0
.target sm_75
.address_size 64
.visible .entry k(.param .u64 p0) {
    .reg .b32 %r<5>;
    mov.u32 %r1, %tid.x;
    shr.b32 %r3, %r1, 5;
    and.b32 %r4, %r1, %r3;
    WAY
    ways: .branchtargets one, two, three, four;
    brx.idx %r2, ways;
one: bra out;
two: bra out;
three: bra out;
four: bra out;
out: ret;
}"""


@pytest.mark.parametrize(("way", "divergent"), [
    ("and.b32 %r2, %r1, 3;", 2),       # lane % 4: both warps part
    ("mov.u32 %r2, %r3;", 0),          # the number of the warp: none does
    ("add.u32 %r2, %r3, %r4;", 1),     # 0 in warp 0; 1 or 2 in warp 1
])  # fmt: skip
def test_a_jump_table_parts_a_warp_once(way: str, divergent: int) -> None:
    found = profile_launch(Program(ptx=_JUMP_TABLE.replace("WAY", way)), "k", (1,), (64,), (np.zeros(1),))
    assert (found.divergent_branches, found.branches) == (divergent, 2)


def test_a_profile_does_not_alter_results() -> None:
    plain, traced = np.zeros(64, np.float32), np.zeros(64, np.float32)
    x = np.arange(64, dtype=np.float32)
    launch(_program(_TWO_LINES), "k", (1,), (32,), (x, plain, np.int32(20)))
    _lines(_TWO_LINES, x, traced, np.int32(20))
    np.testing.assert_array_equal(traced, plain)
    assert traced[38] == 19 * 19


# --- the formulas alone ------------------------------------------------------------------------------


@pytest.mark.parametrize(("opcode", "expected"), [
    ("add.ftz.f32", (1, 0)), ("sub.f64", (1, 0)), ("mul.rn.f32", (1, 0)), ("fma.rn.ftz.f32", (2, 0)),
    ("fma.rn.f64", (2, 0)), ("fma.rn.f16", (2, 0)), ("fma.rn.f16x2", (4, 0)), ("add.f16x2", (2, 0)),
    ("add.s32", (0, 0)), ("mad.lo.s32", (0, 0)), ("mul.wide.s32", (0, 0)), ("min.f32", (0, 0)), ("neg.f32", (0, 0)),
    ("div.rn.f32", (0, 1)), ("sqrt.rn.f32", (0, 1)), ("ex2.approx.ftz.f32", (0, 1)), ("tanh.approx.f16x2", (0, 2)),
    ("div.s32", (0, 0)), ("cvt.rn.f32.s32", (0, 0)), ("atom.global.add.f32", (0, 0)), ("red.global.add.f32", (0, 0)),
    ("wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32", (256, 0)),   # 2 x 16 x 16 x 16 / 32 lanes
    ("wmma.mma.sync.aligned.row.col.m8n32k16.f16.f16", (256, 0)),
    ("wmma.mma.sync.aligned.row.col.m16n16k16.s32.s8.s8.s32", (0, 0)),
    ("wmma.load.a.sync.aligned.row.m16n16k16.f16", (0, 0)),
])  # fmt: skip
def test_flops_of_an_opcode(opcode: str, expected: tuple[int, int]) -> None:
    assert metrics.flops_of(tuple(opcode.split("."))) == expected


def _by_warp(slot, values, width=32):
    """{group: its lanes' values}, with plain Python sets and lists."""
    groups: dict[int, list[int]] = {}
    for lane, value in zip(slot.tolist(), values.tolist(), strict=True):
        groups.setdefault(lane // width, []).append(value)
    return [groups[key] for key in sorted(groups)]


def _busiest_bank(addresses: list[int], size: int) -> int:
    words = {a // 4 + extra for a in addresses for extra in range(max(1, size // 4))}
    return max(sum(word % 32 == bank for word in words) for bank in range(32))


@pytest.mark.parametrize("seed", range(40))
def test_formulas_agree_with_sets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.choice([1, 2, 4, 8, 16]))
    lanes = np.sort(rng.choice(256, rng.integers(1, 257), replace=False)) if seed % 4 else np.arange(256)
    address = (rng.integers(0, rng.choice([3, 40, 2000]), len(lanes)) * size).astype(np.uint64)
    found = metrics.global_requests(lanes, address, size)
    warps = _by_warp(lanes, address)
    assert found.sectors.tolist() == [len({a // 32 for a in each}) for each in warps]
    assert found.bytes.tolist() == [len({a + b for a in each for b in range(size)}) for each in warps]
    assert set(found.touched.tolist()) == {a // 32 for each in warps for a in each}
    assert metrics.lanes_at_one_address(lanes, address).tolist() == [max(map(each.count, each)) for each in warps]
    phases = _by_warp(lanes, address, {8: 16, 16: 8}.get(size, 32))
    assert metrics.wavefronts(lanes, address, size).tolist() == [_busiest_bank(each, size) for each in phases]
    taken = rng.random(len(lanes)) < rng.choice([0.0, 0.1, 1.0])
    parts = sum(len(set(each)) == 2 for each in _by_warp(lanes, taken))
    assert metrics.divergent_warps(lanes, taken) == parts


def test_sectors_seen_twice_are_kept_once() -> None:
    seen = metrics.SectorSet(merge_at=8)
    for start in range(10):
        seen.add(np.arange(start, start + 6, dtype=np.uint64))
    assert len(seen) == 15
    assert len(metrics.SectorSet()) == 0


def test_intensity_without_traffic() -> None:
    assert metrics.intensity(0, 0) == 0
    assert metrics.intensity(8, 0) == float("inf")
    assert metrics.intensity(8, 4) == 2


def test_a_warp_counts_once_each_time_it_comes_to_a_barrier_of_its_block() -> None:
    source = """extern "C" __global__ void k(float* x, int turns) {
    for (int k = 0; k < turns; k++) {
        x[threadIdx.x] += 1;
        __syncthreads();
    }
    if (threadIdx.x < 32) __syncwarp();
}"""
    found = _lines(source, np.zeros(80, np.float32), np.int32(5), block=80)
    assert {line: c.barriers for line, c in found.lines.items() if c.barriers} == {4: 5 * 3}   # 80 threads: 3 warps
    assert found.barriers == 15
