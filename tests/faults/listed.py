"""The faults that a run may meet, and what is expected of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A fault, the outcome that is promised, and what of it cannot be tried where the tests run."""

    what: str
    expected: str
    untried: str = ""


FAULTS = {
    "F01": Fault(
        "SIGKILL of Snakemake and of a worker, in every stage",
        "after `--unlock` the run goes on: nothing finished is done again, every byte is that of an undisturbed run, "
        "no partial file ever has a final name, nothing temporary stays",
    ),
    "F02": Fault(
        "SIGKILL of a worker alone, in every stage",
        "it is tried again by itself; the other jobs go on; the same bytes",
    ),
    "F03": Fault(
        "a Slurm job is cancelled, reaches its time limit, or its node is drained",
        "it is tried again; the bytes of a local run",
    ),
    "F04": Fault(
        "a video cut short: index lost, or half of the file",
        "costs its own keyframes behind the cut; listed with its reason",
    ),
    "F05": Fault("garbage in the middle of a video, a flipped byte", "costs what cannot be decoded; listed"),
    "F06": Fault(
        "an empty file, a text, sound only, one or two frames, no duration, no timestamps",
        "listed as broken or too short, with the reason; the others go on",
    ),
    "F07": Fault(
        "variable and odd frame rates, rotation, odd sizes, 10 bits, other codecs and containers",
        "frames are those of a sequential decode, at their own times",
    ),
    "F08": Fault(
        "a video that is missing, unreadable, a folder, a link to itself, listed twice, under two ids",
        "listed with its reason; a sheet that lists one twice is refused by line",
    ),
    "F09": Fault(
        "ids and file names with dashes, dots, spaces, line ends, `../`, `$(...)`, 200 characters",
        "ids of annotation files are refused by line; own videos may have any name, and none is run or leaves its folder",
    ),
    "F10": Fault(
        "keyframes before the start, after the end, beside the grid",
        "the padding rule; those after the end are listed",
    ),
    "F11": Fault(
        "nobody or a crowd at a keyframe; boxes degenerate, inverted, outside, NaN; scores beyond 1",
        "none and many are normal; impossible boxes and scores are refused by line, or clipped and counted",
    ),
    "F12": Fault(
        "HDF5 truncated, a bit flipped, another schema or version, datasets missing, links, storage elsewhere, "
        "declared sizes beyond what is stored, unknown filters",
        "refused with the file's name and what to do; never a crash, never foreign data",
    ),
    "F13": Fault(
        "disk full, quota, read-only folder, folder removed during the run",
        "exit 2 naming the file; nothing under the final name, nothing left over",
        "a quota is answered by the kernel as a full disk is",
    ),
    "F14": Fault(
        "out of memory",
        "inference halves its batch, gives the same to 1e-4, and records the batch; a process that cannot go on exits 137 "
        "and is tried again with more memory",
        "no GPU runs out of memory here: its error is injected",
    ),
    "F15": Fault(
        "a lock left by a killed Snakemake; two Snakemakes in one folder; temporary files of dead processes",
        "the second is refused, and the first not disturbed; `--unlock` frees the folder; what the dead left is removed",
    ),
    "F16": Fault(
        "one key of the configuration changes; comments, white space and order change",
        "exactly the stages that read it and their heirs run; nothing runs",
    ),
    "F17": Fault(
        "weights or boxes replaced by others of the same size and time; a video replaced",
        "`python -m stages.inspect inputs` names what was made from the old ones; a replaced video runs its shard again",
    ),
    "F18": Fault(
        "checkpoints truncated, with code in them, of other shapes, classes or torch versions",
        "refused in one paragraph, or read; code never runs",
    ),
    "F19": Fault(
        "training killed and resumed; a loss that is NaN",
        "the same weights as uninterrupted; stops with advice",
        "heads train in minutes from cached maps and begin anew",
    ),
    "F20": Fault(
        "a process that loads data is killed; other numbers of them",
        "ends as want of memory (exit 137, tried again); the same results with any number",
    ),
    "F21": Fault(
        "files with times in the future; a whole tree copied with new times",
        "nothing runs for ever; after `--touch` nothing runs again; changed settings are still found",
    ),
    "F22": Fault(
        "outputs that appear late, as on NFS",
        "waited for (`latency-wait`)",
        "a real NFS and its stale caches of folders",
    ),
    "F23": Fault(
        "csv with byte order mark, CRLF, two columns, float times, stray text, no last line end, header, tabs; a million rows",
        "read, or refused by line",
    ),
    "F24": Fault(
        "threads that poll while decord ends; standard output closed",
        "exit 0; no traceback, results are written",
    ),
    "F25": Fault(
        "members of an ensemble without a view, in another order, a class without truth, a single member",
        "refused by name, aligned, weighted evenly with a note, the member itself",
    ),
    "F26": Fault(
        "a release whose stages or files have other versions",
        "exactly the stages that changed and their heirs run; an old file is refused with the stage to run again",
    ),
    "F27": Fault(
        "another number of shards",
        "that data set is cut anew; no stage reads files of two numbers; the others stay",
    ),
    "S": Fault(
        "untrusted files: exploits in csv, checkpoints, pickles, HDF5, file names, class names",
        "no code runs, nothing outside the run's folders is read or written, the report shows markup as text",
    ),
}

CUDA = """On a CPU all artifacts are the same to the byte for equal configuration, library versions, type of CPU, threads
and batch size. On CUDA they are not promised to be, though deterministic kernels are asked for
(`torch.use_deterministic_algorithms` with warnings only, no cuDNN benchmark, `CUBLAS_WORKSPACE_CONFIG`):

- Backward passes of RoIAlign, 3-d pooling and interpolation add with atomics, in an order that differs from run to run.
  PyTorch has no deterministic kernels for them, and warns. So weights that are trained on CUDA differ in their last bits,
  and so does what is made from them.
- Forward passes (detect, extract, bank, predict) sum in one order. Detections pass through a sort by score, where scores
  that are equal to the last bit may change places. That these passes repeat on one card with one driver is expected, and
  not tested, for want of a card.
- Another card, driver, cuDNN or cuBLAS chooses other kernels, which sum in another order.
- So does another batch, on a CPU too: where a batch was halved for want of memory, results are the same to 1e-4 of the
  largest value, and log and artifact (attribute `batch`) say so.
"""
