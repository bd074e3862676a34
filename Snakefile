"""acarflow: videos in, evaluated action detections out.

    snakemake --cores all                                                  the playground, everything
    snakemake --cores 2 --configfile configs/own-videos.yaml --config videos=DIR
    snakemake --cores 2 -R extract --until extract                         one stage again, nothing else
    snakemake --profile slurm                                              on a cluster

Includes stand in run order; each rule carries the name of its stage.
"""

from snakemake.utils import min_version

min_version("9.19")


if "datasets" not in config:

    configfile: f"{workflow.basedir}/configs/playground.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/asked.smk"


localrules:
    all,


rule all:
    """Everything the configuration asks for: the report of annotated data, csv and annotated videos of the rest."""
    default_target: True
    input:
        REPORTS,
        ANNOTATED,


include: "workflow/rules/config.smk"
include: "workflow/rules/synthesize.smk"
include: "workflow/rules/index.smk"
include: "workflow/rules/decode.smk"
include: "workflow/rules/train_detector.smk"
include: "workflow/rules/detect.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/finetune.smk"
include: "workflow/rules/extract.smk"
include: "workflow/rules/bank.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/ensemble.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"


for rule in workflow.rules:
    for function in filter(callable, [*rule.input, *rule.params]):
        signed(function)


if PLAYGROUND_WEIGHTS:

    onstart:
        logger.warning(
            "These weights know only the drawn world of the playground: on filmed people they show that everything runs, "
            "not what people do. Name weights of your own in the configuration."
        )
