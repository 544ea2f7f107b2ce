"""The benchmarks measure what they say they measure, and run at a tiny size."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import gpu_page  # noqa: E402
import gpu_work  # noqa: E402
import measuring  # noqa: E402
import page  # noqa: E402
import steps  # noqa: E402
import tutorial  # noqa: E402
import workflow  # noqa: E402

HOLD = """
import json, sys, time
held = b"x" * (int(sys.argv[1]) << 20)
time.sleep(0.3)
print(json.dumps({"answer": float(sys.argv[1])}))
"""
SMALL = {"cohorts": 2, "blocks": 2, "attacks": ["loss"]}


def test_a_process_reports_its_own_time_and_peak_memory():
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # which children inherit
    sizes = (own + 100, own + 400)
    small, large = (measuring.process([sys.executable, "-c", HOLD, str(n)]) for n in sizes)
    assert (small["answer"], large["answer"]) == sizes
    assert large["peak_mib"] - small["peak_mib"] == pytest.approx(300, abs=30)
    assert 0.3 <= large["process_seconds"] < 30
    # 0.3 s of it asleep
    assert 0 < large["process_cpu_seconds"] < large["process_seconds"] - 0.25


def test_a_failing_side_stops_the_benchmark_and_says_what_it_said():
    with pytest.raises(RuntimeError, match="no such side"):
        measuring.process([sys.executable, "-c", "raise SystemExit('no such side')"])


def test_sides_take_turns_and_every_other_round_is_reversed():
    order = []
    side = lambda name: lambda: order.append(name) or {"seconds": 1.0}  # noqa: E731
    measuring.in_turn({"a": side("a"), "b": side("b")}, 3)
    assert order == ["a", "b", "b", "a", "a", "b"]


def test_ratios_are_the_alternative_over_ours_of_the_medians():
    ours = [{"seconds": s, "peak_mib": 10.0} for s in (1.0, 2.0, 9.0)]
    other = [{"seconds": s, "peak_mib": 5.0} for s in (8.0, 6.0, 3.0)]
    entry = measuring.comparison("t", {"us": ours, "them": other}, "seconds", {})
    assert entry["ratios"] == {"seconds": 3.0, "peak_mib": 0.5}
    assert entry["rounds"] == [8.0, 3.0, 3.0 / 9.0]


def test_the_bare_workflow_has_the_shape_of_ours(tmp_path):
    sides = workflow.lay_out(tmp_path, SMALL)
    plans = [
        workflow.snakemake(side, "--dry-run", "--quiet", "rules")["text"] for side in sides.values()
    ]
    tables = [
        sorted(line.split() for line in plan.splitlines() if _is_count(line)) for plan in plans
    ]
    assert tables[0] == tables[1]
    # 1 population; 2 roles; 3 jobs in each of 4 blocks; scores and metrics, figures; the two pages
    assert ["total", str(1 + 2 + 12 + 4 + 2 + 2 + 1)] in tables[0]


def _is_count(line):
    words = line.split()
    return len(words) == 2 and words[1].isdigit()


@pytest.mark.slow
def test_scoring_runs_and_its_sides_agree(tmp_path):
    entries = run(tmp_path, "scoring")["scoring"]["comparisons"]
    assert len(entries) == 5
    assert [entry["agreement"]["largest_difference"] for entry in entries[3:]] == [0, 0]
    for entry in entries:
        assert entry["agreement"]["largest_difference"] < 1e-9 * entry["agreement"]["largest_score"]


@pytest.mark.slow
def test_streaming_runs_and_both_forms_of_rmia_agree(tmp_path):
    entries = run(tmp_path, "streaming")["streaming"]["comparisons"]
    (pairs,) = [entry for entry in entries if "runs" in entry]
    assert pairs["agreement"]["largest_difference"] == 0
    assert pairs["agreement"]["largest_score"] > 0.5
    grown = [entry for entry in entries if "sizes" in entry]
    assert [list(entry["sizes"]) for entry in grown] == [["500", "3000"]] * 6
    text = (tmp_path / "README.md").read_text()
    assert text.count(", within 16 MiB | ") == 6


def test_growth_is_told_in_bytes_for_each_further_example():
    runs = [{"seconds": i, "peak_mib": 79.0 + i, "signals_mib": 5 * i} for i in (1.0, 2.0)]
    sizes = dict(zip(("1000", "2000"), runs, strict=True))
    row = page._growth([{"title": "t", "within_mb": 16, "sizes": sizes}])[2]
    assert row == "| t, within 16 MiB | 80 | 81 | 1049 | 2 s |"  # 2^20 / 1000


def test_a_ratio_of_one_round_is_told_as_such():
    sides = {name: [{"seconds": s, "peak_mib": 1.0}] * 2 for name, s in (("us", 1.0), ("it", 3.0))}
    twice = measuring.comparison("t", sides, "seconds", {})
    once = measuring.comparison("t", {n: runs[:1] for n, runs in sides.items()}, "seconds", {})
    assert "**3.00** (3–3) |" in page._row(twice)
    assert "**3.00** (one round) |" in page._row(once)


def test_bounds_run_and_their_sides_agree(tmp_path):
    (entry,) = run(tmp_path, "bounds")["bounds"]["comparisons"]
    assert entry["agreement"]["largest_difference"] < 1e-6
    assert entry["ratios"]["seconds"] > 0  # which side is faster, a loaded machine cannot tell


@pytest.mark.slow
def test_training_runs_and_its_sides_agree(tmp_path):
    *demo, images = run(tmp_path, "training")["training"]["comparisons"]
    assert len(demo) == 6
    for entry in [*demo, images]:
        facts = entry["agreement"]
        assert abs(facts["mean_difference"]) <= 0.02  # few epochs from the same seeds
        assert facts[entry["ours"]] > 0.5  # of ten classes: it did train
        assert entry["ratios"]["cpu_seconds"] > 0
    leakage = images["agreement"]["leakage"]
    assert abs(leakage["mean_difference"]) <= 0.02
    assert 0.4 < leakage[images["ours"]] < 0.9
    text = (tmp_path / "README.md").read_text()
    assert "AUC of the loss" in text
    assert text.count("In CPU time the ratio is") == 7


@pytest.mark.slow
def test_private_training_runs_and_its_sides_agree(tmp_path):
    entries = run(tmp_path, "private")["private"]["comparisons"]
    assert len(entries) == 3
    for entry in entries:
        facts = entry["agreement"]
        assert abs(facts["mean_difference"]) <= 0.15  # two epochs of other draws
        assert facts[entry["ours"]] > 0.15  # of ten classes: it did train
        assert 0 < entry["ratios"]["steps"] < entry["ratios"]["cpu_seconds"]
    assert (tmp_path / "README.md").read_text().count(" Its steps alone take ") == 3


@pytest.mark.slow
def test_whole_studies_run_and_are_compared_with_a_loop(tmp_path):
    entries = run(tmp_path, "studies")["studies"]["comparisons"]
    assert len(entries) == 4
    for entry in entries:
        assert set(entry["ratios"]) == {"cpu_seconds", "process_seconds", "peak_mib"}
        own, other = (entry["medians"][entry[side]] for side in ("ours", "alternative"))
        assert own["cpu_seconds"] > 1  # of all jobs, which import torch twice
        assert other["cpu_seconds"] > 1
    text = (tmp_path / "README.md").read_text()
    assert text.count("From start to end") == 4
    assert text.count("AUC of LiRA: ") == 4


def test_the_loops_attacks_are_their_formulas():
    rng = np.random.default_rng(0)
    labels, member = rng.integers(3, size=40), rng.random((8, 40)).argsort(0) < 4
    logits = rng.normal(size=(8, 40, 3)) + 3 * member[..., None] * np.eye(3)[labels]
    found = tutorial.attacks(logits, labels, member, 2)
    for i in range(40):
        p = [np.exp(row[labels[i]]) / np.exp(row).sum() for row in logits[:, i]]
        phi = [np.log(q / (1 - q)) for q in p]
        inside, outside = (
            [phi[k] for k in range(8) if k != 1 and member[k, i] == of] for of in (True, False)
        )
        laws = [stats.norm(np.mean(v), np.std(v)).logpdf(phi[1]) for v in (inside, outside)]
        assert found["LiRA"][1, i] == pytest.approx(laws[0] - laws[1])
        assert found["LOSS"][1, i] == pytest.approx(np.log(p[1]))
    ratios = [p_of(logits, labels, i) for i in range(40)]
    shares = [np.mean([other <= mine for other in ratios]) for mine in ratios]
    assert found["RMIA"][1] == pytest.approx(shares)


def p_of(logits, labels, i):
    """LR(x) of the second model: its confidence over the mean of the others'."""
    p = [np.exp(row[labels[i]]) / np.exp(row).sum() for row in logits[:, i]]
    return p[1] / np.mean([q for k, q in enumerate(p) if k != 1])


