"""Google Colab's CPU runtime has no CUDA compiler: NVIDIA's wheels are installed when the first kernel asks for one.

The course is installed there with --no-deps, so that no version of Colab's moves; its GPU runtime has a compiler.
"""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys

WHEELS = ("nvidia-cuda-nvrtc", "nvidia-cuda-runtime", "nvidia-cuda-cccl", "nvidia-cuda-crt")
LIMIT_SECONDS = 300


@functools.cache
def bring_compiler() -> bool:
    """Install the compiler and its headers if this is Colab, once in a process; return whether that was done."""
    if "google.colab" not in sys.modules:
        return False
    print("Colab's CPU runtime has no CUDA compiler; NVIDIA's is being installed (it needs no GPU).", file=sys.stderr)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", *WHEELS]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip() or str(error)
        print(f"It could not be installed: {words.splitlines()[-1]}", file=sys.stderr)
        return False
    importlib.invalidate_caches()   # the folders did not exist when Python last looked
    return True
