"""ensemble: fuses the predictions of several heads with weights per class, fitted where there is ground truth."""


rule ensemble:
    """Fused scores of all data sets."""
    input:
        config="<results>/config/ensemble/{ensemble}.json",
        index=evaluated("index", CONFIG.datasets),
        predictions=lambda wildcards: [
            path for _, folder in members(wildcards.ensemble) for path in evaluated(folder, CONFIG.datasets)
        ],
        csv=lambda wildcards: list(CONFIG.ensembles[wildcards.ensemble].csv.values()),
        given=lambda wildcards: CONFIG.ensembles[wildcards.ensemble].weights_from or [],
    output:
        scores=expand("<results>/ensemble/{{ensemble}}/{dataset}.h5", dataset=CONFIG.datasets),
        weights="<results>/ensemble/{ensemble}/weights.json",
    log:
        "<logs>/ensemble/{ensemble}.log",
    benchmark:
        "<benchmarks>/ensemble/{ensemble}.tsv"
    conda:
        "../../environment.yml"
    threads: 2
    resources:
        # Twenty members with six views of val alone took 3.6 GiB (docs/bench-ensemble.md); val and test are three times as much.
        mem_mb=lambda wildcards, attempt: attempt * (4000 + 400 * len(members(wildcards.ensemble))),
        runtime=growing(120),
    params:
        sha=sha("ensemble", "ensemble"),
        index=named(evaluated, "index", CONFIG.datasets),
        members=lambda wildcards: member_words(wildcards.ensemble),
        given=lambda wildcards, input: optional("--given-weights", input.given),
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m stages.ensemble"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {params.index:q}"
        " {params.members:q}"
        " {params.given:q}"
        " --out-dir {params.folder:q}"
        " > {log:q} 2>&1"
