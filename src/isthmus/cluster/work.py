"""What a worker does: look at a job, and do a part of it. Engines call these two functions by their names."""

from __future__ import annotations

from isthmus.cluster.plan import Done, Job, Part, Plan

__all__ = ["do", "look"]


def look(job: Job) -> Plan:
    """Return what there is to do, as seen by the worker that is asked: model, data, and the parts they are cut into.

    Raises
    ------
    IsthmusError
        A path is not seen from here, the data do not fit the model, or the output cannot be written to.
    """
    raise NotImplementedError


def do(job: Job, part: Part) -> Done:
    """Do a part: read its records, write its file to a temporary name, and rename it.

    Data and model are opened once a process. An error that a person can mend is in what is returned, never raised.
    """
    raise NotImplementedError
