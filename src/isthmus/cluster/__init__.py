"""Jobs: a verb over many records, in parts that are done by several processes or machines, and never twice."""

from isthmus.cluster.jobs import Outcome, run, verify

__all__ = ["Outcome", "run", "verify"]
