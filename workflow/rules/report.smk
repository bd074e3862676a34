"""report: what the run found.

attention   where the relations of a few people of one data set look, for the page
report      one self-contained html page about the annotated data sets, and its main table as text
annotate    csv of all detections and annotated videos of a data set without ground truth
"""


rule attention:
    """Where the relations of one head look; a few keyframes, so no job for a GPU."""
    input:
        config="<results>/config/report/relations.json",
        index=lambda wildcards: evaluated("index", [wildcards.dataset]),
        maps=lambda wildcards: evaluated(
            f"extract/{CONFIG.heads[CONFIG.relation_head].backbone}", [wildcards.dataset]
        ),
        predictions=lambda wildcards: evaluated(f"predict/{RELATION}", [wildcards.dataset]),
        metrics=f"{RESULTS}/evaluate/{RELATION}/metrics.json",
        weights=lambda wildcards: head_weights(CONFIG.relation_head, RELATION.rpartition("seed")[2]),
    output:
        "<results>/attention/{dataset}.h5",
    log:
        "<logs>/attention/{dataset}.log",
    benchmark:
        "<benchmarks>/attention/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: TORCH_THREADS
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        sha=lambda wildcards: text_sha(settings("report", "relations")),
        name=RELATION,
    shell:
        "python -m stages.report attention"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --device cpu"
        " --index {input.index:q}"
        " --maps {input.maps:q}"
        " --predictions {input.predictions:q}"
        " --weights {input.weights:q}"
        " --name {params.name:q}"
        " --metrics {input.metrics:q}"
        " --out {output:q}"
        " > {log:q} 2>&1"


rule report:
    """The page and the main table."""
    input:
        config="<results>/config/report/all.json",
        configuration="<results>/config/run/all.json",
        metrics=[path for _, path in metrics()],
        persons="<results>/evaluate/persons.json",
        histories=[path for _, path in histories()],
        coverage=[path for _, path in coverage_files("videos.csv") + coverage_files("classes.csv")],
        index=evaluated("index", CONFIG.annotated),
        decode=evaluated("decode", CONFIG.annotated),
        scores=scores(SHOWN),
        attention=[path for _, path in relations()],
        errors=f"{RESULTS}/evaluate/{SHOWN}/errors.json",
        weights=f"{RESULTS}/ensemble/{SHOWN}/weights.json" if SHOWN in CONFIG.ensembles else [],
    output:
        page=report(
            "<results>/report/report.html",
            category="Report",
            caption="../report/page.rst",
        ),
        table=report(
            "<results>/report/table.txt",
            category="Report",
            caption="../report/table.rst",
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        sha=lambda wildcards: text_sha(settings("report", "all")),
        metrics=[f"{name}={path}" for name, path in metrics()],
        histories=lambda wildcards: listed("--histories", histories()),
        coverage=[f"{dataset}={path}" for dataset, path in coverage_files("videos.csv")],
        classes=[f"{dataset}={path}" for dataset, path in coverage_files("classes.csv")],
        index=named(evaluated, "index", CONFIG.annotated),
        decode=named(evaluated, "decode", CONFIG.annotated),
        scores=score_flags(SHOWN)[1:],
        weights=lambda wildcards, input: optional("--weights", input.weights),
        attention=listed("--attention", relations()),
        bank=bank_claim(),
        benchmarks=lambda wildcards: f"benchmarks/{CONFIG.run}",
        results=lambda wildcards: RESULTS,
        folder=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m stages.report"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --metrics {params.metrics:q}"
        " --persons {input.persons:q}"
        " {params.histories:q}"
        " --coverage {params.coverage:q}"
        " --coverage-classes {params.classes:q}"
        " --index {params.index:q}"
        " --decode {params.decode:q}"
        " --scores {params.scores:q}"
        " {params.attention:q}"
        " --errors {input.errors:q}"
        " {params.weights:q}"
        " {params.bank:q}"
        " --benchmarks {params.benchmarks:q}"
        " --results {params.results:q}"
        " --configuration {input.configuration:q}"
        " --out-dir {params.folder:q}"
        " > {log:q} 2>&1"


rule annotate:
    """Csv of all detections, and each video with its people and actions drawn into it."""
    input:
        config="<results>/config/report/all.json",
        index=lambda wildcards: shards_of("index", [wildcards.dataset]),
        decode=lambda wildcards: shards_of("decode", [wildcards.dataset]),
        manifest=lambda wildcards: manifests(wildcards.dataset),
        detections=lambda wildcards: [boxes(wildcards.dataset, shard) for shard in SHARDS[wildcards.dataset]],
        scores=lambda wildcards: answers(wildcards.dataset),
    output:
        directory("<results>/annotate/{dataset}"),
    log:
        "<logs>/annotate/{dataset}.log",
    benchmark:
        "<benchmarks>/annotate/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        sha=lambda wildcards: text_sha(settings("report", "all")),
        warning=["--warn-playground"] if PLAYGROUND_WEIGHTS else [],
    shell:
        "python -m stages.report videos"
        " --config {input.config:q}"
        " --config-sha {params.sha}"
        " --refusal {log:q}.refused"
        " --index {input.index:q}"
        " --decode {input.decode:q}"
        " --detections {input.detections:q}"
        " --predictions {input.scores:q}"
        " --manifest {input.manifest:q}"
        " {params.warning:q}"
        " --out-dir {output:q}"
        " > {log:q} 2>&1"
