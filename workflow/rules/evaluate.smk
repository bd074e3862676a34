"""evaluate: frame mAP of every head and ensemble on each annotated data set and on their union.

errors is the same stage's analysis of one model's errors, persons its average precision of the person boxes.
"""


rule evaluate:
    """Metrics of one head (with one seed) or ensemble, per-class table and csv of its detections."""
    input:
        config="<results>/config/evaluate/all.json",
        index=evaluated("index", CONFIG.annotated),
        scores=lambda wildcards: scores(wildcards.model),
        lost=[path for _, path in coverage_files("lost.h5")],
        annotations=[path for dataset in CONFIG.annotated for path in annotation_files(dataset)],
        kinds=lambda wildcards: kinds_files(),
    output:
        metrics="<results>/evaluate/{model}/metrics.json",
        classes="<results>/evaluate/{model}/per_class.csv",
        detections=expand("<results>/evaluate/{{model}}/submission-{split}.csv", split=EVALUATED),
    log:
        "<logs>/evaluate/{model}.log",
    benchmark:
        "<benchmarks>/evaluate/{model}.tsv"
    wildcard_constraints:
        model="[a-z0-9][a-z0-9-]*(/seed[0-9]+)?",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        sha=lambda wildcards: text_sha(settings("evaluate", "all")),
        index=named(evaluated, "index", CONFIG.annotated),
        scores=lambda wildcards: score_flags(wildcards.model),
        lost=[f"{dataset}={path}" for dataset, path in coverage_files("lost.h5")],
        views=lambda wildcards: view_choices(wildcards.model),
        annotations=evaluated_annotations(),
        kinds=optional("--kinds", KINDS),
        splits=EVALUATED,
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m stages.evaluate"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {params.index:q}"
        " {params.scores:q}"
        " --lost {params.lost:q}"
        " --views {params.views:q}"
        " --boxsets detected truth"
        " --splits {params.splits:q}"
        " --annotations {params.annotations:q}"
        " {params.kinds:q}"
        " --name {wildcards.model:q}"
        " --out-dir {params.folder:q}"
        " > {log:q} 2>&1"


rule errors:
    """Causes of the errors of one head or ensemble; the report asks for the model that it shows."""
    input:
        config="<results>/config/evaluate/all.json",
        index=evaluated("index", CONFIG.annotated),
        scores=lambda wildcards: scores(wildcards.model),
        lost=[path for _, path in coverage_files("lost.h5")],
        kinds=lambda wildcards: kinds_files(),
    output:
        "<results>/evaluate/{model}/errors.json",
    log:
        "<logs>/errors/{model}.log",
    benchmark:
        "<benchmarks>/errors/{model}.tsv"
    wildcard_constraints:
        model="[a-z0-9][a-z0-9-]*(/seed[0-9]+)?",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        sha=lambda wildcards: text_sha(settings("evaluate", "all")),
        index=named(evaluated, "index", CONFIG.annotated),
        scores=lambda wildcards: score_flags(wildcards.model),
        lost=[f"{dataset}={path}" for dataset, path in coverage_files("lost.h5")],
        views=lambda wildcards: view_choices(wildcards.model)[-1],
        kinds=optional("--kinds", KINDS),
        splits=EVALUATED,
    shell:
        "python -m stages.evaluate errors"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {params.index:q}"
        " {params.scores:q}"
        " --lost {params.lost:q}"
        " --views {params.views:q}"
        " --splits {params.splits:q}"
        " {params.kinds:q}"
        " --name {wildcards.model:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


rule persons:
    """Average precision of the person boxes of each annotated data set."""
    input:
        config="<results>/config/evaluate/all.json",
        index=evaluated("index", CONFIG.annotated),
        detections=[path for _, path in person_boxes() + compared_boxes()],
    output:
        "<results>/evaluate/persons.json",
    log:
        "<logs>/persons.log",
    benchmark:
        "<benchmarks>/persons.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        sha=lambda wildcards: text_sha(settings("evaluate", "all")),
        index=named(evaluated, "index", CONFIG.annotated),
        detections=[f"{dataset}={path}" for dataset, path in person_boxes()],
        compare=listed("--compare", compared_boxes()),
        splits=EVALUATED,
    shell:
        "python -m stages.evaluate persons"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {params.index:q}"
        " --detections {params.detections:q}"
        " {params.compare:q}"
        " --splits {params.splits:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"
