"""Codecs of others, which isthmus is set beside: one table of them, and what they make of somebody's data."""

from __future__ import annotations

from isthmus.peers.codecs import PEERS, Codec, missing, peers_for
from isthmus.peers.measuring import LeftOut, Measured, measured
from isthmus.peers.rates import AtSize, Rate, at_size, fairest, lossy_formats, rates_of_formats, settings_of
from isthmus.peers.samples import PIXELS, Sample

__all__ = [
    "PEERS",
    "PIXELS",
    "AtSize",
    "Codec",
    "LeftOut",
    "Measured",
    "Rate",
    "Sample",
    "at_size",
    "fairest",
    "lossy_formats",
    "measured",
    "missing",
    "peers_for",
    "rates_of_formats",
    "settings_of",
]
