"""The compiled modules. Where there is no C compiler the package is installed without them, and codes slowly."""

import sys

from setuptools import Extension, setup

# A fused product and sum is rounded once, not twice: a file would decode otherwise where the processor has it.
EXACT = [] if sys.platform == "win32" else ["-ffp-contract=off"]

extensions = [
    Extension(
        f"isthmus.coding.{name}",
        [f"src/isthmus/coding/{name}.c"],
        depends=["src/isthmus/coding/_machine.h", "src/isthmus/coding/_numbers.h"],
        extra_compile_args=EXACT,
        py_limited_api=True,  # one build serves every Python from 3.11
        optional=True,
    )
    for name in ("_native", "_photographs", "_values")
]
setup(ext_modules=extensions, options={"bdist_wheel": {"py_limited_api": "cp311"}})
