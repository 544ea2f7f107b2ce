"""Forks. Jobs of one thread are forks of a process that has imported what their scripts import.

There is one such process for each file of envs, and it starts with the first of its jobs; where
models are to be trained, that of training with the first of all, so that torch is imported
meanwhile. Jobs with a GPU, with more threads or in an environment of their own are started as
Snakemake starts them.
"""

from functools import partial
from subprocess import CalledProcessError
from threading import Lock

from snakemake.benchmark import benchmarked
from snakemake.shell import shell

from miatlas.running.fork_server import ForkServer

LIBRARIES = ("OMP", "GOTO", "OPENBLAS", "MKL", "NUMEXPR")
ONE_THREAD = dict.fromkeys([f"{name}_NUM_THREADS" for name in LIBRARIES], "1")
SERVERS, STARTING = {}, Lock()


def place_of(script):
    """The path of a script's file."""
    return os.path.realpath(str(script.path.get_path_or_uri(secret_free=True)))


def of_its_own(job):
    """Say whether a job, or its script, has what only a process of its own may have."""
    return job.threads > 1 or job.resources.get("gpu")


def forks(script):
    """Say whether a script of ours would run in a process like all others."""
    elsewhere = script.conda_env or script.container_img or script.env_modules
    alone = script.shadow_dir or of_its_own(script)
    ours = os.path.realpath(SCRIPTS) == os.path.dirname(place_of(script))
    plain = ours and not (elsewhere or alone or shell._process_prefix)
    return plain and sys.platform == "linux"  # macOS' own libraries do not bear a fork


def server(name, tmpdir):
    """The process of which the jobs of that name are forks: that of their environment."""
    kind = str(workflow.get_rule(name).conda_env), tmpdir
    places = dict.fromkeys(["TMPDIR", "TMP", "TEMPDIR", "TEMP"], tmpdir)
    with STARTING:
        if kind not in SERVERS or not SERVERS[kind].alive():
            SERVERS[kind] = ForkServer(str(SCRIPTS), os.environ | ONE_THREAD | places)
        return SERVERS[kind]


@cache
def torch_begun():
    """Have what training imports imported, once, if there will be forks that train."""
    for job in workflow.dag.needrun_jobs():
        # by its script: a module may call the rule as it likes
        trains = Path(str(job.rule.script)).stem == "train_models"
        if trains and not of_its_own(job):
            server(job.rule.name, job.resources.tmpdir).read("train_models")
            return


@mended(PythonScript, "execute_script")
def forked(execute):
    """Run a script as a fork."""

    def run(script, file, edit=False):
        if not forks(script):
            return execute(script, file, edit)
        torch_begun()
        watched = partial(benchmarked, benchmark_record=script.bench_record)
        mother = server(script.rulename, script.resources.tmpdir)
        status = mother.run(Path(place_of(script)).stem, file, watched)
        if status:
            raise CalledProcessError(status, [sys.executable, file])

    return run
