"""What the page says beside its numbers: of each section, of what lost, of how to read it."""

SECTIONS = {
    "studies": (
        "Whole studies",
        "A study from its start to its report: `snakemake --cores 2 --report-after-run`,"
        " each job on one thread. The alternative is a tutorial's loop, one process on one thread:"
        " a DataLoader, torch.optim, one model after the other, float32, channels first, pooling"
        " after the ReLU, attacks in NumPy, a page with a figure and a table. Both train as many"
        " models on halves of the same examples by the same recipe, ask all of them about all"
        " examples, and run LOSS, LiRA and RMIA on the first two. *Time* is CPU time of everything,"
        " the start of every process and all jobs included; below the table, from start to end."
        " The examples lie ready as arrays for the loop. *Memory* is that of the largest process."
        " A block holds half of the models, so that both cores train; code that is made once for a"
        " user (compiled modules, digests, what draws charts) is there. On Location30 the aim is"
        " twice the speed of the loop that is tested, and three times from start to end: both are"
        " reached. About half of the workflow's time is training; the rest is the imports of one"
        " process for each environment, Snakemake with its report, the figure and the page. For"
        " the CNNs the aim is 1.5 times the speed, reached beside the loop that is tested and"
        " beside the one that never is. Three rounds. The loop's"
        " LiRA finds less: its phi is that of confidences in float32, as tutorials have it, which"
        " are 1 for many members.",
    ),
    "steps": (
        "Steps",
        "What a training step takes on one thread in float32, by the stack that `engine: auto`"
        " chooses. *Peak* is that of a product of two matrices of 1024 rows and columns, NumPy's or"
        " torch's, in the same process; FLOPs are those of products and convolutions, of CPU time."
        " Shares are of wall time by torch's profiler, which lengthens calls.",
    ),
    "training": (
        "Training",
        "The workflow's own script trains the demo's cohorts, and a CNN for CIFAR-10, on one"
        " thread; a model has the same seeds on both sides. *Time* is that of the script without"
        " its imports, or, where processes are compared, from their start to their end, one after"
        " the other on one core; of the processes that train a model each some are run, and counted"
        " for all. The plain loop is a tutorial's: one network, torch.optim, float32, images with"
        " their channels first, pooling after the ReLU. *Memory* is the peak of one process, torch"
        " itself included ({start:.0f} MiB of it are there before the first file is read).",
    ),
    "private": (
        "Differential privacy",
        "The workflow's own script trains private models on one thread; the alternative is Opacus'"
        " own loop, `make_private` and one model after the other, on the same examples in float32."
        " Both begin with the same weights, draw Poisson batches, clip to the same norm, and add"
        " noise of the same deviation; batches and noise are other draws, and Opacus' rate is one"
        " over the number of batches, so that its are up to a tenth smaller. *Time* is CPU time of"
        " either without its imports; below the table, what is left of the ratio if Opacus' side is"
        " counted without its data loader, and ours with everything. *Memory* is the peak of one"
        " process ({start:.0f} MiB of it are there before the first file is read).",
    ),
    "extraction": (
        "Extraction",
        "The workflow's own script asks trained models all queries of every example and writes what"
        " they answer, on one thread. The plain loop is a tutorial's: one network and one query"
        " after the other, float32, channels first, pooling after the ReLU, batches of 256, answers"
        " held in memory and written at the end. *Time* is that of either without its imports,"
        " from reading the models to the finished file.",
    ),
    "scoring": (
        "Scoring",
        "Attacks on one target, on signals drawn from Gaussians, one thread. This project streams"
        " them from an HDF5 file; the alternative is each formula as one writes it with whole NumPy"
        " arrays, all signals in memory, references chosen by the same priorities. *Time* is"
        " computation alone; reading is reported below the table, of answers that were compressed"
        " (LZF), as they were stored until 27 November. *Memory* is the peak of one"
        " process, of which {start:.0f} MiB are Python, NumPy and HDF5, before the first number is"
        " read: with few models and queries that is most of it.",
    ),
    "streaming": (
        "Streaming",
        "The workflow's own script runs attacks on one target, whose signals are read from HDF5 in"
        " slices of examples; the bound on what is held of them is the same for all sizes and far"
        " below the workflow's default. One run each. Who trained on an example is read in slices"
        " too, and scores are written as they come, so that nothing is held of every example but"
        " what an attack's definition compares everybody with, for one target at a time. RMIA with"
        " the whole population as z keeps its ratios in float64, by example and sorted: 16 bytes"
        " an example, and 24 while they are made. Attack S ranks exactly among all losses of a"
        " label under OUT references, and keeps each in the four bytes of the file: 60 here. What"
        " else grows is outside Python, where HDF5 fills its caches; a test of the scoring holds"
        " what Python allocates to at most 4 bytes. The slope is that between the last two sizes."
        " Below, RMIA's two forms, given all ratios, which both sides compute"
        " alike: *time* is that of finding the share of z that each x dominates, by halving the"
        " sorted LR(z), or pair by pair; the one sort takes some milliseconds more.",
    ),
    "bounds": (
        "Bounds",
        "Dirichlet laws fitted by maximum likelihood to the confidence vectors of each example's IN"
        " and OUT models, from logits held in memory, one thread. The loop is Minka's Newton method"
        " as one would first write it, with numpy and scipy.special, example by example.",
    ),
    "workflow": (
        "Workflow",
        "Snakemake's own time, from its start to its end. The bare workflow has as many jobs,"
        " files and edges, and nothing else: literal names and touch commands, no functions,"
        " params, logs, benchmarks, environments or scripts; the profile is the same. Of a finished"
        " study all files are there, recorded as made: no job has run for it. The demo runs once"
        " from scratch, on two cores; *its jobs alone* is the sum of the times that its jobs"
        " recorded of themselves, start of Python included, divided by the cores. The empty"
        " workflow has one target and nothing to make: what a start of Snakemake takes.",
    ),
}
HEAD = """# Benchmarks

Written by `make bench` from `results.json`; not to be edited. Every measurement stands against a
named alternative in the same run.
"""
LOST = """
## What lost, on a CPU

Milliseconds of CPU time for a step of one of 32 stacked CNNs with 16 filters on 8x8 images, batches
of 32: one by one 1.1; grouped convolutions under `vmap`, channels first, 0.55; patches copied out
and batched products 0.63; grouped convolutions with a stack's models beside the channels, in memory
the last, and pooling that leaves them there, 0.43: this is what runs. Pooling as a maximum over
dimensions doubled the time of patches, 1.35. Biases are added after the pooling: it saves the stack
a twentieth, and would cost one CNN at 3x32x32 in bfloat16 a tenth. At 3x32x32 the same stack takes
9 and one model after the other 8: stacks end where `stack_sizes` says. For one of 64 in a stack,
0.48: convolution, bias and pooling as one function with a gradient of its own, 0.56; the last ReLU
after flattening, 0.52; stacks of 16 in its place, 0.63; compiled, 0.74, and half a minute of
compiling. A third of a step is the backward pass of the second convolution, which is a fifth faster
with channels first: copying there and back takes that up; as a convolution with the flipped kernel
the gradient of its input is no faster. Kernels that lie as the convolution wants them save a
hundredth. Under `vmap`, 64 of the demo's perceptrons took 5.1 ms for a step, of which 2.2 are left
without it: there were its calls in Python, copies of images that had been laid out for
convolutions, `x[...]` in place of `index_select`, a softmax over the last of three dimensions in
place of the first, and optimisers that passed through memory once an operation. Asked about
1,797 examples with nine queries, 64 stacked CNNs took 11.7 s and one after
the other 5.6 s: queries are not stacked on a CPU. Before jobs kept the memory that they free, page
faults took half of a query's time (8.5 s in place of 4.3 s for two CNNs on 17,500 images of MNIST)
and a quarter of LiRA's.

A step of the demo's 64 perceptrons took 3.8 ms in the version before stacks did without `vmap`, and
1.4 ms in this one, in turn on one thread (three rounds); both label 97.4 % of what they did not
train on rightly. Products by torch, which is MKL, take twice the time of NumPy's on a CPU of AMD's
(446 x 128 weights, batches of 64: forward 70 µs a model and 49, gradients 78 and 36); oneDNN's own,
which torch has for single layers only, take 45 and 50 with a call for every model, and no less
within a training. Stacks of 17 perceptrons of Location30 take 2.6 s of CPU time to train 17 of them
where stacks of eight take 2.9 and, with torch's products, 3.7; one by one takes twice that.

Towards half of a loop's CPU time for the whole study on Location30, this was gained: with torch's
products training was 2.2 s longer; before jobs were forks of a process with their imports, the
study was 10 s longer; that each score asked whether its target is at chance in sixteen places of
the answers, and unpacked each of their chunks up to eight times for that, cost 0.6 s, and a table's
job that imported scikit-learn without need 0.8 s; that Python tore down in each fork what it had
imported cost 1.2 s, answers that were compressed 0.5 s, pandas and SciPy in training jobs 0.4 s, a
figure that was laid out for each of its three formats 0.2 s, and RMIA on all references at once, in
place of one after the other, 0.2 s. Imports of torch while the first jobs run take a second off the
time from start to end. SACRO-ML 2.0.1 was measured beside it once: LiRA alone, on one target, by 33
shadow models that the loop's own function trains, with its report, took 19.8 s of CPU time where
this workflow, with three attacks and two targets, takes what the table says.
"""
READING = """
## How to read the tables

Each run is a fresh process. The two sides run in turn, every other round in the opposite order, so
that what else the machine does meets both. Time and memory are medians over the rounds; a ratio is
the alternative's median over this project's, so **above 1 this project needs less**. In brackets
the smallest and the largest ratio of a single round: where they lie far apart, the machine was not
quiet, and the second digit means nothing. Peak memory is the largest resident set. The load is the
number of processes that wanted a core when the run began: 0 on a quiet machine.

`python benchmarks/run.py --only training` renews one section; `--quick` sees in a minute whether
everything runs, and keeps nothing. With `make bench DATA_ROOT=...` the CNN is trained on CIFAR-10;
without its files, on enlarged digits.
"""
