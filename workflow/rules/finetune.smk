"""finetune: backbone and head trained end to end from another backbone's weights.

Its place, settings and files are fixed; the command refuses until whole networks can be trained. Weights given for such a
backbone take the rule's place.
"""


rule finetune:
    """Weights of one whole network."""
    input:
        config="<results>/config/finetune/{backbone}.json",
        index=lambda wildcards: tuning(index, wildcards.backbone),
        decode=lambda wildcards: tuning(frames, wildcards.backbone),
        detections=lambda wildcards: tuning(boxes, wildcards.backbone),
        bank=lambda wildcards: bank_in_tuning(wildcards.backbone),
        weights=lambda wildcards: backbone_weights(recipe_of(wildcards.backbone).backbone),
        init=lambda wildcards: initial_head(
            recipe_of(wildcards.backbone).head, recipe_of(wildcards.backbone).seed
        ),
    output:
        weights="<results>/finetune/{backbone}/weights.safetensors",
        head="<results>/finetune/{backbone}/head.safetensors",
        history="<results>/finetune/{backbone}/history.json",
    log:
        "<logs>/finetune/{backbone}.log",
    benchmark:
        "<benchmarks>/finetune/{backbone}.tsv"
    priority: 2  # maps wait for it
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(32000),
        runtime=growing(4320),
        gpu=GPU,
    params:
        sha=sha("finetune", "backbone"),
        bank=lambda wildcards, input: optional("--bank", input.bank),
        init=lambda wildcards, input: optional("--init", input.init),
        datasets=lambda wildcards: dataset_words(recipe_of(wildcards.backbone)),
    shell:
        "python -m stages.finetune"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --decode {input.decode:q}"
        " --detections {input.detections:q}"
        " {params.bank:q}"
        " {params.datasets:q}"
        " --weights {input.weights:q}"
        " {params.init:q}"
        " --out-weights {output.weights:q}"
        " --out-head {output.head:q}"
        " --out-history {output.history:q}"
        " > {log:q} 2>&1"
