"""A process that works for the local engine: ``python -m isthmus.cluster.worker``.

It reads one request a line from the standard input, and writes one answer a line to the standard output, both JSON. Its
own module is what Python runs, so that neither a notebook nor a script without ``if __name__ == "__main__"`` is run a
second time. It ends when its input does, as when the process that started it is killed.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import IO, Any

__all__ = ["main"]


def main() -> None:
    """Answer requests until there are no more, or the process is told to end."""
    try:
        _serve()
    finally:
        os._exit(0)  # Python's own end would wait for the thread that listens


def _serve() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a file that is being written is removed
    requests: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin, requests), daemon=True).start()
    _one_thread()
    _load_modules()
    while True:
        answer = json.dumps(_answer(json.loads(requests.get())))
        answers.write(f"{answer}\n")
        answers.flush()


def _listen(source: IO[str], requests: queue.Queue[str]) -> None:
    """Pass requests on; when there can be no more, end at once: nobody waits for an answer."""
    for line in source:
        requests.put(line)
    os._exit(0)


def _one_thread() -> None:
    """Let libraries use one processor: there are as many workers as processors."""
    import pyarrow as pa
    import torch

    pa.set_cpu_count(1)
    torch.set_num_threads(1)


def _load_modules() -> None:
    """Load what every job needs, before the first request is there: workers start together, and load side by side."""
    import isthmus.base
    import isthmus.cluster.verbs
    import isthmus.cluster.work  # noqa: F401


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    from isthmus.cli.sentences import explain
    from isthmus.cluster import plan, work
    from isthmus.errors import IsthmusError

    job = plan.from_document(request["job"])
    if "part" in request:
        return plan.to_document(work.do(job, plan.from_document(request["part"])))
    try:
        return plan.to_document(work.look(job))
    except Exception as error:  # noqa: BLE001 - it is raised again where a person is
        kind = type(error).__name__ if isinstance(error, IsthmusError) else IsthmusError.__name__
        return {"is": "error", "kind": kind, "error": explain(error)[0]}


if __name__ == "__main__":
    main()
