"""Three hosts on one machine: a job on Ray and a training under torchrun, and a host that is cut off in the middle.

::

    host-a  10.77.0.1 --+
    host-b  10.77.0.2 --+-- switch        each a network namespace of its own, joined by veth pairs and a bridge
    host-c  10.77.0.3 --+                 host-c is cut off: its link to the switch goes down, its processes run on

Each host has its own name and its own folder for Ray, and all share the disk; one folder is hidden from host-c. Needs
root, ``ip`` and ``unshare`` (Linux), and Ray. Nothing of it is reachable from outside, and everything is removed at the
end, also where it fails.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import harness
import numpy as np

HOSTS = ("host-a", "host-b", "host-c")
CUT = "host-c"
SWITCH = "isthmus-switch"
LOCK = Path(tempfile.gettempdir()) / "isthmus-three-hosts.lock"
PORT, MEETING = 6379, 29400  # of Ray's head, and of torchrun's
ROWS, WIDTH, PART_ROWS = 1200, 4, 50
PART_SECONDS = 2.0  # that a part takes at least, so that the cut comes in the middle of some
BEFORE_THE_CUT = 4  # parts
RANK_TIMEOUT = 15.0
LIMIT = 420.0  # seconds for anything
FIT = ("--set", "hidden=32", "--latent-dim", "2", "--device", "cpu", "--seed", "0", "--quiet")


def address(host: str) -> str:
    """Return the address of a host."""
    return f"10.77.0.{HOSTS.index(host) + 1}"


def namespace(host: str) -> str:
    """Return the name of a host's network namespace."""
    return f"isthmus-{host}"


