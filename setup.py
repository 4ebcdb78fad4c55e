"""Packs the folder measurements/, which lies beside the package, into the package; all else is in pyproject.toml."""

from setuptools import find_namespace_packages, setup

setup(
    packages=[*find_namespace_packages(include=["gpucourse*"]), "gpucourse.data.measurements"],
    package_dir={"gpucourse.data.measurements": "measurements"},
)
