"""extract: time-pooled context maps; in the canonical view of the keyframes that somebody reads, in the others of eval ones."""


rule extract:
    """Context maps of one shard."""
    input:
        config="<results>/config/extract/{backbone}.json",
        index="<results>/index/{dataset}/{shard}.h5",
        decode="<results>/decode/{dataset}/{shard}.h5",
        weights=lambda wildcards: backbone_weights(wildcards.backbone),
    output:
        **OTHER_VIEWS,
        maps="<results>/extract/{backbone}/{dataset}/{shard}.h5",
    log:
        "<logs>/extract/{backbone}/{dataset}/{shard}.log",
    benchmark:
        "<benchmarks>/extract/{backbone}/{dataset}/{shard}.tsv"
    priority: lambda wildcards: 1 if is_archived(wildcards.backbone) else 0  # views of others wait for banks
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
        gpu=GPU,
    params:
        sha=sha("extract", "backbone"),
        views=lambda wildcards, output: optional("--out-views", output.get("views")),
    shell:
        "python -m stages.extract"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --decode {input.decode:q}"
        " --weights {input.weights:q}"
        " --out {output.maps:q}"
        " {params.views:q}"
        " > {log:q} 2>&1"
