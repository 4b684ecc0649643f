"""Verb ``demo``: reconstruction, sampling and downstream uses on 1,797 digits, one file each."""

from isthmus.cli.demo.verb import demo

__all__ = ["demo"]
