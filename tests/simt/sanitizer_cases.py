"""Faulty kernels with what the sanitizer must say of each, and look-alikes on which it must be silent.

In a source, `//!` marks the line that a finding names, `//<` the other line of a race. Arguments are made by
`arguments()`; a launch has 2 blocks of 64 threads unless the case says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gpucourse.simt import sanitize as s

HEAD = "#define T threadIdx.x\n#define B blockIdx.x\n#define I (blockIdx.x * blockDim.x + threadIdx.x)\n"


@dataclass(frozen=True)
class Case:
    """`kind` is the finding's, or "" for a look-alike of the kind `like`; `array` and `index` what it names."""

    name: str
    source: str
    kind: str = ""
    like: str = ""
    array: str | None = None
    index: int | None = None
    grid: tuple[int, ...] = (2,)
    block: tuple[int, ...] = (64,)
    shared_bytes: int = 0
    arguments: Callable[[], list[Any]] = field(default=lambda: [np.arange(128, dtype=np.float32), zeros(128)])
    blank: tuple[int, ...] = ()  # arguments that nobody has written
    again: tuple[str, ...] = ()  # other kinds that the same fault rightly brings along

    @property
    def code(self) -> str:
        return HEAD + 'extern "C" __global__ void k(' + self.source

    def line(self, mark: str) -> int | None:
        """Source line of a mark; None where the source has none."""
        return next((n for n, text in enumerate(self.code.splitlines(), 1) if mark in text), None)


def zeros(count: int, dtype: Any = np.float32) -> Any:
    return np.zeros(count, dtype)


def flags() -> list[Any]:
    return [np.arange(128, dtype=np.float32), zeros(128), zeros(4, np.int32)]


def _part() -> list[Any]:
    return [np.arange(128, dtype=np.float32), np.zeros(200, np.float32)[50:100]]


XY = "const float* x, float* y"
XYF = "const float* x, float* y, int* flag"

