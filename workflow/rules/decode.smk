"""decode: one pass over each video of a shard; the frames that clips need, and the keyframes, as JPEG."""


rule decode:
    """Frame cache of one shard."""
    input:
        config="<results>/config/decode/{dataset}.json",
        manifest="<results>/manifest/{dataset}/{shard}.tsv",
        index="<results>/index/{dataset}/{shard}.h5",
        drawn=lambda wildcards: drawn_parts(wildcards.dataset, "videos"),
    output:
        "<results>/decode/{dataset}/{shard}.h5",
    log:
        "<logs>/decode/{dataset}/{shard}.log",
    benchmark:
        "<benchmarks>/decode/{dataset}/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(240),
    params:
        sha=sha("decode", "dataset"),
        videos=lambda wildcards: state_of_videos(wildcards.dataset, wildcards.shard),
    shell:
        "python -m stages.decode"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --manifest {input.manifest:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
