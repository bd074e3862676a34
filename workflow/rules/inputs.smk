"""What the stages up to the ensemble read: pure functions of the configuration.

Weights and boxes that the configuration gives are inputs like any other: what they made is made anew when they change.
What would have made them is then not in the graph.
"""


def drawn_parts(dataset, *parts):
    """The folders of a drawn data set; nothing for others, whose files the manifest and the flags name."""
    folder = f"{RESULTS}/synthesize/{dataset}"
    return [f"{folder}/{part}" for part in parts] if CONFIG.datasets[dataset].synthesized else []


def shards_of(folder, datasets, shards=SHARDS):
    """The artifacts of a folder for every shard of the data sets, in one order that all rules share."""
    return [f"{RESULTS}/{folder}/{dataset}/{shard}.h5" for dataset in datasets for shard in shards[dataset]]


def evaluated(folder, datasets):
    """The same for the shards that models answer on."""
    return shards_of(folder, datasets, EVALUATED_SHARDS)


def named(paths_of, folder, datasets):
    """What `shards_of` or `evaluated` finds with the data set's name before each path: DATASET=FILE."""
    return [f"{dataset}={path}" for dataset in datasets for path in paths_of(folder, [dataset])]


def optional(flag, path):
    """The words of a flag that stands only where there is a file, or a list of them, to give it."""
    paths = [path] if isinstance(path, str) else list(path or [])
    return [flag, *paths] if paths else []


def listed(flag, paths):
    """FLAG NAME=FILE NAME=FILE... from a mapping or pairs, or nothing."""
    pairs = paths.items() if hasattr(paths, "items") else paths
    return [flag, *(f"{name}={path}" for name, path in pairs)] if pairs else []


# ---- videos and annotations ----


def annotation_files(dataset):
    data = SOURCES[dataset]
    if data.synthesized:
        return drawn_parts(dataset, "annotations")
    return [
        *data.annotations.values(),
        *data.excluded.values(),
        *filter(None, [data.included, data.labelmap]),
    ]


def annotation_flags(dataset):
    data = SOURCES[dataset]
    flags = listed("--annotations", data.annotations) + listed("--excluded", data.excluded)
    return flags + optional("--included", data.included) + optional("--labelmap", data.labelmap)


def manifests(dataset):
    """The lists of videos of all shards."""
    return [f"{RESULTS}/manifest/{dataset}/{shard}.tsv" for shard in SHARDS[dataset]]


def class_files(backbone):
    dataset = CONFIG.backbones[backbone].pretrain.dataset
    return drawn_parts(dataset, "videos", "annotations") or list(SOURCES[dataset].classes.values())


def is_pretrained_on(dataset):
    """Whether a backbone waits for the videos of a data set; the others are drawn beside it."""
    return any(chosen.pretrain and chosen.pretrain.dataset == dataset for chosen in CONFIG.backbones.values())


def is_awaited(head):
    """Whether a bank or another head is made from a head; those are trained before the others."""
    made_from = [bank.head for bank in CONFIG.banks.values()] + [
        other.init for other in CONFIG.heads.values()
    ]
    return head in made_from


def is_archived(backbone):
    """Whether a bank is made from a network's maps; those are made before the others."""
    return any(bank.backbone == backbone for bank in CONFIG.banks.values())


def class_source(backbone):
    return SOURCES[CONFIG.backbones[backbone].pretrain.dataset]


def state_of_videos(dataset, shard):
    """Sizes and times of a shard's own videos: a replaced one re-runs its shard. Not for sheets, which may be huge."""
    if CONFIG.datasets[dataset].format != "videos":
        return None
    paths = [Path(video.path) for video in videos(dataset)[shard]]
    stats = [path.stat() for path in paths if path.is_file()]
    return text_sha(canonical_json({"videos": [[stat.st_size, stat.st_mtime_ns] for stat in stats]}))


# ---- weights ----


def made(stage, variant):
    return f"{RESULTS}/{stage}/{variant}/weights.safetensors"


def detector_weights(detector):
    given = CONFIG.detectors[detector].weights
    return given or made("train_detector", detector)


def backbone_weights(backbone):
    chosen = CONFIG.backbones[backbone]
    return chosen.weights or made("finetune" if chosen.finetune else "pretrain", backbone)


def head_weights(head, seed):
    chosen = CONFIG.heads[head]
    if CONFIG.is_finetuned(head):
        return f"{RESULTS}/finetune/{chosen.backbone}/head.safetensors"
    return chosen.weights or made("train", f"{head}/seed{seed}")


