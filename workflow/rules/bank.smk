"""bank: long-term memory of a shard; AFB vectors, or ACFB relation maps made by a trained ACAR head."""


rule bank:
    """Memory of one shard."""
    input:
        config="<results>/config/bank/{bank}.json",
        index="<results>/index/{dataset}/{shard}.h5",
        maps=lambda wildcards: maps(CONFIG.banks[wildcards.bank].backbone, wildcards.dataset, wildcards.shard),
        detections=lambda wildcards: boxes(wildcards.dataset, wildcards.shard),
        head=lambda wildcards: head_of_bank(wildcards.bank),
    output:
        "<results>/bank/{bank}/{dataset}/{shard}.h5",
    log:
        "<logs>/bank/{bank}/{dataset}/{shard}.log",
    benchmark:
        "<benchmarks>/bank/{bank}/{dataset}/{shard}.tsv"
    priority: 2  # heads wait for it
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(6000),
        runtime=growing(240),
        gpu=GPU,
    params:
        sha=sha("bank", "bank"),
        head=lambda wildcards, input: optional("--head-weights", input.head),
    shell:
        "python -m stages.bank"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --maps {input.maps:q}"
        " --detections {input.detections:q}"
        " {params.head:q}"
        " --dataset={wildcards.dataset}"
        " --out {output:q}"
        " > {log:q} 2>&1"
