"""Compressed files on processors of other kinds: the norms and the compiled modules have to write the same files there.

In emulators of AArch64 and of s390x, whose bytes are in the other order: Debian's Python and NumPy for them decode the
golden files (``tests/coding/golden``), code a text again, and code the numbers of the self-test of the coder of values,
with the norms and with the compiled modules; every digest must be the one that this machine has. Files as the golden
ones, which are written there anew (but for those of Parquet, which would need Arrow), must decode here to the data that
they had there. Of files that came from Parquet or PNG the data of their pieces are compared.

It needs Debian, root for ``dpkg --add-architecture``, and

    apt-get install qemu-user gcc-{aarch64,s390x}-linux-gnu libc6-dev-{arm64,s390x}-cross
    dpkg --add-architecture arm64; dpkg --add-architecture s390x; apt-get update

The packages of the other machines are unpacked into a temporary folder, not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import harness
import numpy as np

from isthmus.coding.photographs import weights
from isthmus.coding.prior import SHIPPED, Prior
from isthmus.errors import IsthmusError

sys.path.insert(0, str(harness.HERE.parent))

MACHINES = {"arm64": "aarch64", "s390x": "s390x"}
PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"),
    *("zlib1g", "libssl3", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1", "libcrypt1", "python3-numpy"),
    *("libblas3", "liblapack3", "libgfortran5"),
)
CODING = harness.SOURCE / "isthmus" / "coding"
MODULES = ("_native", "_photographs", "_values")
EXACT = "-ffp-contract=off"  # as setup.py has it
CARRIED = ("prior.npz", "photographs.npz")  # what the package carries as safetensors files, which are not read there
WRITTEN = " written there decodes here"
CHILD = (
    f"WRITTEN = {WRITTEN!r}"
    + """
import functools, hashlib, importlib, json, sys
import numpy as np
from isthmus.coding import coder as coders, reference, values
from isthmus.coding.photographs import decoder as photographs
from isthmus.coding.photographs.weights import Weights
from isthmus.coding.prior import Prior
from isthmus.errors import IsthmusError
for kind, path in zip((Prior, Weights), sys.argv[1:], strict=True):
    kept = kind(dict(np.load(path)))
    kind.read = classmethod(lambda cls, path, kept=kept: kept)  # safetensors is not there
from tests.coding import golden_files as golden
found = {"byte order": sys.byteorder, "compiled": coders.is_compiled()}
found["compiled, with a prior"] = coders._native_with_prior() is not None  # else the norm would stand in for it
found["compiled, of values"] = values.is_compiled()
for name, digest in json.loads(golden.DIGESTS.read_text()).items():
    content = (golden.FOLDER / f"{name}.isth").read_bytes()
    for how, decode in (("by the norm", golden.by_the_norm_alone), ("compiled", golden.by_isthmus)):
        try:
            found[f"{name} decodes, {how}"] = golden.digest(decode(content)) == digest
        except IsthmusError:  # it looks damaged
            found[f"{name} decodes, {how}"] = False
for speed in (1, 2):
    for name, made in (("norm", reference.Coder(12, speed)), ("compiled", coders.Coder(12, speed=speed))):
        payload = made.encode(golden.TEXT + bytes(50))
        found[f"payload at speed {speed}, {name}"] = hashlib.sha256(payload).hexdigest()
prior = coders.extreme_prior()
for name, made in (("norm", reference.Coder(12, 1, prior.tensors)), ("compiled", coders.Coder(12, prior=prior))):
    payload = made.encode(golden.TEXT[:60])
    found[f"payload with a prior, {name}"] = hashlib.sha256(payload).hexdigest()
compiled = functools.partial(values.Compiled, values._native())
for name, made in (("norm", lambda scheme, sides: values.Plain(scheme)), ("compiled", compiled)):
    found[f"payloads of values, {name}"] = values.self_test(made)
