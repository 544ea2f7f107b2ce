"""Jobs start without libraries that few of them need: each takes up to a second of every job."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
UNNEEDED = {
    "prepare_population": {"torch", "sklearn", "scipy.stats", "matplotlib"},
    "draw_membership": {"torch", "sklearn", "scipy.stats", "pandas", "matplotlib"},
    "train_models": {"sklearn", "scipy", "pandas", "matplotlib", "torch._dynamo"},
    "accept_models": {"sklearn", "scipy", "pandas", "matplotlib", "torch._dynamo"},
    "query_models": {"sklearn", "scipy.stats", "pandas", "matplotlib", "torch._dynamo"},
    "probe_models": {"sklearn", "scipy.stats", "pandas", "matplotlib", "torch._dynamo"},
    "train_regressors": {"sklearn", "scipy.stats", "matplotlib", "torch._dynamo"},
    "perturb_examples": {"sklearn", "scipy.stats", "pandas", "matplotlib", "torch._dynamo"},
    "score_attack": {"torch", "sklearn", "scipy.stats", "pandas", "matplotlib"},
    "measure_leakage": {"torch", "sklearn", "scipy.stats", "matplotlib"},
}


@pytest.mark.parametrize("script", UNNEEDED)
def test_a_job_imports_nothing_that_it_does_not_need(script):
    code = f"import sys, {script}; print(*sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPTS, capture_output=True, text=True, check=True
    )
    assert not UNNEEDED[script] & set(said.stdout.split())
