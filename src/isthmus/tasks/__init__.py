"""What a trained model is put to: each task asks for methods, never for a class."""

from isthmus.tasks.features import feature_network
from isthmus.tasks.restore import denoise, inpaint, inpaint_blocks

__all__ = ["denoise", "feature_network", "inpaint", "inpaint_blocks"]
