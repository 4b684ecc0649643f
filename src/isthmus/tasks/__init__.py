"""What a trained model is put to: each task asks for methods, never for a class."""

from isthmus.tasks.restore import denoise, inpaint

__all__ = ["denoise", "inpaint"]