CASES = (
    # --- out of bounds -------------------------------------------------------------------------------
    Case("one too far", XY + ") {\n y[I + 1] = x[I]; //!\n}", s.OUT_OF_BOUNDS, array="y", index=128),
    Case("one too early", XY + ") {\n y[I] = x[(int)I - 1]; //!\n}", s.OUT_OF_BOUNDS, array="x", index=-1),
    Case("no guard", XY + ") {\n y[I] = x[I]; //!\n}", s.OUT_OF_BOUNDS, array="x", index=128, grid=(3,)),
    Case("one row too far in a tile", XY + """) {
 __shared__ float a[8][8], b[64];
 b[T] = 0; a[T / 8][T % 8] = x[I]; __syncthreads();
 y[I] = a[T / 8 + 1][T % 8] + b[T]; //!
}""", s.OUT_OF_BOUNDS, array="a", index=64),
    Case("dynamic shared memory too small", XY + """) {
 extern __shared__ float a[];
 a[T] = x[I]; //!
 __syncthreads(); y[I] = a[63 - T];
}""", s.OUT_OF_BOUNDS, array="a", index=32, shared_bytes=128),
    Case("local array", XY + """) {
 float a[4]; for (int j = 0; j < 4; ++j) a[j] = x[j];
 y[I] = a[(int)x[T] * 16]; //!
}""", s.OUT_OF_BOUNDS),
    Case("outside the view that was passed", XY + ") {\n if (I < 51) y[I] = x[I]; //!\n}", s.OUT_OF_BOUNDS,
         array="y", index=50, arguments=_part),
    Case("null pointer", XY + ") {\n y[I] = *(const float*)(size_t)x[0]; //!\n}", s.OUT_OF_BOUNDS),
    Case("guarded", XY + ") { if (I < 128) y[I] = x[I]; }", like=s.OUT_OF_BOUNDS, grid=(3,)),
    Case("clamped", XY + ") { y[I] = x[max((int)I - 1, 0)] + x[min(I + 1, 127)]; }", like=s.OUT_OF_BOUNDS),
    Case("padded tile", XY + """) {
 __shared__ float a[8][9];
 a[T / 8][T % 8] = x[I]; __syncthreads(); y[I] = a[T % 8][T / 8];
}""", like=s.OUT_OF_BOUNDS),
    Case("dynamic shared memory just enough", XY + """) {
 extern __shared__ float a[];
 a[T] = x[I]; __syncthreads(); y[I] = a[63 - T];
}""", like=s.OUT_OF_BOUNDS, shared_bytes=256),
    Case("inside the view that was passed", XY + ") { if (I < 50) y[I] = x[I]; }", like=s.OUT_OF_BOUNDS,
         arguments=_part),
    # --- misaligned ----------------------------------------------------------------------------------
    Case("float4 from an odd element", XY + """) {
 float4 v = *(const float4*)(x + 1); //!
 y[I] = v.x + v.y + v.z + v.w;
}""", s.MISALIGNED),
    Case("double in a float array", XY + ") {\n if (I == 0) *(double*)(y + 3) = x[0]; //!\n}", s.MISALIGNED),
    Case("int at a byte", XY + """) {
 __shared__ char a[80]; a[T] = 1; __syncthreads();
 y[I] = *(int*)(a + T / 8 + 1); //!
}""", s.MISALIGNED),
    Case("float4 from a multiple of four", XY + """) {
 float4 v = ((const float4*)x)[I / 4]; y[I] = v.x + v.y * v.z + v.w;
}""", like=s.MISALIGNED),
    Case("double at an even element", XY + ") { if (I == 0) *(double*)(y + 4) = x[0]; }", like=s.MISALIGNED),
    Case("bytes one by one", XY + """) {
 __shared__ unsigned char a[80]; a[T] = T; __syncthreads();
 int v = 0; memcpy(&v, a + T / 8 + 1, 4); y[I] = v;
}""", like=s.MISALIGNED),
    # --- read-only -----------------------------------------------------------------------------------
    Case("const cast away", XY + ") {\n ((float*)x)[I] = 1; //!\n}", s.READ_ONLY, array="x"),
    Case("const cast away in a function", "const float* __restrict__ x, float* y) {\n"
         " atomicAdd((float*)x + T, y[I]); //!\n}", s.READ_ONLY, array="x"),
    Case("constant memory", XY + ") {\n const float* p = x; if (T == 5) p = table;\n"
         " if (T == 5) *(float*)p = y[0]; //!\n}", s.READ_ONLY),
    Case("the same array as input and output", XY + ") { y[I] = x[I] + 1; }", like=s.READ_ONLY,
         arguments=lambda: [a := zeros(128), a]),
    Case("const pointer, not const data", "const float* x, float* const y) { y[I] = x[I]; }", like=s.READ_ONLY),
    Case("const is somebody else's", "const int n, float* y) { if (I < n) y[I] = n; }", like=s.READ_ONLY,
         arguments=lambda: [np.int32(100), zeros(128)]),
    # --- uninitialized reads -------------------------------------------------------------------------
    Case("tile half filled", XY + """) {
 __shared__ float a[64]; if (T < 60) a[T] = x[I]; __syncthreads();
 y[I] = a[T]; //!
}""", s.UNINITIALIZED, array="a", index=60),
    Case("counter not zeroed", XY + """) {
 __shared__ int count;
 if (x[I] > 50) atomicAdd(&count, 1); //!
 __syncthreads(); if (T == 0) y[B] = count;
}""", s.UNINITIALIZED, array="count", index=0),
    Case("sum into an empty array", XY + ") {\n y[I] += x[I]; //!\n}", s.UNINITIALIZED, array="y", index=0, blank=(1,)),
    Case("halo of the tile", XY + """) {
 __shared__ float a[66]; a[T + 1] = x[I]; __syncthreads();
 y[I] = a[T] + a[T + 1] + a[T + 2]; //!
}""", s.UNINITIALIZED, array="a", index=0),
    Case("output that is written only", XY + ") { y[I] = x[I]; }", like=s.UNINITIALIZED, blank=(1,)),
    Case("tile filled with zeros at the end", XY + """) {
 __shared__ float a[64]; a[T] = T < 60 ? x[I] : 0; __syncthreads(); y[I] = a[T];
}""", like=s.UNINITIALIZED),
    Case("written, then read", XY + ") { y[I] = x[I]; y[I] += 1; }", like=s.UNINITIALIZED, blank=(1,)),
    Case("counter zeroed by one thread", XY + """) {
 __shared__ int count; if (T == 0) count = 0; __syncthreads();
 if (x[I] > 50) atomicAdd(&count, 1);
 __syncthreads(); if (T == 0) y[B] = count;
}""", like=s.UNINITIALIZED),
    # --- races in a block ----------------------------------------------------------------------------
    Case("no barrier after the tile is filled", XY + """) {
 __shared__ float a[64]; a[T] = x[I]; //<
 y[I] = a[63 - T]; //!
}""", s.RACE, array="a"),
    Case("no barrier before the tile is filled again", XY + """) {
 __shared__ float a[64];
 for (int j = 0; j < 2; ++j) {
  a[T] = x[(I + j) % 128]; //!
  __syncthreads();
  y[I] += a[63 - T]; //<
 }
}""", s.RACE, array="a"),
    Case("tree reduction without its barrier", XY + """) {
 __shared__ float a[128]; a[T] = x[I]; a[T + 64] = 1; __syncthreads();
 for (int d = 64; d > 0; d /= 2) {
  if (T < d) a[T] += a[T + d]; //!
 }
 if (T == 0) y[B] = a[0];
}""", s.RACE, array="a", again=(s.MISSING_SYNCWARP,)),
    Case("histogram in shared memory", XY + """) {
 __shared__ int bins[4]; if (T < 4) bins[T] = 0; __syncthreads();
 bins[(int)x[I] % 4] += 1; //!
 __syncthreads(); if (T < 4) y[T] = bins[T];
}""", s.RACE, array="bins", grid=(1,), again=(s.MISSING_SYNCWARP,)),
    Case("one block, global memory", XY + """) {
 y[T] = x[T]; //<
 y[63 - T] += 1; //!
}""", s.RACE, array="y", grid=(1,)),
    Case("different values to one place", XY + ") {\n y[0] = x[T]; //!\n}", s.RACE, array="y", index=0, grid=(1,)),
    Case("barrier after the tile is filled", XY + """) {
 __shared__ float a[64]; a[T] = x[I]; __syncthreads(); y[I] = a[63 - T];
}""", like=s.RACE),
    Case("two barriers in the loop", XY + """) {
 __shared__ float a[64];
 for (int j = 0; j < 2; ++j) { a[T] = x[(I + j) % 128]; __syncthreads(); y[I] += a[63 - T]; __syncthreads(); }
}""", like=s.RACE),
    Case("two tiles in turn", XY + """) {
 __shared__ float a[2][64];
 for (int j = 0; j < 4; ++j) { a[j & 1][T] = x[(I + j) % 128]; __syncthreads(); y[I] += a[j & 1][63 - T]; }
}""", like=s.RACE),
    Case("histogram with atomics", XY + """) {
 __shared__ int bins[4]; if (T < 4) bins[T] = 0; __syncthreads();
 atomicAdd(&bins[(int)x[I] % 4], 1); __syncthreads(); if (T < 4) y[T] = bins[T];
}""", like=s.RACE, grid=(1,)),
    Case("the same value to one place", XY + ") { if (x[I] > 7) y[0] = 1; }", like=s.RACE),
    Case("every thread its own place", XY + ") { __shared__ float a[64]; a[T] = x[I]; a[T] += 1; y[I] = a[T]; }",
         like=s.RACE),
    # --- races between blocks ------------------------------------------------------------------------
    Case("sum of blocks without atomics", XY + ") {\n if (T == 0) y[0] += x[I]; //!\n}", s.RACE_BETWEEN_BLOCKS,
         array="y", index=0),
    Case("neighbor's result", XY + """) {
 y[I] = x[I]; //<
 if (B == 1) y[I] += y[I - 64]; //!
}""", s.RACE_BETWEEN_BLOCKS, array="y", index=0),
    Case("lock without fences", XYF + """) {
 if (T == 0) {
  while (atomicCAS(flag, 0, 1)) ;
  y[0] += x[I]; //!
  atomicExch(flag, 0);
 }
}""", s.RACE_BETWEEN_BLOCKS, array="y", index=0, arguments=flags),
    Case("flag without a fence", XYF + """) {
 if (B == 0 && T == 0) { y[5] = x[7]; //<
  atomicExch(flag, 1); }
 if (B == 1 && T == 0) { while (atomicAdd(flag, 0) == 0) ;
  __threadfence(); y[6] = y[5]; //!
 }
}""", s.RACE_BETWEEN_BLOCKS, array="y", index=5, arguments=flags),
    Case("fence before the data", XYF + """) {
 if (B == 0 && T == 0) { __threadfence(); y[5] = x[7]; //<
  atomicExch(flag, 1); }
 if (B == 1 && T == 0) { while (atomicAdd(flag, 0) == 0) ;
  __threadfence(); y[6] = y[5]; //!
 }
}""", s.RACE_BETWEEN_BLOCKS, array="y", index=5, arguments=flags),
    Case("sum of blocks with atomics", XY + ") { if (T == 0) atomicAdd(y, x[I]); }", like=s.RACE_BETWEEN_BLOCKS),
    Case("lock with fences", XYF + """) {
 if (T == 0) {
  while (atomicCAS(flag, 0, 1)) ;
  __threadfence(); y[0] += x[I]; __threadfence();
  atomicExch(flag, 0);
 }
}""", like=s.RACE_BETWEEN_BLOCKS, arguments=flags),
    Case("flag with fences", XYF + """) {
 if (B == 0 && T == 0) { y[5] = x[7]; __threadfence(); atomicExch(flag, 1); }
 if (B == 1 && T == 0) { while (atomicAdd(flag, 0) == 0) ;
  __threadfence(); y[6] = y[5]; }
}""", like=s.RACE_BETWEEN_BLOCKS, arguments=flags),
    Case("volatile flag with fences", XYF + """) {
 volatile int* f = flag;
 if (B == 0 && T == 0) { y[5] = x[7]; __threadfence(); *f = 1; }
 if (B == 1 && T == 0) { while (*f == 0) ;
  __threadfence(); y[6] = y[5]; }
}""", like=s.RACE_BETWEEN_BLOCKS, arguments=flags),
    Case("the last block sums up", XYF + """) {
 __shared__ bool last;
 y[I] = x[I]; __threadfence(); __syncthreads();
 if (T == 0) last = atomicAdd(flag, 1) == 1;
 __syncthreads();
 if (last) y[127 - T] += y[T];
}""", like=s.RACE_BETWEEN_BLOCKS, arguments=flags, block=(32,), grid=(2,)),
    # --- warps -----------------------------------------------------------------------------------------
    Case("warp reduction of old", XY + """) {
 __shared__ volatile float a[64]; a[T] = x[I]; a[T + 32] = 0;
 a[T] += a[T + 1]; //!
 y[I] = a[T];
}""", s.MISSING_SYNCWARP, array="a", block=(32,)),
    Case("neighbor's lane", XY + """) {
 __shared__ float a[32]; a[T] = x[I]; //<
 y[I] = a[T ^ 1]; //!
}""", s.MISSING_SYNCWARP, array="a", block=(32,)),
    Case("a shuffle orders nothing", XY + """) {
 __shared__ float a[32]; a[T] = x[I]; //<
 float v = __shfl_xor_sync(~0u, x[I], 1);
 y[I] = v + a[31 - T]; //!
}""", s.MISSING_SYNCWARP, array="a", block=(32,)),
    Case("syncwarp of the other half", XY + """) {
 __shared__ float a[32]; a[T] = x[I]; //<
 if (T < 16) __syncwarp(0xffff);
 y[I] = a[31 - T]; //!
}""", s.MISSING_SYNCWARP, array="a", block=(32,)),
    Case("syncwarp between", XY + """) {
 __shared__ float a[32]; a[T] = x[I]; __syncwarp(); y[I] = a[T ^ 1];
}""", like=s.MISSING_SYNCWARP, block=(32,)),
    Case("syncwarp of half a warp, and only it", XY + """) {
 __shared__ float a[32]; a[T] = x[I];
 if (T < 16) { __syncwarp(0xffff); y[I] = a[15 - T]; } else y[I] = a[T];
}""", like=s.MISSING_SYNCWARP, block=(32,)),
    Case("shuffle instead of memory", XY + ") { y[I] = __shfl_xor_sync(~0u, x[I], 1); }", like=s.MISSING_SYNCWARP),
    Case("a block barrier is enough", XY + """) {
 __shared__ float a[32]; a[T] = x[I]; __syncthreads(); y[I] = a[T ^ 1];
}""", like=s.MISSING_SYNCWARP, block=(32,)),
    # --- barriers --------------------------------------------------------------------------------------
    Case("a barrier in each branch", XY + """) {
 if (T < 32) { y[I] = x[I]; __syncthreads(); //!
 } else { y[I] = 2; __syncthreads(); }
}""", s.DIVERGENT_BARRIER),
    Case("a barrier for some threads", XY + """) {
 if (T < 40) __syncthreads(); //!
 y[I] = x[I];
 __syncthreads();
}""", s.DIVERGENT_BARRIER, again=(s.BARRIER_NOT_REACHED,)),
    Case("a loop of uneven length", XY + """) {
 for (int j = T; j < 70; j += 32) { y[B * 64 + j % 64] = 1; __syncthreads(); //!
 }
 __syncthreads();
}""", s.DIVERGENT_BARRIER, again=(s.BARRIER_NOT_REACHED,)),
    Case("a barrier where all threads agree", XY + """) {
 if (x[B] >= 0) { y[I] = x[I]; __syncthreads(); } else { y[I] = 2; __syncthreads(); }
}""", like=s.DIVERGENT_BARRIER),
    Case("blocks part, their threads do not", XY + """) {
 if (B == 0) { y[I] = x[I]; __syncthreads(); } else { __syncthreads(); y[I] = 2; __syncthreads(); }
}""", like=s.DIVERGENT_BARRIER),
    Case("a loop of even length", XY + """) {
 for (int j = 0; j < 70; j += 32) { y[I] += 1; __syncthreads(); }
}""", like=s.DIVERGENT_BARRIER),
    Case("an early return", XY + """) {
 __shared__ float a[64];
 if (I >= 100) return;
 a[T] = x[I];
 __syncthreads(); //!
 y[I] = a[T];
}""", s.BARRIER_NOT_REACHED),
    Case("too few for a named barrier", XY + """) {
 y[I] = x[I]; if (T < 32)
 asm volatile("bar.sync 1, 64;"); //!
}""", s.BARRIER_NOT_REACHED),
    Case("half the threads at another barrier", XY + """) {
 y[I] = x[I]; if (T < 32)
 asm volatile("bar.sync 1;"); //!
 else asm volatile("bar.sync 2;");
}""", s.BARRIER_NOT_REACHED),
    Case("work under a condition, barrier outside", XY + """) {
 __shared__ float a[64]; a[T] = 0;
 if (I < 100) a[T] = x[I];
 __syncthreads(); if (I < 100) y[I] = a[63 - T];
}""", like=s.BARRIER_NOT_REACHED),
    Case("a return after the last barrier", XY + """) {
 __shared__ float a[64]; a[T] = x[I]; __syncthreads();
 if (I >= 100) return;
 y[I] = a[63 - T];
}""", like=s.BARRIER_NOT_REACHED),
    Case("whole blocks return", XY + ") { if (B == 1) return; y[I] = x[I]; __syncthreads(); }",
         like=s.BARRIER_NOT_REACHED),
    Case("enough for a named barrier", XY + """) {
 y[I] = x[I]; if (T < 32) asm volatile("bar.sync 1, 32;");
}""", like=s.BARRIER_NOT_REACHED),
    # --- endless waits -----------------------------------------------------------------------------------
    Case("a flag that nobody sets", XYF + ") {\n y[I] = x[I];\n while (atomicAdd(flag, 0) == 0) ; //!\n}", s.ENDLESS,
         arguments=flags),
    Case("a lock that is not given back", XYF + """) {
 if (T == 0) { while (atomicCAS(flag, 0, 1)) ; //!
  y[B] = x[B]; }
}""", s.ENDLESS, arguments=flags),
    Case("a loop that never ends", XYF + """) {
 for (int j = 0; j != 7; j += 2) y[I] += x[I]; //!
}""", s.ENDLESS, arguments=flags),
    Case("a flag that somebody sets later", XYF + """) {
 if (B == 1 && T == 0) atomicExch(flag, 1);
 if (B == 0 && T == 0) while (atomicAdd(flag, 0) == 0) ;
}""", like=s.ENDLESS, arguments=flags),
    Case("a lock given back", XYF + """) {
 if (T == 0) { while (atomicCAS(flag, 0, 1)) ; atomicExch(flag, 0); }
}""", like=s.ENDLESS, arguments=flags),
    Case("a long loop", XYF + ") { float v = 0; for (int j = 0; j < 5000; ++j) v += x[j % 128]; y[I] = v; }",
         like=s.ENDLESS, arguments=flags),
    # --- assertions ----------------------------------------------------------------------------------------
    Case("assert", XY + ") {\n assert(x[I] < 100); //!\n y[I] = x[I];\n}", s.ASSERT),
    Case("trap", XY + ") {\n if (x[I] == 99) __trap(); //!\n y[I] = x[I];\n}", s.ASSERT),
    Case("assert in a function", XY + """) {
 auto f = [](float v) { assert(v >= 0); return v; }; //!
 y[I] = f(x[I] - 1);
}""", s.ASSERT),
    Case("assert that holds", XY + ") { assert(x[I] < 1000); y[I] = x[I]; }", like=s.ASSERT),
    Case("trap not reached", XY + ") { if (x[I] < 0) __trap(); y[I] = x[I]; }", like=s.ASSERT),
    Case("assert switched off", XY + """) {
#undef assert
#define assert(c)
 assert(x[I] < 0); y[I] = x[I];
}""", like=s.ASSERT),
    # --- function pointers, malloc and free ----------------------------------------------------------------
    Case("a number called as a function", XY + """) {
 auto add = +[](float v) { return v + 1; };
 auto f = x[I] < 70 ? add : (decltype(add))(long long)x[I];
 y[I] = f(x[I]); //!
}""", s.FAULT),
    Case("freed twice", XY + ") {\n void* p = malloc(8);\n free(p);\n if (x[I] == 77) free(p); //!\n}", s.FAULT),
    Case("an array freed", XY + ") {\n if (I == 0) free(y); //!\n}", s.FAULT),
    Case("functions by their pointers", XY + """) {
 auto add = +[](float v) { return v + 1; };
 auto f = x[I] < 70 ? add : +[](float v) { return v - 1; };
 y[I] = f(x[I]);
}""", like=s.FAULT),
    Case("nothing freed", XY + ") { void* p = x[I] < 0 ? malloc(8) : nullptr; free(p); }", like=s.FAULT),
    Case("freed by another thread", XY + """) {
 __shared__ float* p[64];
 p[T] = (float*)malloc(4);
 *p[T] = x[I];
 __syncthreads();
 y[I] = *p[63 - T];
 free(p[63 - T]);
}""", like=s.FAULT),
    Case("past the end of a block of malloc", XY + """) {
 float* p = (float*)malloc(12);
 p[(int)x[I] & 3] = 1; //!
 y[I] = p[0];
}""", s.OUT_OF_BOUNDS, array="malloc", index=3),
    Case("memory from malloc summed up", XY + """) {
 float* p = (float*)malloc(12);
 p[0] = x[I];
 y[I] = p[0] + p[2]; //!
}""", s.UNINITIALIZED, array="malloc", index=2),
    Case("memory from malloc, used in turn", XY + """) {
 for (int j = 0; j < 3; ++j) {
  float* p = (float*)malloc(50000);
  if (p) { p[0] = x[I]; p[j] = 1; y[I] += p[0]; free(p); }
 }
}""", like=s.RACE),
)  # fmt: skip