def initial_detector(detector):
    init = CONFIG.detectors[detector].init
    return detector_weights(init) if init else []


def initial_head(head, seed):
    init = CONFIG.heads[head].init
    return head_weights(init, seed) if init else []


def head_of_bank(bank):
    chosen = CONFIG.banks[bank]
    return head_weights(chosen.head, chosen.head_seed) if chosen.head else []


# ---- artifacts of one shard ----


def box_origin(detector, dataset):
    """What detect reads its boxes from: the detector's weights, or the csv with given boxes."""
    return CONFIG.datasets[dataset].boxes if detector == "given" else detector_weights(detector)


def names_for_boxes(detector, dataset):
    """The names that a csv with given boxes may hold: those of all shards. (Ancient: a new video runs its own shard.)"""
    return manifests(dataset) if detector == "given" else []


def boxes(dataset, shard):
    return f"{RESULTS}/detect/{CONFIG.datasets[dataset].detector or 'given'}/{dataset}/{shard}.h5"


def index(dataset, shard):
    return f"{RESULTS}/index/{dataset}/{shard}.h5"


def frames(dataset, shard):
    return f"{RESULTS}/decode/{dataset}/{shard}.h5"


def maps(backbone, dataset, shard):
    return f"{RESULTS}/extract/{backbone}/{dataset}/{shard}.h5"


VIEWS_FILE = "<results>/extract/{backbone}/{dataset}/{shard}.views.h5"
OTHER_VIEWS = {"views": VIEWS_FILE if CONFIG.extract.keep_views else temp(VIEWS_FILE)}
if len(CONFIG.extract.views) == 1:
    OTHER_VIEWS = {}


def other_views(backbone, dataset, shard):
    return f"{RESULTS}/extract/{backbone}/{dataset}/{shard}.views.h5" if OTHER_VIEWS else []


def bank_of(head, dataset, shard):
    memory = CONFIG.heads[head].memory
    return archived(memory.bank, dataset, shard) if memory else []


# ---- artifacts of many shards ----


def of_shards(artifact, shards):
    """`artifact(dataset, shard)` for all these shards of data sets, in the order of `shards_of`."""
    return [artifact(dataset, shard) for dataset, names in shards.items() for shard in names]


def training_shards(recipe):
    """The shards of each data set that a head or a network is trained on, and those of val, on which it is watched."""
    splits = official_splits(recipe.splits) | {"val"}
    return {
        dataset: shards_with(CONFIG.datasets[dataset], splits) for dataset in CONFIG.training_sets(recipe)
    }


def training(artifact, head):
    """`artifact(dataset, shard)` for all shards that a head is trained on."""
    return of_shards(artifact, training_shards(CONFIG.heads[head]))


def recipe_of(backbone):
    """How a backbone is fine-tuned."""
    return CONFIG.backbones[backbone].finetune


def tuning(artifact, backbone):
    """`artifact(dataset, shard)` for all shards that a backbone is fine-tuned on."""
    return of_shards(artifact, training_shards(recipe_of(backbone)))


def archived(bank, dataset, shard):
    return f"{RESULTS}/bank/{bank}/{dataset}/{shard}.h5"


def bank_in_tuning(backbone):
    bank = recipe_of(backbone).bank
    return tuning(functools.partial(archived, bank), backbone) if bank else []


def dataset_words(recipe):
    """--datasets and the data set of each shard that is trained on, where these are mixed or have scores of their own."""
    if not recipe.ratio and not recipe.recipe.box_scores:
        return []
    return ["--datasets", *of_shards(lambda dataset, shard: dataset, training_shards(recipe))]


def members(ensemble):
    """(MEMBER, folder of its predictions) of an ensemble."""
    parts = [(member, member_parts(member)) for member in CONFIG.ensembles[ensemble].members]
    return [(member, f"predict/{head}/seed{seed}") for member, (head, seed) in parts]


def member_words(ensemble):
    """The flags that name the files of all members: predictions of heads, and csv files."""
    heads = [
        f"{member}={path}"
        for member, folder in members(ensemble)
        for path in named(evaluated, folder, CONFIG.datasets)
    ]
    files = [f"{name}={path}" for name, path in CONFIG.ensembles[ensemble].csv.items()]
    return [*(["--predictions", *heads] if heads else []), *(["--csv", *files] if files else [])]
