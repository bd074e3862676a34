"""train: a relation head on cached context maps, one training per seed."""


rule train:
    """Weights of one head with one seed."""
    input:
        config="<results>/config/train/{head}.json",
        index=lambda wildcards: training(index, wildcards.head),
        maps=lambda wildcards: training(
            functools.partial(maps, CONFIG.heads[wildcards.head].backbone), wildcards.head
        ),
        detections=lambda wildcards: training(boxes, wildcards.head),
        bank=lambda wildcards: (
            training(functools.partial(bank_of, wildcards.head), wildcards.head)
            if CONFIG.heads[wildcards.head].memory
            else []
        ),
        init=lambda wildcards: initial_head(wildcards.head, wildcards.seed),
    output:
        weights="<results>/train/{head}/seed{seed}/weights.safetensors",
        history="<results>/train/{head}/seed{seed}/history.json",
    log:
        "<logs>/train/{head}/seed{seed}.log",
    benchmark:
        "<benchmarks>/train/{head}/seed{seed}.tsv"
    priority: lambda wildcards: 2 if is_awaited(wildcards.head) else 1  # predictions wait anyway
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(8000),
        runtime=growing(1440),
        gpu=GPU,
    params:
        sha=sha("train", "head"),
        bank=lambda wildcards, input: optional("--bank", input.bank),
        init=lambda wildcards, input: optional("--init", input.init),
        datasets=lambda wildcards: dataset_words(CONFIG.heads[wildcards.head]),
    shell:
        "python -m stages.train"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --seed {wildcards.seed}"
        " --index {input.index:q}"
        " --maps {input.maps:q}"
        " --detections {input.detections:q}"
        " {params.bank:q}"
        " {params.init:q}"
        " {params.datasets:q}"
        " --out-weights {output.weights:q}"
        " --out-history {output.history:q}"
        " > {log:q} 2>&1"
