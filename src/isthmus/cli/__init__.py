"""The command line: ``isthmus VERB ...``, one function a verb."""

from isthmus.cli.app import main

__all__ = ["main"]
