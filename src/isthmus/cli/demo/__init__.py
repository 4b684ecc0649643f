"""The verb for a first look: demo. Each of its three parts is a file: reconstructing, drawing, and codes at work."""

from isthmus.cli.demo.verb import demo

__all__ = ["demo"]
