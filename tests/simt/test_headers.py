"""Where the compiler looks for headers, on folders as NVIDIA's wheels lay them; empty files stand for headers."""

import pytest

from gpucourse.simt import compile as compiling


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """Lays files into a `site-packages/nvidia` of the test's own; returns what the compiler is told to search."""
    def lay(*names):
        for name in names:
            path = tmp_path / "nvidia" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        monkeypatch.setattr(compiling, "_cuda_roots", lambda: iter((tmp_path / "nvidia/cu13", tmp_path / "nvidia")))
        compiling._include_folders.cache_clear()
        told = [option[2:] for option in compiling.cupy_options() if option.startswith("-I")]
        return [folder.removeprefix(f"{tmp_path}/nvidia/") for folder in told if folder.startswith(str(tmp_path))]

    yield lay
    compiling._include_folders.cache_clear()


def test_cuda_13_has_all_in_one_folder(wheels):
    found = wheels("cu13/include/cuda_runtime.h", "cu13/include/crt/mma.h", "cuda_nvcc/include/crt/mma.h")
    assert [folder for folder in found if "cccl" not in folder] == ["cu13/include"]


def test_cuda_12_keeps_crt_in_the_compilers_wheel(wheels):
    found = wheels("cuda_runtime/include/cuda_runtime.h", "cuda_nvcc/include/crt/mma.h")
    assert [folder for folder in found if "cccl" not in folder] == ["cuda_runtime/include", "cuda_nvcc/include"]


def test_cuda_12_without_the_compilers_wheel(wheels):
    found = wheels("cuda_runtime/include/cuda_runtime.h", "cuda_nvcc/include/fatbinary_section.h")
    assert [folder for folder in found if "cccl" not in folder] == ["cuda_runtime/include"]
