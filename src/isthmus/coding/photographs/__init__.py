"""Photographs with a loss: the decoder of :mod:`isthmus.networks.photographic` in exact integers, and what it codes.

- `tables`: logarithms, roots and the distributions of latents, as integers that are the same everywhere
- `weights`: the decoder's integer tensors, from a file, at a quality, and with small changes
- `changes`: those changes, as bytes
- `decoder`: latents of one tile to a payload, and a payload to pixels
- `tiles`: how a picture is cut, and how tiles are joined
"""
