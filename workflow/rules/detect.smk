"""detect: person boxes and scores of every keyframe, by the data set's detector or from a given csv (`given`)."""


rule detect:
    """Person boxes of one shard."""
    input:
        config="<results>/config/detect/{detector}.json",
        index="<results>/index/{dataset}/{shard}.h5",
        decode="<results>/decode/{dataset}/{shard}.h5",
        origin=lambda wildcards: box_origin(wildcards.detector, wildcards.dataset),
        names=lambda wildcards: ancient(names_for_boxes(wildcards.detector, wildcards.dataset)),
    output:
        "<results>/detect/{detector}/{dataset}/{shard}.h5",
    log:
        "<logs>/detect/{detector}/{dataset}/{shard}.log",
    benchmark:
        "<benchmarks>/detect/{detector}/{dataset}/{shard}.tsv"
    priority: 2  # short; without boxes nobody reads the other views of maps, which lie on the disk until somebody has
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=GPU,
    params:
        sha=sha("detect", "detector"),
        flag=lambda wildcards: "--boxes" if wildcards.detector == "given" else "--weights",
        names=lambda wildcards, input: optional("--manifest", input.names),
    shell:
        "python -m stages.detect"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --decode {input.decode:q}"
        " {params.flag} {input.origin:q}"
        " {params.names:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