@pytest.mark.slow
def test_steps_are_measured_and_their_parts_make_the_whole(tmp_path):
    entries = run(tmp_path, "steps")["steps"]["comparisons"]
    assert len(entries) == 4
    for entry in entries:
        assert sum(entry["parts"].values()) == pytest.approx(1)
        assert 0 < entry["gflops"] < entry["peak_gflops"]
        assert entry["parts"]["products"] > 0
    assert "**" in (tmp_path / "README.md").read_text()


def test_operations_belong_to_parts_by_their_names():
    assert steps.part_of("aten::baddbmm") == steps.part_of("aten::mkldnn_convolution") == "products"
    assert steps.part_of("Product") == steps.part_of("ProductBackward") == "products"
    assert steps.part_of("aten::max_pool2d_with_indices") == "activations and pooling"
    assert steps.part_of("aten::_fused_sgd_") == "optimiser"
    assert steps.part_of("aten::max") == steps.part_of("aten::_log_softmax") == "loss"
    assert steps.part_of("aten::index_select") == "gathering"
    assert steps.part_of("autograd::engine::evaluate_function: ReluBackward0") == steps.REST


@pytest.mark.slow
def test_extraction_runs_and_its_sides_agree(tmp_path):
    entries = run(tmp_path, "extraction")["extraction"]["comparisons"]
    assert len(entries) == 3
    for entry in entries:
        facts = entry["agreement"]
        assert facts["largest_difference"] < 1e-4 * facts["largest_phi"]
        assert entry["ratios"]["cpu_seconds"] > 0
    assert (tmp_path / "README.md").read_text().count(" answers a second.") == 3


