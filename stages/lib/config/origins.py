"""Who is made from whom: what a fine-tuned network names has to fit, and nothing may be made from itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from stages.lib.config.splits import FOLDS

if TYPE_CHECKING:
    from stages.lib.config.backbones import BackboneConfig
    from stages.lib.config.finetune import FinetuneConfig
    from stages.lib.config.heads import HeadConfig
    from stages.lib.config.root import Config

MappedKeyframes = Literal["all", "labelled", "evaluated"]
"""Which keyframes of an index: every one, those with labels and those to be evaluated, or the latter alone."""

Node = tuple[str, str]
"""A section of networks or banks, and a key in it."""


def backbones_in_use(config: Config) -> tuple[str, ...]:
    """Keys of the backbones that heads, and the banks which heads read, are made from, in alphabetical order."""
    banks = {head.memory.bank for head in config.heads.values() if head.memory}
    read = {head.backbone for head in config.heads.values()}
    return tuple(sorted(read | {config.banks[key].backbone for key in banks}))


def with_parents(config: Config) -> tuple[str, ...]:
    """The backbones in use, and those whose weights the fine-tuned among them start from, in alphabetical order."""
    found: set[str] = set()
    waiting = list(backbones_in_use(config))
    while waiting:
        key = waiting.pop()
        found.add(key)
        backbone = config.backbones[key]
        if backbone.finetune and not backbone.weights:
            waiting.append(backbone.finetune.backbone)
    return tuple(sorted(found))


def trained_backbones(config: Config) -> tuple[str, ...]:
    """Keys of the backbones that a run pre-trains or fine-tunes."""
    return tuple(key for key in with_parents(config) if not config.backbones[key].weights)


def mapped_keyframes(config: Config, backbone: str) -> MappedKeyframes:
    """The keyframes of which somebody reads a backbone's maps: a bank all, a head trained on them those with labels too.

    A head that is fine-tuned with its network, or given, reads maps to answer alone. Banks that no head reads count as well, so
    that leaving out a head makes no map anew.
    """
    if any(bank.backbone == backbone for bank in config.banks.values()):
        return "all"
    trained = any(
        head.backbone == backbone and config.is_trained_alone(key) for key, head in config.heads.items()
    )
    return "labelled" if trained else "evaluated"


def uses_folds(config: Config) -> bool:
    """Whether something is trained or fitted on one of the folds of val."""
    tuned = [config.backbones[key].finetune for key in with_parents(config)]
    named = [head.splits for head in config.heads.values()] + [recipe.splits for recipe in tuned if recipe]
    return any(fold in splits for splits in named for fold in FOLDS) or any(
        ensemble.fit_split in FOLDS for ensemble in config.ensembles.values()
    )


def check_finetuned(config: Config) -> None:
    """Raise a ValueError unless parents, heads and banks of the fine-tuned backbones fit them."""
    for key, backbone in config.backbones.items():
        if backbone.finetune is None:
            continue
        where = f"backbones.{key}.finetune"
        _check_parent(where, backbone, config.backbones[backbone.finetune.backbone])
        _check_own_head(where, key, backbone, config.heads[backbone.finetune.head])
        init = config.heads[backbone.finetune.head].init
        if init is not None and config.heads[init].backbone != backbone.finetune.backbone:
            raise ValueError(
                f"heads.{backbone.finetune.head}.init: heads.{init} reads another backbone than "
                f"{backbone.finetune.backbone}, whose weights {where} starts from"
            )


def _check_parent(where: str, backbone: BackboneConfig, parent: BackboneConfig) -> None:
    assert backbone.finetune is not None
    pairs = (
        ("architecture", backbone.architecture, parent.architecture),
        ("mean", backbone.mean, parent.mean),
        ("std", backbone.std, parent.std),
        ("sampling.slow_rule", backbone.sampling.slow_rule, parent.sampling.slow_rule),
    )
    for name, own, other in pairs:
        if own != other:
            raise ValueError(
                f"{where}.backbone: {name} is {own} here, but {other} in backbones.{backbone.finetune.backbone}, "
                "whose weights it starts from; give both the same"
            )


def _check_own_head(where: str, key: str, backbone: BackboneConfig, head: HeadConfig) -> None:
    recipe = backbone.finetune
    assert recipe is not None
    if head.backbone != key:
        raise ValueError(f"{where}.head: heads.{recipe.head} reads backbone {head.backbone}, not {key}")
    bank = head.memory.bank if head.memory else None
    if bank != recipe.bank:
        raise ValueError(
            f"{where}.bank: it is {recipe.bank or 'none'}, but heads.{recipe.head} reads {bank or 'none'}; name the same"
        )
    if backbone.weights is None:
        _check_trained_together(where, recipe, head)


def _check_trained_together(where: str, recipe: FinetuneConfig, head: HeadConfig) -> None:
    if head.weights is not None:
        raise ValueError(
            f"heads.{recipe.head}.weights: {where} trains this head; give the backbone's weights, too, or leave these out"
        )
    if head.seeds != (recipe.seed,):
        raise ValueError(
            f"heads.{recipe.head}.seeds: {where} trains this head with seed {recipe.seed} alone; "
            "another seed is another entry of backbones"
        )


def check_cycles(config: Config) -> None:
    """Raise a ValueError if a detector, backbone, bank or head is made, over any detour, from itself."""
    done: set[Node] = set()
    for section, keys in (
        ("detectors", config.detectors),
        ("heads", config.heads),
        ("banks", config.banks),
        ("backbones", config.backbones),
    ):
        for key in keys:
            _walk(config, (section, key), "", (), done)


def _walk(config: Config, node: Node, where: str, path: tuple[Node, ...], done: set[Node]) -> None:
    if node in path:
        chain = " from ".join(".".join(part) for part in (*path[path.index(node) :], node))
        raise ValueError(f"{where}: what is made from what comes back to {node[1]}: {chain}")
    if node in done:
        return
    for field, other in _made_from(config, node):
        _walk(config, other, field, (*path, node), done)
    done.add(node)


def _made_from(config: Config, node: Node) -> Iterator[tuple[str, Node]]:
    """(key of the configuration that says so, what this is made from)."""
    section, key = node
    where = f"{section}.{key}"
    if section == "detectors":
        detector = config.detectors[key]
        if detector.init:
            yield f"{where}.init", ("detectors", detector.init)
    elif section == "backbones":
        recipe = config.backbones[key].finetune
        if recipe:
            yield f"{where}.finetune.backbone", ("backbones", recipe.backbone)
            if recipe.bank:
                yield f"{where}.finetune.bank", ("banks", recipe.bank)
            init = config.heads[recipe.head].init
            if init:
                yield f"heads.{recipe.head}.init", ("heads", init)
    elif section == "banks":
        bank = config.banks[key]
        yield f"{where}.backbone", ("backbones", bank.backbone)
        if bank.head:
            yield f"{where}.head", ("heads", bank.head)
    else:
        head = config.heads[key]
        yield f"{where}.backbone", ("backbones", head.backbone)
        if head.init:
            yield f"{where}.init", ("heads", head.init)
        if head.memory:
            yield f"{where}.memory.bank", ("banks", head.memory.bank)
