"""config and manifest: the parts of the configuration as files, rewritten only when their own text changes.

config      results/<run>/config/<stage>/<variant>.json    only the keys that this stage reads for this variant
manifest    results/<run>/manifest/<dataset>/<shard>.tsv   the videos of one shard
"""


rule config:
    """The settings of one stage for one variant."""
    output:
        "<results>/config/{stage}/{variant}.json",
    log:
        "<logs>/config/{stage}/{variant}.log",
    wildcard_constraints:
        stage="[a-z_]+",
        variant="[a-z0-9][a-z0-9-]*",
    priority: 3  # before the first stage starts, so that of all stages the most awaited one does
    localrule: True
    conda:
        "../../environment.yml"
    params:
        text=lambda wildcards: settings(wildcards.stage, wildcards.variant),
    shell:
        "printf '%s\\n' {params.text:q} > {output:q}.part 2> {log:q} && mv {output:q}.part {output:q} 2>> {log:q}"


rule manifest:
    """The list of a shard's videos; a printf of the shell has no limit of length, a command's argument has."""
    output:
        "<results>/manifest/{dataset}/{shard}.tsv",
    log:
        "<logs>/manifest/{dataset}/{shard}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        text=lambda wildcards: sheets.manifest_text(videos(wildcards.dataset)[wildcards.shard]),
    shell:
        "printf %s {params.text:q} > {output:q}.part 2> {log:q} && mv {output:q}.part {output:q} 2>> {log:q}"
