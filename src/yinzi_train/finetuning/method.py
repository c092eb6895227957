"""Tune a trained model: what the training loop is told by `[finetuning]`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from yinzi.errors import ConfigError
from yinzi.scoring import InputVocabulary
from yinzi_train.dataset.balance import class_weights
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import Dataset, open_dataset
from yinzi_train.dataset.sampling import Sampler, SamplingOptions, Shards
from yinzi_train.dataset.storage import atomic_path, read_json, write_json
from yinzi_train.dataset.units import ReportProgress
from yinzi_train.finetuning.adapters import Adapter, adapted_modules, add_adapter
from yinzi_train.finetuning.batches import AnnotatingCollator, MixedStream
from yinzi_train.finetuning.dataset_checks import count_pairs
from yinzi_train.finetuning.layers import TrainedParameter, plan_parameters
from yinzi_train.finetuning.n_best import ListedStream, ListPacker, measure_lists
from yinzi_train.finetuning.replay import (
    keep_replay,
    read_replay_validation,
    read_replay_weights,
)
from yinzi_train.finetuning.start import Start
from yinzi_train.finetuning.tasks import ANNOTATIONS, HEADS, MultiTaskModel
from yinzi_train.model import ConversionModel
from yinzi_train.model.families import (
    build_model,
    load_checkpoint,
    save_checkpoint,
    vocabulary_digest,
)
from yinzi_train.n_best import NBestLists, open_lists
from yinzi_train.training.config import TrainingConfig, TrainingOptions
from yinzi_train.training.data import TrainingData, prepare_data
from yinzi_train.training.evaluation import validation_evaluation
from yinzi_train.training.finetuning_options import FinetuningOptions
from yinzi_train.training.method import TrainingMethod, is_ngram_table
from yinzi_train.training.stream import BatchStream, RowCollator

__all__ = [
    "ADAPTER_NAME",
    "PARAMETERS_NAME",
    "START_NAME",
    "TRAINED_NAME",
    "Finetuning",
    "read_report",
]

logger = logging.getLogger(__name__)

START_NAME: Final = "start"
"""Folder of a run with the model that it begins with."""
ADAPTER_NAME: Final = "adapter"
PARAMETERS_NAME: Final = "parameters.json"
"""File of a run that tells which parameters train."""

_MADE_FROM: Final = "start.made-from.json"
_CLASS_WEIGHTS: Final = "class_weights.npy"
TRAINED_NAME: Final = "trained.safetensors"
_MODEL: Final = "model."


class Finetuning(TrainingMethod):
    """See `FinetuningOptions` for what it does.

    What is trained is a `MultiTaskModel` around the model, also when there is one task. Checkpoints
    have the plain model, adapters merged; with adapters or heads also `trained.safetensors`, all
    that trains as it is, for resuming.
    """

    def __init__(self, start: Start, options: FinetuningOptions) -> None:
        """Check that the options fit the model.

        Raises:
            ConfigError: see `plan_parameters` and `adapted_modules`; or the teacher has other
                vocabularies.
            DatasetError: the dataset to replay cannot be opened.
        """
        self.options = options
        self._start = start
        self._adapter: Adapter | None = None
        self._plan: list[TrainedParameter] = []
        self._folder = Path()
        self._lists: NBestLists | None = None
        self._check_lists()
        modules: Sequence[str] = ()
        if options.method == "adapter":
            modules = adapted_modules(start.example, options.adapter)
        plan_parameters(start.example, options, added=modules)  # says what does not fit
        self._replay = open_dataset(options.replay.data) if options.replay.data else None
        teacher = options.distillation.teacher
        self._teacher = load_checkpoint(Path(teacher)).model if teacher else None
        if start.checkpoint is not None:
            self._check_teacher(start.checkpoint.model)

    @property
    def remedies(self) -> str:
        """See `TrainingMethod`."""
        return (
            "; of fine-tuning, try also finetuning.layer_decay=0.5, fewer parameters "
            "(finetuning.method=last_layers or adapter), or a lower finetuning.class_weight_"
            "exponent, as it is set"
        )

    def check(self, config: TrainingConfig) -> None:
        """Check settings that clash.

        Raises:
            ConfigError: they do.
        """
        tasks, replay = self.options.tasks, self.options.replay
        if config.training.initial_model:
            raise ConfigError(
                "training.initial_model is set: a run of fine-tuning begins with --model, remove it"
            )
        if (tasks.readings or tasks.masked_hanzi) and not config.collator.context_rate:
            raise ConfigError(
                "finetuning.tasks.readings and masked_hanzi learn from hanzi of the left context, "
                "but collator.context_rate is 0: set it above 0"
            )
        if replay.data and self._n_replayed(config) in {0, config.training.rows_per_batch}:
            raise ConfigError(
                f"finetuning.replay.share {replay.share} of {config.training.rows_per_batch} rows "
                "leaves one of the datasets without a row: raise training.rows_per_batch"
            )

    def prepare(
        self,
        dataset: Dataset,
        config: TrainingConfig,
        folder: Path,
        *,
        on_progress: ReportProgress = lambda n_done, n_total: None,
    ) -> TrainingData:
        """Make what the run reads, among it the model to begin with."""
        found = self._start.checkpoint
        given = None if found is None else (found.vocab, found.pairs)
        prepared = prepare_data(
            dataset, config, folder, vocabularies=given, on_progress=on_progress
        )
        self._folder = folder
        self._keep_start(prepared)
        if self._replay is not None:
            keep_replay(self._replay, folder, n_validation=self._n_validation(config))
        weights_path = folder / _CLASS_WEIGHTS
        if self.options.class_weight_exponent:
            if not weights_path.is_file():
                weights = self._class_weights(dataset, prepared.pairs)
                with atomic_path(weights_path) as part, part.open("wb") as file:
                    np.save(file, weights)
            prepared = replace(prepared, class_weights=np.load(weights_path))
        return prepared

    def _keep_start(self, prepared: TrainingData) -> None:
        """Write the model to begin with; a resumed run takes it from there."""
        folder = self._folder
        made_from = {
            "weights": self._start.digest,
            "vocabulary": vocabulary_digest(prepared.vocab, prepared.pairs),
        }
        known = read_json(folder / _MADE_FROM)
        if known is not None:
            if known["weights"] != made_from["weights"]:
                raise ConfigError(
                    f"the run in {str(folder)!r} began with other weights than those of --model: "
                    "give the same model, or begin another run in a new folder"
                )
            return
        found = self._start.checkpoint
        if found is not None:
            model = found.model
        else:
            torch.manual_seed(prepared.config.training.seed)
            config = self._start.config
            model = build_model(config.family, config.sizes, prepared.vocab, prepared.pairs)
        save_checkpoint(model, prepared.vocab, prepared.pairs, folder / START_NAME)
        write_json(folder / _MADE_FROM, made_from)

    def make_model(self, prepared: TrainingData) -> nn.Module:
        """Return the model with its heads and adapters; what does not train is frozen."""
        model = load_checkpoint(self._folder / START_NAME).model
        self._check_teacher(model)
        torch.manual_seed(prepared.config.training.seed)
        if self.options.method == "adapter":
            self._adapter = add_adapter(model, self.options.adapter)
        whole = MultiTaskModel(
            model,
            prepared.vocab,
            self.options.tasks,
            teacher=self._teacher,
            distillation=self.options.distillation,
            n_best_weight=self.options.n_best.weight if self.options.n_best.data else 0.0,
        )
        adapted = () if self._adapter is None else self._adapter.names
        self._plan = plan_parameters(
            model,
            self.options,
            adapted=adapted,
            added=[name for name, _ in whole.named_parameters() if name.startswith(HEADS)],
        )
        trained = {_full_name(one) for one in self._plan}
        for name, parameter in whole.named_parameters():
            parameter.requires_grad_(name in trained)
        return whole.train()

    def conversion_model(self, model: nn.Module) -> ConversionModel:
        """See `TrainingMethod`."""
        assert isinstance(model, MultiTaskModel)
        return model.model

    def stream(
        self, prepared: TrainingData, model: nn.Module, *, rank: int, n_ranks: int
    ) -> BatchStream:
        """Return the batches of a process; the first one also writes which parameters train."""
        if rank == 0:
            self._report(model)
        config, tasks = prepared.config, self.options.tasks
        annotates = bool(tasks.tones or tasks.readings)
        pack = prepared.packer(
            self.conversion_model(model), further=ANNOTATIONS if annotates else ()
        )
        n_replayed = self._n_replayed(config)
        own_rows = config.training.rows_per_batch - n_replayed
        plain = prepared.collator(class_weights=prepared.class_weights)
        collator: RowCollator = AnnotatingCollator(plain) if annotates else plain
        order = config.sampling
        own = BatchStream(
            Sampler(
                prepared.shards,
                weights=prepared.weights,
                options=SamplingOptions(order.seed, order.pool_groups, rank, n_ranks),
            ),
            collator,
            pack,
            rows_per_batch=own_rows,
        )
        if self._replay is not None:
            options = SamplingOptions(order.seed, self.options.replay.pool_groups, rank, n_ranks)
            sampler = Sampler(
                Shards.from_paths(self._replay.shard_paths),
                weights=read_replay_weights(self._folder),
                options=options,
            )
            replayed = BatchStream(sampler, collator, pack, rows_per_batch=n_replayed)
            own = MixedStream(own, replayed, collator, pack)
        packer = self._list_packer(prepared, model)
        if packer is None:
            return own
        if rank == 0:
            _tell_passes(packer, config.training, n_ranks=n_ranks)
        return ListedStream(own, packer, seed=order.seed, rank=rank, n_ranks=n_ranks)

    def _list_packer(self, prepared: TrainingData, model: nn.Module) -> ListPacker | None:
        """Return what makes batches of candidate lists, None without lists."""
        options = self.options.n_best
        if not options.data:
            return None
        pack = prepared.packer(self.conversion_model(model), further=("list_place",))
        lists = self._open_lists(prepared.pairs)
        return ListPacker(lists, prepared.vocab, prepared.pairs.log_counts, pack, options)

    def _open_lists(self, pairs: PairVocabulary) -> NBestLists:
        """Return the candidate lists; they are read once.

        Raises:
            ConfigError: there are no finished lists, or only so many as are held out.
        """
        options = self.options.n_best
        if self._lists is None:
            self._lists = open_lists(options.data, pairs)
        if len(self._lists) <= options.held_out:
            raise ConfigError(
                f"finetuning.n_best.data {options.data!r} has {len(self._lists):,} lists and "
                f"finetuning.n_best.held_out is {options.held_out:,}: hold fewer out, or make more"
            )
        return self._lists

    def _check_lists(self) -> None:
        """Refuse lists that cannot be learnt from, before anything else is done."""
        start = self._start
        if not self.options.n_best.data:
            return
        if not start.example.is_one_pass:
            raise ConfigError(
                "finetuning.n_best is for models of one pass (families encoder and bert), not for "
                f"a {type(start.example).__name__}: remove finetuning.n_best.data"
            )
        if start.checkpoint is not None:
            self._open_lists(start.checkpoint.pairs)

    def parameter_groups(self, model: nn.Module, options: TrainingOptions) -> list[dict[str, Any]]:
        """Return a group for each block and kind of parameter, those of the output first."""
        parameters = dict(model.named_parameters())
        groups: dict[tuple[str, str], dict[str, Any]] = {}
        for one in self._plan:
            parameter = parameters[_full_name(one)]
            is_table = is_ngram_table(one.name)
            decays = parameter.dim() > 1 and not is_table and "ia3_" not in one.name
            rate = options.learning_rate * one.factor
            kind = "table" if is_table else "matrix" if decays else "vector"
            group = groups.setdefault(
                (one.block, kind),
                {
                    "params": [],
                    "weight_decay": options.weight_decay if decays else 0.0,
                    "lr": rate * options.ngram_learning_rate if is_table else rate,
                },
            )
            group["params"].append(parameter)
        return list(groups.values())

    def before_update(self, model: nn.Module, step: int) -> None:
        """Drop the gradients of what has not begun to train: it stays as it is, to the bit.

        They are computed nonetheless: processes that train together agree on what they exchange
        before the first step.
        """
        waiting = {_full_name(one) for one in self._plan if one.first_step > step}
        if waiting:
            for name, parameter in model.named_parameters():
                if name in waiting:
                    parameter.grad = None

    def write(
        self, model: nn.Module, vocab: InputVocabulary, pairs: PairVocabulary, folder: Path
    ) -> None:
        """Write the plain model, heads left out and the adapter merged; and the adapter alone."""
        assert isinstance(model, MultiTaskModel)
        plain = model.model if self._adapter is None else self._adapter.merged()
        save_checkpoint(plain, vocab, pairs, folder)
        if self._adapter is not None:
            self._adapter.save(folder / ADAPTER_NAME)
        if self._has_more():
            trained = {
                name: value.detach().contiguous()
                for name, value in model.named_parameters()
                if value.requires_grad
            }
            save_file(trained, folder / TRAINED_NAME)

    def read(self, model: nn.Module, folder: Path) -> dict[str, Tensor]:
        """Return all parameters of what is trained, by name, as `write` has left them."""
        if self._has_more():
            return {**model.state_dict(), **load_file(folder / TRAINED_NAME)}
        plain = load_checkpoint(folder).model.state_dict()
        return {f"{_MODEL}{name}": value for name, value in plain.items()}

    def evaluations(
        self, prepared: TrainingData, model: nn.Module
    ) -> Sequence[Callable[[ConversionModel], Mapping[str, float]]]:
        """Return what measures candidate lists, and the sentences that are not to be forgotten."""
        precision = prepared.config.training.precision
        found: list[Callable[[ConversionModel], Mapping[str, float]]] = []
        packer = self._list_packer(prepared, model)
        if packer is not None:
            found.append(partial(measure_lists, packer=packer, precision=precision))
        if self._replay is not None and self._n_validation(prepared.config):
            rows = replace(prepared, validation=read_replay_validation(self._folder))
            evaluate = validation_evaluation(
                rows.validation_batches(prepared.packer(self.conversion_model(model))),
                precision=precision,
            )
            found.append(
                lambda one: {f"replay_{name}": value for name, value in evaluate(one).items()}
            )
        return found

    def _has_more(self) -> bool:
        """Tell whether a plain model does not hold all that trains."""
        return self._adapter is not None or any(one.name.startswith(HEADS) for one in self._plan)

    def _n_replayed(self, config: TrainingConfig) -> int:
        if self._replay is None:
            return 0
        return round(self.options.replay.share * config.training.rows_per_batch)

    def _n_validation(self, config: TrainingConfig) -> int:
        return self.options.replay.validation_rows if config.training.eval_steps else 0

    def _class_weights(self, dataset: Dataset, pairs: PairVocabulary) -> NDArray[np.float32]:
        counts = count_pairs(dataset, pairs)
        raw = np.maximum(counts, 1) ** -self.options.class_weight_exponent
        return class_weights(counts, raw, self.options.max_class_weight)

    def _check_teacher(self, model: ConversionModel) -> None:
        if self._teacher is None:
            return
        found, expected = self._teacher.config.vocabulary, model.config.vocabulary
        if found != expected:
            raise ConfigError(
                f"finetuning.distillation.teacher {self.options.distillation.teacher!r} has the "
                f"vocabularies {found[:12]}…, the model {expected[:12]}…: its numbers mean other "
                "hanzi; give a teacher that was trained with the same ones"
            )

    def _report(self, model: nn.Module) -> None:
        """Write how many parameters train, block by block."""
        parameters = dict(model.named_parameters())
        n_all = sum(parameter.numel() for parameter in parameters.values())
        blocks: dict[str, dict[str, Any]] = {}
        for one in self._plan:
            block = blocks.setdefault(
                one.block,
                {"parameters": 0, "learning_rate_factor": one.factor, "first_step": one.first_step},
            )
            block["parameters"] += parameters[_full_name(one)].numel()
        n_trained = sum(block["parameters"] for block in blocks.values())
        content = {
            "method": self.options.method,
            "parameters": n_all,
            "trained": n_trained,
            "share": n_trained / n_all,
            "blocks": blocks,
        }
        write_json(self._folder / PARAMETERS_NAME, content)
        logger.info(read_report(self._folder))


def _tell_passes(packer: ListPacker, options: TrainingOptions, *, n_ranks: int) -> None:
    """Tell how often the lists are seen; a second time, the model learns them by heart."""
    n_batches = options.max_steps * options.gradient_accumulation * n_ranks
    n_passes = n_batches * packer.options.lists_per_batch / len(packer.trained)
    if n_passes > 1:
        logger.warning(
            "the run sees each of the %s lists %.2f times, and what is seen twice is learnt by "
            "heart: make more lists, or lower finetuning.n_best.lists_per_batch or "
            "training.max_steps",
            f"{len(packer.trained):,}",
            n_passes,
        )


def read_report(folder: Path) -> str:
    """Return a line on how many parameters a run trains.

    Raises:
        ConfigError: the folder holds no run of fine-tuning.
    """
    found = read_json(folder / PARAMETERS_NAME)
    if found is None:
        raise ConfigError(f"{str(folder)!r} has no {PARAMETERS_NAME}: it is no run of fine-tuning")
    return (
        f"{found['trained']:,} of {found['parameters']:,} parameters train "
        f"({found['share']:.2%}), by the method {found['method']!r}"
    )


def _full_name(one: TrainedParameter) -> str:
    """Return the name of a parameter in a `MultiTaskModel`."""
    return one.name if one.name.startswith(HEADS) else f"{_MODEL}{one.name}"