@pytest.mark.slow
def test_the_workflow_benchmark_runs(tmp_path):
    dry, made, whole, finished = run(tmp_path, "workflow")["workflow"]["comparisons"]
    assert "dry run" in dry["title"]
    assert "finished study" in made["title"]  # raises where anything is found to do
    assert made["agreement"] == dry["agreement"]
    times = [
        whole["medians"][side]["process_seconds"] for side in ("this workflow", "its jobs alone")
    ]
    assert 0 < times[1] < times[0]  # few small jobs: mostly Snakemake's own time
    assert whole["agreement"]["its jobs alone"] == 10  # everyone of them left a record
    assert "nothing to do" in finished["title"]


def test_the_committed_page_is_the_one_of_the_committed_results():
    results = json.loads((BENCHMARKS / "results.json").read_text())
    assert set(results) == set(page.SECTIONS)
    assert (BENCHMARKS / "README.md").read_text() == page.render(results)


def run(folder, section):
    """Run one section at its tiny size; return what it wrote."""
    script = str(BENCHMARKS / "run.py")
    options = ["--quick", "--only", section, "--output", str(folder)]
    subprocess.run([sys.executable, script, *options], check=True, capture_output=True)
    assert page.SECTIONS[section][0] in (folder / "README.md").read_text()
    return json.loads((folder / "results.json").read_text())


