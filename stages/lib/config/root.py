"""The whole configuration: every section, and the checks between sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from stages.lib.config.backbones import BackboneConfig, ExtractConfig
from stages.lib.config.base import Section
from stages.lib.config.datasets import DatasetConfig
from stages.lib.config.decode import DecodeConfig
from stages.lib.config.detectors import DetectorConfig
from stages.lib.config.ensemble import EnsembleConfig
from stages.lib.config.evaluate import EvaluateConfig
from stages.lib.config.finetune import FinetuneConfig
from stages.lib.config.heads import BankConfig, HeadConfig
from stages.lib.config.origins import check_cycles, check_finetuned
from stages.lib.config.report import ReportConfig
from stages.lib.config.synthesize import SynthesizeConfig
from stages.lib.config.types import Key, Scores


class Config(Section):
    """One run: `results/<run>/` and everything in it."""

    run: Key = Field(description="name of the run: results go to results/<run>/")
    threads: int = Field(
        default=2, ge=1, description="torch threads of every stage; part of what makes results equal"
    )
    videos: str | None = Field(
        default=None, description="folder of the data sets of format videos that name none"
    )
    datasets: dict[Key, DatasetConfig] = Field(min_length=1, description="data sets")
    synthesize: SynthesizeConfig = Field(default=SynthesizeConfig(), description="the drawn world")
    decode: DecodeConfig = Field(default=DecodeConfig(), description="the frame cache")
    detectors: dict[Key, DetectorConfig] = Field(default={}, description="person detectors")
    backbones: dict[Key, BackboneConfig] = Field(min_length=1, description="SlowFast backbones")
    extract: ExtractConfig = Field(default=ExtractConfig(), description="the map cache")
    banks: dict[Key, BankConfig] = Field(default={}, description="long-term feature banks")
    heads: dict[Key, HeadConfig] = Field(min_length=1, description="relation heads")
    ensembles: dict[Key, EnsembleConfig] = Field(default={}, description="ensembles of heads")
    evaluate: EvaluateConfig = Field(default=EvaluateConfig(), description="the metric")
    report: ReportConfig = Field(default=ReportConfig(), description="the report")

    @property
    def annotated(self) -> tuple[str, ...]:
        """Keys of the data sets that have ground truth."""
        return tuple(key for key, data in self.datasets.items() if data.format != "videos")

    @property
    def detectors_in_use(self) -> tuple[str, ...]:
        """Keys of the detectors that some data set runs, its own or one to compare with, in alphabetical order."""
        keys = {key for data in self.datasets.values() for key in (data.detector, *data.compare_detectors)}
        return tuple(sorted(key for key in keys if key is not None))

    @property
    def relation_head(self) -> str | None:
        """Key of the head whose relations the report shows: the first of kind acar, else the first ACAR with a bank."""
        acar = [key for key, head in self.heads.items() if head.kind.startswith("acar")]
        plain = [key for key in acar if self.heads[key].kind == "acar"]
        return next(iter(plain + acar), None) if self.report.relations else None

    def is_finetuned(self, head: str) -> bool:
        """Whether a head is trained end to end with its backbone in this run, and not on cached maps."""
        backbone = self.backbones[self.heads[head].backbone]
        return backbone.weights is None and backbone.finetune is not None and backbone.finetune.head == head

    def is_trained_alone(self, head: str) -> bool:
        """Whether this run trains a head on cached maps."""
        return self.heads[head].weights is None and not self.is_finetuned(head)

    def reads_foreign_bank(self, head: HeadConfig) -> bool:
        """Whether a head's bank was archived by another network: the one that the head's own was fine-tuned with."""
        recipe = self.backbones[head.backbone].finetune
        return bool(head.memory and recipe and recipe.bank == head.memory.bank)

    def training_sets(self, recipe: HeadConfig | FinetuneConfig) -> tuple[str, ...]:
        """Keys of the data sets a head, or a whole network, is trained on."""
        return recipe.datasets or self.annotated

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        for key, data in self.datasets.items():
            _known(f"datasets.{key}.detector", data.detector, self.detectors)
            for other in data.compare_detectors:
                _known(f"datasets.{key}.compare_detectors", other, self.detectors)
        for key, detector in self.detectors.items():
            _known(f"detectors.{key}.dataset", detector.dataset, self.datasets)
            _known(f"detectors.{key}.init", detector.init, self.detectors)
        for key, backbone in self.backbones.items():
            if backbone.pretrain:
                _known(f"backbones.{key}.pretrain.dataset", backbone.pretrain.dataset, self.datasets)
            if backbone.finetune:
                self._check_finetune(f"backbones.{key}.finetune", backbone.finetune)
                if backbone.weights is None:
                    self._check_groups(f"backbones.{key}.finetune", backbone.finetune)
        for key, bank in self.banks.items():
            _known(f"banks.{key}.backbone", bank.backbone, self.backbones)
            _known(f"banks.{key}.head", bank.head, self.heads)
            self._check_scores(f"banks.{key}.min_scores", bank.min_scores)
        for key, head in self.heads.items():
            self._check_head(key, head)
        for key, ensemble in self.ensembles.items():
            for member in ensemble.members:
                self._check_member(key, member)
        return self

    def _check_finetune(self, where: str, recipe: FinetuneConfig) -> None:
        _known(f"{where}.backbone", recipe.backbone, self.backbones)
        _known(f"{where}.head", recipe.head, self.heads)
        _known(f"{where}.bank", recipe.bank, self.banks)
        self._check_sets(where, recipe)

    def _check_sets(self, where: str, recipe: HeadConfig | FinetuneConfig) -> None:
        for dataset in recipe.datasets:
            _known(f"{where}.datasets", dataset, self.datasets)
        self._check_scores(f"{where}.recipe.box_scores", recipe.recipe.box_scores)
        for dataset in recipe.ratio:
            if dataset not in self.training_sets(recipe):
                raise ValueError(f"{where}.ratio: {dataset} is none of the data sets that are trained on")

    def _check_scores(self, where: str, scores: Scores) -> None:
        for dataset in scores:
            _known(where, dataset, self.datasets)

    def _check_head(self, key: str, head: HeadConfig) -> None:
        _known(f"heads.{key}.backbone", head.backbone, self.backbones)
        _known(f"heads.{key}.init", head.init, self.heads)
        self._check_sets(f"heads.{key}", head)
        self._check_scores(f"heads.{key}.min_scores", head.min_scores)
        if self.is_trained_alone(key):
            self._check_groups(f"heads.{key}", head)
        if head.init and not set(head.seeds) <= set(self.heads[head.init].seeds):
            raise ValueError(
                f"heads.{key}.seeds: heads.{head.init}, which it starts from, lacks some of these seeds"
            )
        if head.memory is None:
            return
        _known(f"heads.{key}.memory.bank", head.memory.bank, self.banks)
        bank = self.banks[head.memory.bank]
        if not head.kind.endswith(bank.kind):
            raise ValueError(
                f"heads.{key}.memory.bank: kind {head.kind} cannot read a bank of kind {bank.kind}"
            )
        if bank.backbone != head.backbone and not self.reads_foreign_bank(head):
            raise ValueError(
                f"heads.{key}.memory.bank: banks.{head.memory.bank} archives another backbone's maps"
            )
        # Given weights bring sizes and pooling of their own, which the stages compare.
        if head.weights is None:
            self._check_fit(key, head, bank, f"banks.{head.memory.bank}")

    def _check_groups(self, where: str, recipe: HeadConfig | FinetuneConfig) -> None:
        """A head has one softmax per group, whichever data set a person is from."""
        names = self.training_sets(recipe)
        differing = [
            name for name in names if self.datasets[name].exclusive != self.datasets[names[0]].exclusive
        ]
        if differing:
            raise ValueError(
                f"{where}.datasets: {names[0]} and {differing[0]} differ in `exclusive`; give both the same"
            )

    def _check_fit(self, key: str, head: HeadConfig, bank: BankConfig, where: str) -> None:
        """The live actors and the archived ones must be made alike."""
        if bank.kind == "afb":
            for name, own, other in (
                ("roi_aligned", head.roi_aligned, bank.roi_aligned),
                ("roi_scale", head.roi_scale, bank.roi_scale),
            ):
                if own != other:
                    raise ValueError(
                        f"heads.{key}.{name}: it is {own}, but {other} in {where}, whose actors the head reads; "
                        "give both the same"
                    )
            return
        maker = self.heads.get(bank.head or "")
        if maker is not None and maker.weights is None and maker.hidden != head.hidden:
            raise ValueError(
                f"heads.{key}.hidden: it is {head.hidden}, but {maker.hidden} in heads.{bank.head}, "
                f"which makes the maps of {where}; give both the same"
            )

    def _check_member(self, ensemble: str, member: str) -> None:
        key, _, seed = member.partition(":")
        _known(f"ensembles.{ensemble}.members", key, self.heads)
        if int(seed or 0) not in self.heads[key].seeds:
            raise ValueError(
                f"ensembles.{ensemble}.members: heads.{key} is not trained with seed {seed or 0}"
            )

    @model_validator(mode="after")
    def _check_banks(self) -> Self:
        for key, bank in self.banks.items():
            if bank.head is None:
                continue
            head = self.heads[bank.head]
            if head.kind != "acar":
                raise ValueError(
                    f"banks.{key}.head: heads.{bank.head} is of kind {head.kind}; an acfb bank needs kind acar"
                )
            if head.backbone != bank.backbone:
                raise ValueError(f"banks.{key}.head: heads.{bank.head} reads another backbone")
            if bank.head_seed not in head.seeds:
                raise ValueError(
                    f"banks.{key}.head_seed: heads.{bank.head} is not trained with seed {bank.head_seed}"
                )
        return self

    @model_validator(mode="after")
    def _check_origins(self) -> Self:
        check_finetuned(self)
        check_cycles(self)
        return self

    @model_validator(mode="after")
    def _check_views(self) -> Self:
        largest = max(int(view.removesuffix("-flip")[1:]) for view in self.extract.views)
        if self.decode.short_side < largest:
            raise ValueError(
                f"decode.short_side: {self.decode.short_side} is below the largest view, {largest}"
            )
        return self


def _known(where: str, key: str | None, table: Mapping[str, object]) -> None:
    if key is not None and key not in table:
        raise ValueError(f"{where}: there is no {key!r}; known: {', '.join(sorted(table)) or 'none'}")
