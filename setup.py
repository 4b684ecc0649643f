"""The one compiled module. Where there is no C compiler the package is installed without it, and codes slowly."""

from setuptools import Extension, setup

native = Extension(
    "isthmus.coding._native",
    ["src/isthmus/coding/_native.c"],
    py_limited_api=True,  # one build serves every Python from 3.11
    optional=True,
)
setup(ext_modules=[native], options={"bdist_wheel": {"py_limited_api": "cp311"}})
