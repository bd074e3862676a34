"""predict: logits of a head for every box of the keyframes to be evaluated, in every view."""


rule predict:
    """Predictions of one head on one shard."""
    input:
        config="<results>/config/predict/{head}.json",
        index="<results>/index/{dataset}/{shard}.h5",
        maps=lambda wildcards: maps(CONFIG.heads[wildcards.head].backbone, wildcards.dataset, wildcards.shard),
        views=lambda wildcards: other_views(
            CONFIG.heads[wildcards.head].backbone, wildcards.dataset, wildcards.shard
        ),
        detections=lambda wildcards: boxes(wildcards.dataset, wildcards.shard),
        bank=lambda wildcards: bank_of(wildcards.head, wildcards.dataset, wildcards.shard),
        weights=lambda wildcards: head_weights(wildcards.head, wildcards.seed),
    output:
        "<results>/predict/{head}/seed{seed}/{dataset}/{shard}.h5",
    log:
        "<logs>/predict/{head}/seed{seed}/{dataset}/{shard}.log",
    benchmark:
        "<benchmarks>/predict/{head}/seed{seed}/{dataset}/{shard}.tsv"
    priority: 1  # the other views can be removed then
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
        gpu=GPU,
    params:
        sha=sha("predict", "head"),
        views=lambda wildcards, input: optional("--views", input.views),
        bank=lambda wildcards, input: optional("--bank", input.bank),
    shell:
        "python -m stages.predict"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --maps {input.maps:q}"
        " {params.views:q}"
        " --detections {input.detections:q}"
        " {params.bank:q}"
        " --dataset={wildcards.dataset}"
        " --weights {input.weights:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
