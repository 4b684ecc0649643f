"""A container's records as a block: the inverse of :func:`isthmus.data.restore`."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.data.opening import open as open_data
from isthmus.data.schema import Schema

__all__ = ["to_block"]


def to_block(records: Any, schema: Schema) -> Any:
    """Return records in the container that a model gave them back in as a block.

    Parameters
    ----------
    records : object
        As :func:`isthmus.data.restore` returns them.
    schema : Schema
        Of the records; columns of a table are found by name.

    Returns
    -------
    block of records
        As :meth:`isthmus.data.Data.take` returns it.
    """
    if schema.kind == "text":
        return [record.encode() if isinstance(record, str) else bytes(record) for record in records]
    if schema.kind == "table":
        data = open_data(records).select([column.name for column in schema.columns])
        return data.chunk(0, len(data))
    if isinstance(records, list):
        images = [np.asarray(record) for record in records]
        return images if None in schema.shape else np.stack(images)
    return np.asarray(records.detach().cpu() if hasattr(records, "detach") else records)
