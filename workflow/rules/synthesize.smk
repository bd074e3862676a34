"""synthesize: draws the playground, videos and official annotations, from the configuration alone."""


rule synthesize:
    """One drawn data set."""
    input:
        config="<results>/config/synthesize/{dataset}.json",
    output:
        videos=directory("<results>/synthesize/{dataset}/videos"),
        annotations=directory("<results>/synthesize/{dataset}/annotations"),
    log:
        "<logs>/synthesize/{dataset}.log",
    benchmark:
        "<benchmarks>/synthesize/{dataset}.tsv"
    priority: lambda wildcards: 2 if is_pretrained_on(wildcards.dataset) else 0
    conda:
        "../../environment.yml"
    threads: lambda wildcards: 2 if is_pretrained_on(wildcards.dataset) else 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        sha=sha("synthesize", "dataset"),
    shell:
        "python -m stages.synthesize"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --dataset {wildcards.dataset:q}"
        " --out-videos {output.videos:q}"
        " --out-annotations {output.annotations:q}"
        " --workers {threads}"
        " > {log:q} 2>&1"