photographic = photographs.Compiled(importlib.import_module("isthmus.coding._photographs"))
for name, made in (("norm", photographs.Plain()), ("compiled", photographic)):
    found[f"payloads and pictures of photographs, {name}"] = photographs.self_test(made)
golden._parquet = dict  # it would need Arrow
for name, (content, data) in golden.written().items():
    found[f"{name}{WRITTEN}"] = [content.hex(), golden.digest(data)]
print(json.dumps(found))
"""
)


def main() -> int:
    """Run the same on this machine and on each other one, and compare."""
    options = harness.parser(__doc__).parse_args()
    report = harness.Report("other_machines", {}, harness.versions("numpy"))
    with tempfile.TemporaryDirectory() as name:
        for path, kept in zip(CARRIED, (Prior.read(SHIPPED), weights.shipped()), strict=True):
            assert kept is not None
            np.savez(Path(name) / path, **kept.tensors)
        here = run([sys.executable], [harness.SOURCE, harness.HERE.parent], Path(name))
        found = {"this machine": here}
        for architecture, machine in MACHINES.items():
            found[machine] = emulated(Path(name) / architecture, architecture, machine)
    found = {machine: {**its, **decoded_here(its)} for machine, its in found.items()}
    for machine, its in found.items():
        wrong = [what for what, value in its.items() if differs(what, value, here)]
        report.claim(f"{machine}: results that differ", len(wrong), "none", not wrong)
    report.measurements = found
    return report.publish(options.out)


def decoded_here(its: dict[str, Any]) -> dict[str, bool]:
    """Tell of each file that another machine wrote whether it decodes here to the data that it had there."""
    from tests.coding import golden_files as golden

    written = {what: value for what, value in its.items() if what.endswith(WRITTEN)}
    found = {}
    for what, (content, digest) in written.items():
        try:
            found[what] = golden.digest(golden.by_isthmus(bytes.fromhex(content))) == digest
        except IsthmusError:  # it looks damaged
            found[what] = False
    return found


def differs(what: str, value: object, here: dict[str, Any]) -> bool:
    """Tell whether a result is wrong: a decoder that did not, or a payload that is another one than here."""
    return value is False or (what.startswith("payload") and value != here[what])


def emulated(folder: Path, architecture: str, machine: str) -> dict[str, Any]:
    """Unpack another machine's Python, compile the modules for it, and run there."""
    packages, root, source = folder / "packages", folder / "root", folder / "source"
    packages.mkdir(parents=True)
    # The folder is writable for everybody, since apt downloads as a user of its own.
    packages.chmod(0o777)
    subprocess.run(
        ["apt-get", "download", "-qq", *(f"{name}:{architecture}" for name in PACKAGES)], cwd=packages, check=True
    )
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    kind = f"{machine}-linux-gnu"
    shutil.copytree(harness.SOURCE, source, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    headers = f"-I{sysconfig.get_paths()['include']}"
    for module in MODULES:
        target = source / "isthmus" / "coding" / f"{module}.abi3.so"
        order = [f"{kind}-gcc", "-O3", EXACT, "-shared", "-fPIC", headers, "-o", target, CODING / f"{module}.c"]
        subprocess.run(order, check=True)
    libraries = ":".join(
        f"{root}/{place}/{kind}{inner}" for place in ("usr/lib", "lib") for inner in ("", "/blas", "/lapack")
    )
    command = [f"qemu-{machine}", "-E", f"LD_LIBRARY_PATH={libraries}", "-L", str(root), f"{root}/usr/bin/python3.11"]
    return run(
        command,
        [source, harness.HERE.parent, root / "usr" / "lib" / "python3" / "dist-packages"],
        folder.parent,
    )


def run(python: list[str], paths: list[Path], carried: Path) -> dict[str, Any]:
    """Run the child with a Python that finds its modules in some folders, and in another what the package carries."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*python, "-c", CHILD, *(str(carried / name) for name in CARRIED)],
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
