"""`cp.cuda.driver`: the errors of CUDA's driver, and the limits that a launch must keep."""

from __future__ import annotations

from typing import Any

from gpucourse.errors import LaunchError

# CUDA's own names and texts, by number (cuda.h, CUresult)
ERRORS = {
    1: ("CUDA_ERROR_INVALID_VALUE", "invalid argument"),
    200: ("CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"),
    301: ("CUDA_ERROR_FILE_NOT_FOUND", "file not found"),
    500: ("CUDA_ERROR_NOT_FOUND", "named symbol not found"),
}
INVALID_VALUE, INVALID_IMAGE, FILE_NOT_FOUND, NOT_FOUND = ERRORS

MAX_BLOCK = (1024, 1024, 64)  # threads along x, y, z
MAX_THREADS = 1024  # threads of a block
MAX_GRID = (2**31 - 1, 65_535, 65_535)  # blocks along x, y, z
#: Bytes of shared memory a block without and with `max_dynamic_shared_size_bytes`: compute capability 7.5, as a T4
#: has it. Source: CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability".
DEVICE = "the simulated device (compute capability 7.5, as a T4)"
DEFAULT_SHARED = 48 * 1024
MAX_SHARED = 64 * 1024


class CUDADriverError(LaunchError, RuntimeError):
    """An error of CUDA's driver in CuPy's words; `detail` adds the number found, the limit and the next step."""

    def __init__(self, status: int, detail: str = "") -> None:
        self.status, self.detail = status, detail
        text = ": ".join(ERRORS.get(status, (f"CUDA_ERROR_{status}", "unknown error")))
        super().__init__(f"{text}\n{detail}" if detail else text)

    def __reduce__(self) -> Any:
        return _again, (self.status, self.detail)  # by a name of ours: the class bears CuPy's


def _again(status: int, detail: str) -> CUDADriverError:
    return CUDADriverError(status, detail)


CUDADriverError.__module__ = "cupy_backends.cuda.api.driver"  # as CuPy prints it
