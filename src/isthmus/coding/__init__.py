"""Integers, bytes and the file format: what compresses and decodes without PyTorch."""