class Hosts:
    """Three network namespaces behind a switch; a context.

    Parameters
    ----------
    folder : Path
        Where each host's folder for Ray lies.
    hidden : Path
        What ``host-c`` does not see.
    """

    def __init__(self, folder: Path, hidden: Path) -> None:
        self.folder, self.hidden = folder, hidden

    def __enter__(self) -> Hosts:
        self.lock = LOCK.open("w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("three_hosts.py is running already, and the hosts are its.") from None
        self.remove()  # of a run that was killed
        try:
            self._make()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would leave hosts behind
        self.remove()
        self.lock.close()

    def _make(self) -> None:
        ip("netns", "add", SWITCH)
        ip("-n", SWITCH, "link", "add", "bridge", "type", "bridge")
        ip("-n", SWITCH, "link", "set", "bridge", "up")
        for host in HOSTS:
            name = namespace(host)
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", host, "netns", SWITCH)
            ip("-n", SWITCH, "link", "set", host, "master", "bridge")
            ip("-n", SWITCH, "link", "set", host, "up")
            ip("-n", name, "addr", "add", f"{address(host)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "route", "add", "default", "via", address(host))  # Ray asks which way it would go out
            (self.folder / host).mkdir(exist_ok=True)
        Path("/tmp/ray").mkdir(exist_ok=True)
        (self.folder / "token").write_text(secrets.token_hex(32))
        known = ["127.0.0.1 localhost", *(f"{address(host)} {host}" for host in HOSTS)]
        (self.folder / "hosts").write_text("".join(f"{line}\n" for line in known))

    def link(self, host: str, state: str) -> None:
        """Set a host's link to the switch "up" or "down"."""
        ip("-n", SWITCH, "link", "set", host, state)

    def start(self, host: str, *words: str, **files: Any) -> subprocess.Popen[str]:
        """Start a command on a host."""
        hide = f"mount -t tmpfs none {self.hidden} && " if host == CUT else ""
        mounts = f"mount --bind {self.folder / host} /tmp/ray && mount --bind {self.folder / 'hosts'} /etc/hosts"
        inside = f'hostname {host} && {mounts} && {hide}exec "$@"'
        order = ["ip", "netns", "exec", namespace(host), "unshare", "--uts", "--mount", "sh", "-c", inside, "sh"]
        environment = os.environ | {
            "PYTHONPATH": str(harness.SOURCE),
            "OMP_NUM_THREADS": "1",
            "GLOO_SOCKET_IFNAME": "eth0",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",
            "RAY_AUTH_MODE": "token",  # a cluster takes a token by itself once there is one, and its machines do not
            "RAY_AUTH_TOKEN_PATH": str(self.folder / "token"),
        }
        return subprocess.Popen([*order, *words], env=environment, text=True, **files)

    def end(self, host: str) -> None:
        """End every process of a host."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            for process in self.processes(host):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, sent)
            with contextlib.suppress(TimeoutError):
                wait(lambda: not self.processes(host), 10.0)

    def processes(self, host: str) -> list[int]:
        """Return the processes of a host."""
        found = subprocess.run(
            ["ip", "netns", "pids", namespace(host)], capture_output=True, text=True, check=False
        ).stdout
        return [int(word) for word in found.split()]

    def listening(self, host: str) -> str:
        """Return what ``ss`` says of the ports that are open on a host."""
        return subprocess.run(
            ["ip", "netns", "exec", namespace(host), "ss", "-ltnpH"], capture_output=True, text=True, check=False
        ).stdout

    def remove(self) -> None:
        """End all processes of all hosts, and remove the hosts and the switch."""
        for host in HOSTS:
            self.end(host)
        for name in (*map(namespace, HOSTS), SWITCH):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def ip(*words: str) -> None:
    """Call ``ip``."""
    subprocess.run(["ip", *words], check=True)


def wait(done: Callable[[], Any], seconds: float = LIMIT) -> float:
    """Wait until something is true; return the seconds that this took."""
    begun = time.monotonic()
    while not done():
        if time.monotonic() - begun > seconds:
            raise TimeoutError(f"still waiting after {seconds:g} seconds")
        time.sleep(0.1)
    return time.monotonic() - begun


# ------------------------------------------------------------------ a job on Ray


@contextlib.contextmanager
def ray_cluster(hosts: Hosts) -> Iterator[str]:
    """Give the address of a Ray cluster of one processor a host."""
    common = ("--num-cpus=1", "--block", "--disable-usage-stats")
    with (hosts.folder / "ray.log").open("w") as log:
        files = {"stdout": log, "stderr": log}
        for host in HOSTS:
            role = ("--head", f"--port={PORT}", "--include-dashboard=false")
            if host != HOSTS[0]:
                role = (f"--address={address(HOSTS[0])}:{PORT}",)
            order = (sys.executable, "-m", "ray.scripts.scripts", "start", f"--node-ip-address={address(host)}")
            hosts.start(host, *order, *role, *common, **files)
            if host == HOSTS[0]:
                wait(lambda: f":{PORT} " in hosts.listening(HOSTS[0]))
        try:
            yield f"{address(HOSTS[0])}:{PORT}"
        finally:
            for host in HOSTS:
                hosts.end(host)


def job(hosts: Hosts, folder: Path, found: dict[str, Any]) -> None:
    """Do a job on three hosts, one of which is cut off after a few parts; and one whose data a host does not see."""
    output, log = folder / "codes", folder / "log"
    log.mkdir()
    with ray_cluster(hosts) as cluster:
        alive = [sys.executable, __file__, "--child", "alive", "--address", cluster]
        found["hosts_of_ray"] = json.loads(_said(hosts.start(HOSTS[0], *alive, stdout=subprocess.PIPE)))["hosts"]
        found["open_ports_with_ray"] = {host: open_ports(hosts.listening(host)) for host in HOSTS[:2]}
        hidden = ("encode", str(hosts.hidden / "x.npy"), "-m", str(folder / "m.safetensors"))
        order = ("-m", "isthmus", *hidden, "-o", f"{folder}/never/", "--cluster", cluster)
        refused = hosts.start(HOSTS[0], sys.executable, *order, stderr=subprocess.PIPE)
        found["hidden_data"] = {"said": _errors(refused), "exit_code": refused.wait(LIMIT)}
        order = (__file__, "--child", "job", "--address", cluster, "--folder", str(folder))
        begun = time.monotonic()
        driver = hosts.start(HOSTS[0], sys.executable, *order, stdout=subprocess.PIPE)
        wait(lambda: len(list(output.glob("part-*"))) >= BEFORE_THE_CUT and list(log.glob(f"*-{CUT}-*")))
        there = len(list(output.glob("part-*")))
        hosts.link(CUT, "down")
        cut = time.monotonic()
        ended = json.loads(_said(driver))
        hosts.link(CUT, "up")
    begins: dict[int, list[str]] = {}
    for path in sorted(log.iterdir(), key=lambda one: one.stat().st_mtime_ns):
        number, host = path.name.split("-", 1)
        begins.setdefault(int(number), []).append(host.rpartition("-")[0])
    found |= ended | {
        "parts_at_the_cut": there,
        "seconds": round(time.monotonic() - begun, 1),
        "seconds_after_the_cut": round(time.monotonic() - cut, 1),
        "parts_begun_by": {host: sum(host in by for by in begins.values()) for host in HOSTS},
        "parts_done_again": {str(number): by for number, by in begins.items() if len(by) > 1},
    }


def open_ports(said: str) -> list[str]:
    """Return who listens where, of what ``ss`` says; ports at random are told as such."""
    found = set()
    for line in said.splitlines():
        address_of, port = line.split()[3].rsplit(":", 1)
        who = re.search(r'"([^"]+)"', line)
        named = port if int(port) in (PORT, MEETING, 10001) else "10002-19999" if int(port) < 20000 else "at random"
        found.add(f"{who[1] if who else 'system'} on {address_of}, {named}")
    return sorted(found)


def _said(process: subprocess.Popen[str]) -> str:
    """Return the last line of a process's output, once it has ended well."""
    printed = process.communicate(timeout=LIMIT)[0]
    if process.returncode:
        raise SystemExit(f"a child ended with {process.returncode}: {printed}")
    return printed.strip().splitlines()[-1]


def _errors(process: subprocess.Popen[str]) -> str:
    return (process.communicate(timeout=LIMIT)[1].strip().splitlines() or [""])[-1]


def child(options: argparse.Namespace) -> int:
    """Be a driver on one of the hosts."""
    from isthmus import cluster, load
    from isthmus.cluster import ray_engine, ray_session

    if options.child == "alive":
        with ray_session.joined(options.address) as (ray, _):
            wait(lambda: len(ray_session.alive(ray)) == len(HOSTS))
            print(json.dumps({"hosts": sorted(host for _, host in ray_session.alive(ray))}))
        return 0
    folder, log = options.folder, options.folder / "log"

    def do(given: Any, part: Any) -> Any:
        import platform

        from isthmus.cluster import work

        (log / f"{part.number}-{platform.node()}-{time.time_ns()}").touch()
        time.sleep(PART_SECONDS)
        return work.do(given, part)

    ray_engine._do = do
    done = cluster.run(
        "encode",
        folder / "x.npy",
        folder / "m.safetensors",
        folder / "codes",
        engine="ray",
        address=options.address,
        part_rows=PART_ROWS,
    )
    from pyarrow import parquet

    table = parquet.read_table([str(path) for path in sorted((folder / "codes").glob("part-*"))])
    codes = np.stack([column.to_numpy() for column in table.columns], 1)
    expected = load(folder / "m.safetensors").transform(np.load(folder / "x.npy"))
    print(json.dumps({"parts": done.parts, "equal": bool(np.array_equal(codes, expected))}))
    return 0


# ------------------------------------------------------------------ a training under torchrun


def training(hosts: Hosts, folder: Path, found: dict[str, Any], epochs: int) -> None:
    """Train on three hosts: undisturbed; with a host that is cut off, and then going on; and with Ray."""
    data = str(folder / "x.npy")
    fit = ("fit", data, *FIT, "--set", f"max_epochs={epochs}", "--rank-timeout", f"{RANK_TIMEOUT:g}")
    whole, cut = folder / "whole.safetensors", folder / "cut.safetensors"
    found["undisturbed"] = _ended(hosts, _torchrun(hosts, fit, whole, "1"))
    if any(code != 0 for code in found["undisturbed"]["exit_codes"]):  # None: it goes on
        raise SystemExit(f"the undisturbed run did not end well: {found['undisturbed']}")
    begun = _torchrun(hosts, (*fit, "--checkpoint-every", "1"), cut, "2")
    checkpoint = cut.with_name(cut.name + ".checkpoint")
    wait(checkpoint.exists)
    time.sleep(1)
    found["open_ports_with_torchrun"] = {host: open_ports(hosts.listening(host)) for host in HOSTS[:2]}
    hosts.link(CUT, "down")
    # torchrun itself, on the host that is cut off, goes on looking for the others for some minutes.
    found["cut_off"] = _ended(hosts, begun)
    found["cut_off"]["checkpoint"] = checkpoint.exists()
    hosts.link(CUT, "up")
    time.sleep(2)
    found["going_on"] = _ended(hosts, _torchrun(hosts, (*fit, "--resume"), cut, "3"))
    found["going_on"]["weights_differ_by"] = difference(whole, cut)
    with ray_cluster(hosts) as cluster:
        order = ("-m", "isthmus", *fit, "-o", str(folder / "ray.safetensors"), "--cluster", cluster, "--workers", "3")
        found["with_ray"] = _ended(hosts, [_heard(hosts, HOSTS[0], *order)])
    found["with_ray"]["weights_differ_by"] = difference(whole, folder / "ray.safetensors")


def _torchrun(hosts: Hosts, fit: Sequence[str], output: Path, run: str) -> list[subprocess.Popen[str]]:
    """Start a training of one rank a host."""
    meeting = f"--rdzv-endpoint={address(HOSTS[0])}:{MEETING}"
    started = []
    for host in HOSTS:
        order = ["-m", "torch.distributed.run", "--nnodes=3", "--nproc-per-node=1", "--rdzv-backend=c10d", meeting]
        order += [f"--rdzv-id={run}", f"--local-addr={address(host)}", "-m", "isthmus", *fit, "-o", str(output)]
        started.append(_heard(hosts, host, *order))
    return started


def _heard(hosts: Hosts, host: str, *order: str) -> subprocess.Popen[str]:
    """Start a Python of which it is kept what it says on its standard error."""
    with (hosts.folder / f"{host}.said").open("w") as file:
        return hosts.start(host, sys.executable, *order, stderr=file)


def _ended(hosts: Hosts, processes: Sequence[subprocess.Popen[str]]) -> dict[str, Any]:
    """Wait for processes, one a host; return how they ended, after how many seconds, and what isthmus said."""
    begun, seconds = time.monotonic(), dict[int, float]()
    while len(seconds) < len(processes) and time.monotonic() - begun < LIMIT:
        for index, process in enumerate(processes):
            if index not in seconds and process.poll() is not None:
                seconds[index] = round(time.monotonic() - begun, 1)
        time.sleep(0.1)
    texts = [(hosts.folder / f"{host}.said").read_text() for host, _ in zip(HOSTS, processes, strict=False)]
    said = [line for text in texts for line in text.splitlines() if line.startswith("isthmus: ")]
    codes = [process.poll() for process in processes]
    return {"exit_codes": codes, "said": said, "seconds": [seconds.get(index) for index in range(len(processes))]}


def difference(one: Path, other: Path) -> float | None:
    """Return the largest difference between the weights of two models; None where one is not there."""
    from safetensors.numpy import load_file

    if not one.exists() or not other.exists():
        return None
    first, second = load_file(one), load_file(other)
    kinds = [name for name in first if first[name].dtype.kind == "f"]
    return max(float(np.abs(first[name] - second[name]).max()) for name in kinds)


# ------------------------------------------------------------------ the whole


def main() -> int:
    """Make the hosts, run what was asked for, write and print what came of it."""
    options = parse()
    if options.child:
        return child(options)
    if os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        raise SystemExit("three_hosts.py needs root, ip (of iproute2) and unshare: it makes network namespaces.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that hosts are removed then, too
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="isthmus-hosts-") as name:
        folder = Path(name)
        prepare(folder)
        with Hosts(folder, folder / "hidden") as hosts:
            if "job" in options.only:
                job(hosts, folder, found.setdefault("job", {}))
            if "training" in options.only:
                training(hosts, folder, found.setdefault("training", {}), options.epochs)
    settings = {"hosts": len(HOSTS), "rows": ROWS, "part_rows": PART_ROWS, "rank_timeout": RANK_TIMEOUT}
    report = harness.Report("three_hosts", settings, harness.isthmus_versions() | harness.versions("ray"))
    report.measurements = json.loads(json.dumps(found).replace(str(folder), "FOLDER"))
    claims(report, found)
    return report.publish(options.out)


def prepare(folder: Path) -> None:
    """Write records and a model."""
    from isthmus import Autoencoder

    rng = np.random.default_rng(0)
    X = (rng.normal(size=(ROWS, 2)) @ rng.normal(size=(2, WIDTH))).astype(np.float32)
    np.save(folder / "x.npy", X)
    (folder / "hidden").mkdir()
    np.save(folder / "hidden" / "x.npy", X)
    Autoencoder(latent_dim=2, max_epochs=1, random_state=0, device="cpu").fit(X).save(folder / "m.safetensors")


def claims(report: harness.Report, found: dict[str, Any]) -> None:
    """Add what was promised."""
    if ran := found.get("job"):
        again = {number: by for number, by in ran["parts_done_again"].items() if by[0] == CUT and by[-1] != CUT}
        parts = ROWS // PART_ROWS
        report.claim("Ray: parts, equal to those of one process", ran["parts"] * ran["equal"], f"{parts}",
                     ran["equal"] and ran["parts"] == parts)  # fmt: skip
        report.claim("Ray: parts of the lost host, done again by others", len(again), "at least 1", len(again) > 0)
        told = ran["hidden_data"]
        named = told["exit_code"] == 3 and CUT in told["said"] and "hidden/x.npy" in told["said"]
        report.claim("Ray: data that a host does not see are refused, both named", named, "1", named)
    if ran := found.get("training"):
        lost = ran["cut_off"]
        within = 1.5 * RANK_TIMEOUT
        seconds, right = lost["seconds"][0], bool(lost["exit_codes"][0]) and len(lost["said"]) > 0
        report.claim("torchrun: seconds from the cut to the end on the first host, with a sentence", seconds,
                     f"at most {within:g}", right and seconds is not None and seconds <= within)  # fmt: skip
        report.claim("torchrun: a checkpoint is kept", lost["checkpoint"], "1", lost["checkpoint"])
        for way, words in (("going_on", "torchrun: gone on"), ("with_ray", "Ray")):
            differ = ran[way]["weights_differ_by"]
            report.claim(f"{words}: weights differ from those of an undisturbed run of torchrun by", differ, "0",
                         differ == 0)  # fmt: skip


def parse() -> argparse.Namespace:
    """Read the command line."""
    made = harness.parser(__doc__)
    made.add_argument("--only", nargs="+", choices=("job", "training"), default=("job", "training"))
    made.add_argument("--epochs", type=int, default=100, help="of the training, which must outlast the cut")
    made.add_argument("--child", choices=("alive", "job"), help=argparse.SUPPRESS)
    made.add_argument("--address", help=argparse.SUPPRESS)
    made.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return made.parse_args()


if __name__ == "__main__":
    sys.exit(main())
