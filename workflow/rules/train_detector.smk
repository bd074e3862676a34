"""train_detector: fine-tunes a person detector on the ground truth of one data set."""


rule train_detector:
    """Weights of one detector."""
    input:
        config="<results>/config/train_detector/{detector}.json",
        index=lambda wildcards: shards_of("index", [CONFIG.detectors[wildcards.detector].dataset]),
        decode=lambda wildcards: shards_of("decode", [CONFIG.detectors[wildcards.detector].dataset]),
        init=lambda wildcards: initial_detector(wildcards.detector),
    output:
        weights="<results>/train_detector/{detector}/weights.safetensors",
        history="<results>/train_detector/{detector}/history.json",
    log:
        "<logs>/train_detector/{detector}.log",
    benchmark:
        "<benchmarks>/train_detector/{detector}.tsv"
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
        gpu=GPU,
    params:
        sha=sha("train_detector", "detector"),
        init=lambda wildcards, input: optional("--init", input.init),
    shell:
        "python -m stages.train_detector"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --decode {input.decode:q}"
        " {params.init:q}"
        " --out-weights {output.weights:q}"
        " --out-history {output.history:q}"
        " > {log:q} 2>&1"