def test_what_jobs_recorded_is_shared_by_the_cores(tmp_path):
    for name, row in {
        "train_models/one/0": "3.5\t100.5",
        "score_attack/one/loss": "0.5\t-",
    }.items():
        path = tmp_path / "results/benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True)
        path.write_text(f"s\tmax_rss\n{row}\n")
    assert workflow.recorded(tmp_path) == {"process_seconds": 2.0, "peak_mib": 100.5, "jobs": 2}


def test_flops_are_those_of_the_layers():
    def make():
        layers = torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.Flatten(), torch.nn.Linear(320, 10)
        return torch.nn.Sequential(*layers)

    convolution, linear = 2 * 64 * 5 * 3 * 9, 2 * 320 * 10
    training, answering = gpu_work.flops(make, (3, 8, 8), torch.device("cpu"))
    assert answering == convolution + linear
    # weights' gradients cost as much again, inputs' too, but for the images
    assert training == 2 * convolution + 3 * linear


def test_traffic_counts_what_operations_read_and_write():
    x, y = torch.ones(100), torch.ones(100, dtype=torch.bfloat16)
    with gpu_work.Traffic() as traffic:
        (x + x).view(10, 10)
        torch.empty(100)
        y.add_(y)
    assert traffic.operations == 2
    assert traffic.bytes == 3 * 400 + 3 * 200


def test_the_page_tells_what_bounds_a_step():
    run = {"models": 4, "images_per_second": 1000.0, "peak_gib": 2.0}
    found = {
        "batch": 50, "train_flops": 1e6, "tiny_steps": {"one stack": 0.01},
        "engines": {"one stack": run}, "moved": {"one stack": {"bytes": 1e6, "operations": 7}},
    }  # fmt: skip
    peaks = {"flops": 1e12, "bytes": 1e9}  # 200 images: 0.2 ms and 200 ms
    line = gpu_page._bounds("one stack", found, peaks)
    assert "a step takes 200.00 ms" in line
    assert line.endswith("FLOPs 0.20 ms, bytes 200.00 ms, calls 10.00 ms; nearest: bytes.")
    row = gpu_page._engine("one by one", run, 5000.0, 1e6, peaks)
    assert row == "| one by one | 4 | 1,000 | 5.00 | 0.1% | 2.0 |"


def test_the_gpu_page_shows_a_whole_study():
    value = {"mean": 0.25, "low": 0.125, "high": 0.5}
    error = {"mean": 0.001, "q99": 0.01, "largest": 0.5}
    text = gpu_page._run({
        "models": 4, "targets": 2, "queries": 18, "examples": 5000, "epochs": 3,
        "seconds": {"training": 3.0, "queries": 4.5}, "train_accuracy": {"mean": 0.975},
        "test_accuracy": {"mean": 0.75, "lowest": 0.5}, "phi_error": {"TF32": error},
        "leakage": {"lira": {"auc": value, "tpr_at_0.001": value, "tpr_at_0.01": value}},
        "queries_in": "float16",
    })  # fmt: skip
    assert "| together | 7.5 |" in text
    assert "Test accuracy 75.00%, the lowest\n50.00%" in text
    assert "| lira | 0.2500 (0.1250 to 0.5000) | 25.00% (12.50% to 50.00%) |" in text
    assert "TF32 0.0010 in the mean, 99 % below 0.0100, 0.500 at most" in text


def test_without_a_gpu_its_benchmark_says_so():
    command = [sys.executable, str(BENCHMARKS / "gpu.py")]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    said = subprocess.run(command, env=hidden, capture_output=True, text=True)
    assert said.returncode == 1
    assert said.stderr.startswith("no GPU: ")


BARE = """
from functools import partial
from importlib.machinery import PathFinder
def found(find, name, *more):
    return None if name.split(".")[0] in {names!r} else find(name, *more)
PathFinder.find_spec = partial(found, PathFinder.find_spec)  # pytest makes it a method of its own
"""
OTHERS = ("snakemake", "pydantic", "yaml", "tqdm", "pandas", "scipy", "sklearn", "safetensors",
          "torchvision")  # fmt: skip


