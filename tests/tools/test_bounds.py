"""Lower bounds: read from both files, none missing, none higher than what Colab has."""

from __future__ import annotations

import pytest

bounds, colab_lists = map(pytest.importorskip, ("bounds", "colab_lists"))
version = pytest.importorskip("packaging.version").Version


def course(folder, requirements, *extras):
    (folder / "requirements.txt").write_text(requirements)
    lines = ", ".join(f'"{line}"' for line in extras)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "course"\ndependencies = ["numpy>=2.1"]\n[project.optional-dependencies]\n'
        f'cuda12 = ["cupy-cuda12x>=14"]\nall = [{lines}]\n'
    )
    return folder


def test_each_requirement_of_both_files_stands_once(tmp_path):
    both = course(tmp_path, "# the notebooks\nnumpy>=2.1   # arrays\n-r other.txt\na[b]>=1; x == \"y\"\n",
                  "a[b]>=1; x == 'y'", "course[b]", "new>=3.0")  # fmt: skip
    assert bounds.requirements(both) == ["numpy>=2.1", 'a[b]>=1; x == "y"', "new>=3.0"]
    assert bounds.lower(both) == {"numpy": "2.1", "a": "1", "new": "3.0"}


@pytest.mark.parametrize(("line", "said"), [("scipy", "'scipy': it has no lower bound"),
                                            ("scipy==1.2", "no lower bound"),
                                            ("numpy>=2.2", r"numpy has two lower bounds: 2\.1 and 2\.2")])  # fmt: skip
def test_a_bound_that_cannot_be_tested_is_named(tmp_path, line, said):
    with pytest.raises(ValueError, match=said):
        bounds.lower(course(tmp_path, "numpy>=2.1\n", line))


@pytest.mark.parametrize("kind", ["gpu", "cpu"])
def test_no_bound_of_what_colab_has_is_higher_than_colabs(kind):
    colab = colab_lists.read(kind)
    both = {name: (bound, colab.version(name)) for name, bound in bounds.lower().items() if colab.version(name)}
    both.pop("setuptools")            # builds the package: pip brings its own for that
    both.pop("cuda-bindings", None)   # its major number is CUDA's: the extra cuda12 has Colab's, see below
    assert {"numpy", "torch", "torchvision", "matplotlib", "ipywidgets", "ipykernel", "pytest"} <= set(both)
    assert {name: pair for name, pair in both.items() if version(pair[0]) > version(pair[1].partition("+")[0])} == {}


def test_cuda_12_asks_for_no_more_than_colabs_gpu_runtime():
    import tomllib

    extras = tomllib.loads((bounds.ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    colab = colab_lists.read("gpu")
    parts = [bounds.REQUIREMENT.fullmatch(line) for line in extras["cuda12"]]
    for name, bound in ((part["name"], part["bound"].removeprefix(">=").partition(",")[0]) for part in parts):
        assert version(colab.version(name)) >= version(bound), name
