"""index: reads the official csv files of a shard; keyframes with their roles, and ground truth.

coverage tells what became of every video and of every class's boxes; evaluate learns from it which keyframes have no frames.
No shard waits for it.
"""


rule index:
    """Keyframes and ground truth of one shard."""
    input:
        config="<results>/config/index/{dataset}.json",
        manifest="<results>/manifest/{dataset}/{shard}.tsv",
        annotations=lambda wildcards: annotation_files(wildcards.dataset),
    output:
        "<results>/index/{dataset}/{shard}.h5",
    log:
        "<logs>/index/{dataset}/{shard}.log",
    benchmark:
        "<benchmarks>/index/{dataset}/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        sha=sha("index", "dataset"),
        annotations=lambda wildcards: annotation_flags(wildcards.dataset),
        videos=lambda wildcards: state_of_videos(wildcards.dataset, wildcards.shard),
    shell:
        "python -m stages.index"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --manifest {input.manifest:q}"
        " {params.annotations:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


rule coverage:
    """Every annotated video of a data set, used or not and why; boxes per class; the keyframes without frames."""
    input:
        config="<results>/config/index/{dataset}.json",
        index=lambda wildcards: shards_of("index", [wildcards.dataset]),
        decode=lambda wildcards: shards_of("decode", [wildcards.dataset]),
        annotations=lambda wildcards: annotation_files(wildcards.dataset),
    output:
        videos="<results>/coverage/{dataset}/videos.csv",
        classes="<results>/coverage/{dataset}/classes.csv",
        lost="<results>/coverage/{dataset}/lost.h5",
        list="<results>/coverage/{dataset}/lost.csv",
    log:
        "<logs>/coverage/{dataset}.log",
    benchmark:
        "<benchmarks>/coverage/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        sha=sha("index", "dataset"),
        annotations=lambda wildcards: annotation_flags(wildcards.dataset),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m stages.index coverage"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --decode {input.decode:q}"
        " --index {input.index:q}"
        " {params.annotations:q}"
        " --out-dir {params.folder:q}"
        " > {log:q} 2>&1"
