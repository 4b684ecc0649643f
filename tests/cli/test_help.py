"""Help comes from the docstrings, shows examples first, and loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.cli.app import VERBS

from .conftest import ENVIRONMENT, Run


def test_help_starts_with_examples_and_lists_verbs_and_exit_codes(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    assert ran.out.index("isthmus demo") < ran.out.index("Options:")
    for verb in VERBS:
        assert f"\n  {verb} " in ran.out
    for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "130 "):
        assert f"\n    {code}" in ran.out


def test_no_arguments_is_help(run: Run) -> None:
    assert run().out == run("--help").out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_shows_an_example_before_anything_else(run: Run, verb: str) -> None:
    ran = run(verb, "-h")
    assert ran.code == 0
    assert ran.out.splitlines()[2].startswith(f"  isthmus {verb}")
    assert "--json" in ran.out
    assert "--debug" in ran.out
    # Every flag says what it is for.
    assert "REQUIRED" not in ran.out


def test_fit_has_a_flag_for_every_field_with_its_description(run: Run) -> None:
    ran = run("fit", "--help")
    for flag in ("--latent-dim N", "--hidden N,N,...", "--likelihood", "--max-epochs", "--seed", "--tied", "--device"):
        assert flag in ran.out
    assert "Wall time to train for." in ran.out
    assert "DATA is a file" in ran.out
    assert "--norm batch|layer" in ran.out
    assert "--corruption" not in ran.out
    assert "--corruption" in run("fit", "--model", "denoising-autoencoder", "--help").out


def test_version(run: Run) -> None:
    from isthmus import __version__

    assert run("--version").out == f"isthmus {__version__}\n"


def test_help_and_info_load_neither_torch_nor_sklearn_nor_matplotlib(model_file: object) -> None:
    script = (
        "import sys; from isthmus.cli import main; main(['--help']); main(['encode', '--help']); "
        f"main(['info', {str(model_file)!r}]); "
        "heavy = {'torch', 'sklearn', 'matplotlib', 'pandas'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr


def test_python_m_isthmus() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "isthmus", "--version"], capture_output=True, text=True, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("isthmus ")


def test_flags_and_settings_of_earlier_versions_are_refused_with_their_new_names(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('model = "vqvae"\nsteps = [8, 5]\n')
    for words, name, new in (
        (["--model", "vqvae", "--entries", "64"], "entries", "codebook_size"),
        (["--model=vqvae", "--levels=2"], "levels", "n_quantizers"),
        (["--config", settings], "steps", "fsq_levels"),
    ):
        ran = run("fit", "digits", "-o", "m.safetensors", *words)
        assert ran.code == 2
        assert f"VQVAE has no parameter {name!r} any more; it is {new!r} now." in ran.err


def test_a_model_offers_no_flag_that_can_only_fail(run: Run) -> None:
    shown = run("fit", "--model", "vaegan", "--help").out
    assert "--beta" in shown
    assert not [flag for flag in ("--prior", "--components", "--posterior", "--k ", "--free-bits") if flag in shown]