def bare(folder, *command, **environment):
    """Run Python in an environment without what only the workflow needs."""
    place = folder / "bare"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(BARE.format(names=OTHERS))
    given = {**os.environ, "PYTHONPATH": str(place), "OMP_NUM_THREADS": "1", **environment}
    command = [sys.executable, *command]
    return subprocess.run(command, env=given, cwd=BENCHMARKS.parent, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "which"),
    [("test_gradients", "losses_and_hits"), ("test_cuda_paths", "queries_are_answered")],
)
def test_the_tests_of_a_gpu_need_torch_numpy_and_pytest_alone(tmp_path, file, which):
    tests = ("-m", "pytest", "-p", "no:cacheprovider", f"tests/training/{file}.py", "-k", which)
    said = bare(tmp_path, *tests, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert said.returncode == 0, said.stdout + said.stderr


def kit(folder, *arguments):
    """Run the kit on the CPU, in an environment without what only the workflow needs."""
    script = [str(BENCHMARKS / "gpu.py"), "--quick", "--device", "cpu", "--output", str(folder)]
    said = bare(folder.parent, *script, *arguments)
    file = folder / "results_gpu.json"
    return said, json.loads(file.read_text()) if file.is_file() else None


@pytest.mark.slow
def test_pieces_of_the_kit_add_to_what_is_there_and_lose_nothing(tmp_path):
    folder = tmp_path / "a folder to be made"
    _, first = kit(folder, "--only", "cnn:single")
    rate = first["recipes"]["cnn"]["engines"]["one by one"]["images_per_second"]
    assert rate > 0
    assert "to be measured first" in (folder / "README.md").read_text()
    said, late = kit(folder, "--only", "cnn:single,cnn:stack", "--seconds", "0.2")
    assert "not done within 0 s" in said.stdout
    engines = late["recipes"]["cnn"]["engines"]
    assert engines["one by one"]["images_per_second"] == rate
    assert engines["one stack"] == {"error": "not done within 0 s"}
    _, both = kit(folder, "--only", "peaks,cnn:counts,cnn:queries")
    assert both["recipes"]["cnn"]["queries"]["one by one, float32"]["largest_error"] == 0
    assert both["recipes"]["cnn"]["engines"] == engines
    assert both["peaks"]["flops"] > 0
    text = (folder / "README.md").read_text()
    assert "| one by one | 1 |" in text
    assert "| one stack | | failed: not done" in text
    file = folder / "results_gpu.json"
    file.write_text(file.read_text().replace(both["device"], "another card"))
    said, _ = kit(folder, "--only", "peaks")
    assert "is of device another card" in said.stderr
    said, _ = kit(folder, "--only", "cnn:stacks")
    assert said.stderr.startswith("--only cnn:stacks: there is peaks, fast, ")


def test_the_kits_recipes_are_the_studies(monkeypatch):
    import gpu_recipes

    there = json.loads(gpu_recipes.FILE.read_text())
    assert there == gpu_recipes.complete()  # else: python benchmarks/gpu_recipes.py


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["fast", "wide_resnet", "cnn"])
def test_every_piece_of_the_kit_runs_on_a_cpu(tmp_path, recipe):
    _, results = kit(tmp_path / "kit", "--only", f"peaks,{recipe}")
    found = results["recipes"][recipe]
    assert len(found["engines"]) == 12
    assert all(run["images_per_second"] > 0 for run in found["engines"].values())
    assert set(found["tiny_steps"]) == {"in turn", "one stack", "one by one"}
    assert found["queries"]["one by one, float32"]["largest_error"] == 0
    assert 0 < found["queries"]["one by one, bfloat16"]["largest_error"] < 1
    assert found["queries_compiled"]["compiled, TF32"]["largest_error"] < 1e-3
    text = (tmp_path / "kit" / "README.md").read_text()
    assert text.count("| one by one |") == 1
    assert text.count("nearest:") == 3
    assert "failed" not in text
