"""What is asked for, evaluated and shown: pure functions of the configuration, over those of inputs.smk."""

# ---- what is evaluated ----

HEADS = [f"{key}/seed{seed}" for key, head in CONFIG.heads.items() for seed in head.seeds]
MODELS = [*HEADS, *CONFIG.ensembles]
OFFICIAL = [
    split
    for split in ("val", "test")
    if any(split in SOURCES[dataset].annotations for dataset in CONFIG.annotated)
]
# What is trained or fitted on one fold of val is measured on either, too.
EVALUATED = [*OFFICIAL, *(FOLDS if uses_folds(CONFIG) and "val" in OFFICIAL else [])]

KINDS = next((data.kinds for data in SOURCES.values() if data.kinds), None)


def evaluated_annotations():
    """The csv files of the evaluated splits, which know the exact times of their keyframes."""
    sources = [SOURCES[dataset].annotations for dataset in CONFIG.annotated]
    return [files[split] for files in sources for split in EVALUATED if split in files]


def scores(model):
    """The files with a model's scores on the annotated data sets: predictions of a head, fused scores of an ensemble."""
    return [words.partition("=")[2] for words in score_flags(model)[1:]]


def coverage_files(name):
    """(data set, file) of what became of the annotated videos: a file of the rule coverage for each data set."""
    return [(dataset, f"{RESULTS}/coverage/{dataset}/{name}") for dataset in CONFIG.annotated]


def score_flags(model):
    """--predictions or --scores, and DATASET=FILE for each file."""
    if model not in CONFIG.ensembles:
        return ["--predictions", *named(evaluated, f"predict/{model}", CONFIG.annotated)]
    fused = f"{RESULTS}/ensemble/{model}"
    return ["--scores", *(f"{dataset}={fused}/{dataset}.h5" for dataset in CONFIG.annotated)]


def view_choices(model):
    """What is scored: each view alone, all views by probabilities, all by logits. An ensemble has fused its views already."""
    if not OTHER_VIEWS or model in CONFIG.ensembles:
        return ["all"]
    return [*CONFIG.extract.views, "all:prob", "all"]


def kinds_files():
    """The csv with the kinds of classes: part of the drawn folder, or a file of its own."""
    for dataset, data in SOURCES.items():
        if KINDS is not None and data.kinds == KINDS:
            return drawn_parts(dataset, "annotations") or [KINDS]
    return []


def person_boxes():
    """(data set, file) of the person boxes that are measured."""
    return [
        (dataset, boxes(dataset, shard))
        for dataset in CONFIG.annotated
        for shard in EVALUATED_SHARDS[dataset]
    ]


def compared_boxes():
    """(DETECTOR=DATASET, file) of the boxes of further detectors, which are only measured."""
    return [
        (f"{detector}={dataset}", path)
        for dataset in CONFIG.annotated
        for detector in CONFIG.datasets[dataset].compare_detectors
        for path in evaluated(f"detect/{detector}", [dataset])
    ]


# ---- what is shown ----

OWN = [dataset for dataset in CONFIG.datasets if dataset not in CONFIG.annotated]
REPORTS = [f"{RESULTS}/report/report.html"] if CONFIG.annotated else []
ANNOTATED = [f"{RESULTS}/annotate/{dataset}" for dataset in OWN]
# The model whose answers are shown in pictures and videos: the first ensemble, else the last head.
SHOWN = next(iter(CONFIG.ensembles), HEADS[-1])
PLAYGROUND_WEIGHTS = [path for key, path, _ in given_paths(CONFIG) if path.startswith("results/playground/")]


# The head, with its first seed, whose relations are shown; empty where no head has any.
RELATION = (
    f"{CONFIG.relation_head}/seed{CONFIG.heads[CONFIG.relation_head].seeds[0]}"
    if CONFIG.relation_head
    else ""
)


def relations():
    """(data set, file) of the people whose relations are shown."""
    datasets = CONFIG.annotated if RELATION else ()
    return [(dataset, f"{RESULTS}/attention/{dataset}.h5") for dataset in datasets]


def metrics():
    """(head or ensemble, its metrics), several times the same head where it has several seeds."""
    return [(Path(model).parts[0], f"{RESULTS}/evaluate/{model}/metrics.json") for model in MODELS]


def histories():
    """(stage/variant, history) of everything that is trained in this run."""
    heads = {key: head for key, head in CONFIG.heads.items() if CONFIG.is_trained_alone(key)}
    names = [f"pretrain/{key}" for key in pretrained_backbones(CONFIG)]
    names += [f"finetune/{key}" for key in finetuned_backbones(CONFIG)]
    names += [f"train_detector/{key}" for key in trained_detectors(CONFIG)]
    found = [(name, f"{RESULTS}/{name}/history.json") for name in names]
    for key, head in heads.items():
        found += [
            (f"train/{key}", f"{RESULTS}/train/{key}/seed{seed}/history.json") for seed in head.seeds[:1]
        ]
    return found


def answers(dataset):
    """The files with what the shown model says about a data set."""
    if SHOWN in CONFIG.ensembles:
        return [f"{RESULTS}/ensemble/{SHOWN}/{dataset}.h5"]
    return evaluated(f"predict/{SHOWN}", [dataset])


def bank_claim():
    """--bank WITH CONTROL BASE: a head with a bank, the same with a window of nothing, and the head both start from."""
    for key, head in CONFIG.heads.items():
        if not (head.memory and head.memory.window and head.init):
            continue
        for control, other in CONFIG.heads.items():
            same = other.memory and other.memory.window == 0 and other.memory.bank == head.memory.bank
            if same and other.init == head.init:
                return ["--bank", key, control, head.init]
    return []
