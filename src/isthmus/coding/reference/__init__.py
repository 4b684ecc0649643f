"""The norm of what stands inside a compressed file: how bytes are predicted, and how predictions become bits.

It is written to be read, and to be translated: a decoder in another language follows it line by line. ``_native.c``
does the same a few hundred times faster, under the same names, and must give the same bytes.

All numbers are integers. ``>>`` rounds towards minus infinity, ``//`` too. Hashes are 64-bit numbers that wrap around.

- `numbers`: probabilities, the logarithms of their odds, and hashes
- `network`: what a prior says of the next byte
- `predictor`: what the next bit is
- `arithmetic`: from bits to bytes, and back
"""

from isthmus.coding.reference.arithmetic import Bytes, Coder
from isthmus.coding.reference.network import Network
from isthmus.coding.reference.numbers import LIMIT, Adaptive, squash, stretch
from isthmus.coding.reference.predictor import Predictor

__all__ = ["LIMIT", "Adaptive", "Bytes", "Coder", "Network", "Predictor", "squash", "stretch"]
