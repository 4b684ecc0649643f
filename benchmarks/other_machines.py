"""Compressed files on processors of other kinds: the norm and the compiled module have to write the same files there.

In emulators of AArch64 and of s390x, whose bytes are in the other order: Debian's Python and NumPy for them decode the
golden files (``tests/coding/golden``) and code a text again, with the norm and with the compiled module; every digest
must be the one that this machine has.

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

from isthmus.coding.prior import SHIPPED, Prior

MACHINES = {"arm64": "aarch64", "s390x": "s390x"}
PACKAGES = (
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libc6", "libgcc-s1", "libstdc++6"),
    *("zlib1g", "libssl3", "libexpat1", "libffi8", "libbz2-1.0", "liblzma5", "libuuid1", "libcrypt1", "python3-numpy"),
    *("libblas3", "liblapack3", "libgfortran5"),
)
SOURCE = harness.SOURCE / "isthmus" / "coding" / "_native.c"
PRIOR = "prior.npz"
CHILD = """
import hashlib, json, sys
import numpy as np
from isthmus.coding import coder as coders, reference
from isthmus.coding.prior import Prior
kept = Prior(dict(np.load(sys.argv[1])))
Prior.read = classmethod(lambda cls, path: kept)  # safetensors is not there
from tests.coding import golden_files as golden
compiled = coders.is_compiled()
with_prior = coders._native_with_prior() is not None  # else the norm would stand in for it
found = {"byte order": sys.byteorder, "compiled": compiled, "compiled, with a prior": with_prior}
wanted = json.loads(golden.DIGESTS.read_text())
for name, digest in wanted.items():
    content = (golden.FOLDER / f"{name}.isth").read_bytes()
    found[f"{name} decodes by the norm"] = golden.digest(golden.by_the_norm_alone(content)) == digest
    found[f"{name} decodes"] = golden.digest(golden.by_isthmus(content)) == digest
for speed in (1, 2):
    for name, made in (("norm", reference.Coder(12, speed)), ("compiled", coders.Coder(12, speed=speed))):
        payload = made.encode(golden.TEXT + bytes(50))
        found[f"payload at speed {speed}, {name}"] = hashlib.sha256(payload).hexdigest()
prior = coders.extreme_prior()
for name, made in (("norm", reference.Coder(12, 1, prior.tensors)), ("compiled", coders.Coder(12, prior=prior))):
    payload = made.encode(golden.TEXT[:60])
    found[f"payload with a prior, {name}"] = hashlib.sha256(payload).hexdigest()
print(json.dumps(found))
"""


def main() -> int:
    """Run the same on this machine and on each other one, and compare."""
    options = harness.parser(__doc__).parse_args()
    report = harness.Report("other_machines", {}, harness.versions("numpy"))
    with tempfile.TemporaryDirectory() as name:
        np.savez(Path(name) / PRIOR, **Prior.read(SHIPPED).tensors)
        here = run([sys.executable], [harness.SOURCE, harness.HERE.parent], Path(name) / PRIOR)
        found = {"this machine": here}
        for architecture, machine in MACHINES.items():
            found[machine] = emulated(Path(name) / architecture, architecture, machine)
    for machine, its in found.items():
        wrong = [
            what for what, value in its.items() if value is False or (len(str(value)) == 64 and value != here[what])
        ]
        report.claim(f"{machine}: results that differ", len(wrong), "none", not wrong)
    report.measurements = found
    return report.publish(options.out)


def emulated(folder: Path, architecture: str, machine: str) -> dict[str, Any]:
    """Unpack another machine's Python, compile the module for it, and run there."""
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
    target = source / "isthmus" / "coding" / "_native.abi3.so"
    headers = f"-I{sysconfig.get_paths()['include']}"
    subprocess.run([f"{kind}-gcc", "-O3", "-shared", "-fPIC", headers, "-o", target, SOURCE], check=True)
    libraries = ":".join(
        f"{root}/{place}/{kind}{inner}" for place in ("usr/lib", "lib") for inner in ("", "/blas", "/lapack")
    )
    command = [f"qemu-{machine}", "-E", f"LD_LIBRARY_PATH={libraries}", "-L", str(root), f"{root}/usr/bin/python3.11"]
    return run(
        command,
        [source, harness.HERE.parent, root / "usr" / "lib" / "python3" / "dist-packages"],
        folder.parent / PRIOR,
    )


def run(python: list[str], paths: list[Path], prior: Path) -> dict[str, Any]:
    """Run the child with a Python that finds its modules in some folders."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([*python, "-c", CHILD, str(prior)], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
