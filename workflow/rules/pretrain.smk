"""pretrain: backbone weights from the classification of clips."""


rule pretrain:
    """Weights of one backbone."""
    input:
        config="<results>/config/pretrain/{backbone}.json",
        classes=lambda wildcards: class_files(wildcards.backbone),
    output:
        weights="<results>/pretrain/{backbone}/weights.safetensors",
        history="<results>/pretrain/{backbone}/history.json",
    log:
        "<logs>/pretrain/{backbone}.log",
    benchmark:
        "<benchmarks>/pretrain/{backbone}.tsv"
    priority: 2  # the longest job of a run that trains its own backbone
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(6000),
        runtime=growing(1440),
        gpu=GPU,
    params:
        sha=sha("pretrain", "backbone"),
        classes=lambda wildcards: listed("--classes", class_source(wildcards.backbone).classes),
        videos=lambda wildcards: class_source(wildcards.backbone).videos,
    shell:
        "python -m stages.pretrain"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " {params.classes:q}"
        " --videos {params.videos:q}"
        " --out-weights {output.weights:q}"
        " --out-history {output.history:q}"
        " > {log:q} 2>&1"
