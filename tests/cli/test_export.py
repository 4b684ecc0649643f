"""export: a restorer's network for other programs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from isthmus import Restorer

from .conftest import Run


def test_what_is_exported_computes_what_the_shipped_weights_compute(run: Run, tmp_path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package)
    runtime = pytest.importorskip("onnxruntime")
    ran = run("export", "--onnx", "restorer.onnx")
    assert ran.code == 0, ran.err
    picture = np.random.default_rng(0).random((48, 72), dtype=np.float32)
    planes = np.zeros((1, 6, 48, 72), np.float32)
    planes[0, :3], planes[0, 3] = picture, 1
    (restored,) = runtime.InferenceSession("restorer.onnx").run(None, {"planes": planes})
    with torch.inference_mode():
        expected = Restorer.shipped().module_(torch.from_numpy(planes)).numpy()
    assert np.abs(restored - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--onnx", "restorer.txt"], 2, r"--onnx must end in \.onnx; it is 'restorer\.txt'"),
        (["--onnx", "x.onnx", "-m", "nowhere.safetensors"], 3, "There is no model file nowhere.safetensors"),
        ([], 2, "--onnx"),
    ],
)
def test_what_cannot_be_exported_is_refused(run: Run, arguments: list[str], code: int, sentence: str) -> None:
    ran = run("export", *arguments)
    assert ran.code == code
    assert re.search(sentence, ran.err)


def test_a_model_of_records_is_refused(run: Run, model_file: Path) -> None:
    ran = run("export", "--onnx", "x.onnx", "-m", str(model_file))
    assert ran.code == 2
    assert "is a model of records" in ran.err
