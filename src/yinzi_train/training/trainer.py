"""The one training loop: `transformers.Trainer`, with data, checkpoints and figures of our own.

What differs from the Trainer as it comes:

- batches come from a `BatchStream` in each process, not through accelerate, which would give each
  of n processes one batch in n of a stream that is its own already, and read one batch ahead;
- a checkpoint is whole or not there, and has all that is needed to go on with the same bits;
- before each step the processes agree on sums, signals and clocks in one small exchange, so that
  they stop, save and fail together; a loss or gradient that is no number ends the run before it
  gets into the weights.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from yinzi.scoring import InputVocabulary
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.storage import read_json
from yinzi_train.model import ConversionModel
from yinzi_train.training.checkpoints import Checkpoints, finish_folder
from yinzi_train.training.config import TrainingOptions
from yinzi_train.training.errors import TrainingError
from yinzi_train.training.learning_rate import learning_rate_share
from yinzi_train.training.meeting import check_device, meet
from yinzi_train.training.method import TrainingMethod
from yinzi_train.training.sharding import (
    WholeModel,
    make_ready,
    save_optimizer,
    shard_without_gpus,
    sharding_arguments,
)
from yinzi_train.training.stream import BatchStream, RowStream
from yinzi_train.training.weight_average import WeightAverage

__all__ = ["ConversionTrainer", "Exchange", "RunState", "RunTrainer", "training_arguments"]

_PROGRESS: Final = "progress.json"


@dataclass
class RunState:
    """What a run has behind it; each checkpoint has it.

    Attributes:
        n_targets: hanzi learnt from, of all processes.
        seconds: of training, pieces before a resume included.
        best: the best figure of an evaluation; None before the first.
        best_step: when that was.
        n_without_better: evaluations since.
    """

    n_targets: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    n_without_better: int = 0


@dataclass(frozen=True)
class Exchange:
    """What the processes tell one another before a step, summed.

    Attributes:
        loss: summed over batches.
        n_batches: batches.
        n_right: targets that were the likeliest of their slice.
        n_targets: targets.
        n_tokens: tokens read; for conversion the same as targets.
        n_bad: processes whose loss or gradient is no finite number.
        n_interrupts: processes that got SIGINT.
        n_terminations: processes that got SIGTERM.
        wants_save: the first process says it is time for a checkpoint.
        wants_end: the first process says that the time is over.
        seconds: of training, by the clock of the first process, which all go by.
    """

    loss: float = 0.0
    n_batches: float = 0.0
    n_right: float = 0.0
    n_targets: float = 0.0
    n_tokens: float = 0.0
    n_bad: float = 0.0
    n_interrupts: float = 0.0
    n_terminations: float = 0.0
    wants_save: float = 0.0
    wants_end: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Exchange) -> Exchange:
        return Exchange(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def summed(self) -> Exchange:
        """Return the sum over all processes."""
        if not dist.is_initialized():
            return self
        values = torch.tensor(astuple(self), dtype=torch.float64)
        dist.all_reduce(values)
        return Exchange(*values.tolist())


def training_arguments(
    options: TrainingOptions, folder: Path, *, n_processes: int, device: str = "cpu"
) -> TrainingArguments:
    """Return what the Trainer takes; with several processes, they meet here.

    Raises:
        ConfigError: this process has no such device, or FSDP has one process.
    """
    check_device(device)
    sharding = sharding_arguments(options.parallel, n_processes=n_processes)
    if n_processes > 1:
        meet(device)
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=options.max_steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=options.gradient_accumulation,
        learning_rate=options.learning_rate,
        max_grad_norm=options.max_gradient_norm,
        bf16=options.precision == "bf16",
        use_cpu=device == "cpu",
        seed=options.seed,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        ignore_data_skip=True,
        remove_unused_columns=False,
        ddp_backend=("gloo" if device == "cpu" else "nccl") if n_processes > 1 else None,
        ddp_find_unused_parameters=False,
        **sharding,
    )
    assert arguments.device.type == device
    arguments._n_gpu = min(arguments.n_gpu, 1)  # of this process, which would take all it sees
    return arguments


class RunTrainer(Trainer):
    """Train a model; `RunCallback` says when to save, evaluate and stop.

    A kind of model is a subclass, which says how its files are written and read.

    Attributes:
        options: of the run.
        checkpoints: where they are kept.
        run_state: what the run has behind it.
        average: averaged weights, if they are wanted; in the first process only, or a part of
            them in each if the weights are shared out.
        whole: gives the model with all its weights.
        exchange: sums over all processes of the last step.
        local: sums of this process since then; signals and clocks are put in from outside.
    """

    train_dataset: RowStream
    model: nn.Module

    def __init__(
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        stream: RowStream,
        *,
        options: TrainingOptions,
        checkpoints: Checkpoints,
    ) -> None:
        is_first, is_sharded = arguments.process_index == 0, options.parallel == "fsdp"
        device = arguments.device.type
        whole = WholeModel(model, is_sharded=is_sharded, is_first=is_first, device=device)
        if is_sharded:
            make_ready(model)
        super().__init__(model=model, args=arguments, train_dataset=stream)
        self.whole = whole
        self.remove_callback(PrinterCallback)
        # The loss is a mean over a batch already; see `Trainer.training_step`.
        self.model_accepts_loss_kwargs = False
        self.options = options
        self.checkpoints = checkpoints
        self.run_state = RunState()
        has_average = options.ema_decay and (is_first or is_sharded)
        self.average = WeightAverage(model, options.ema_decay) if has_average else None
        self.exchange = Exchange()
        self.local = Exchange()
        self._gradient_norm = 0.0

    def create_accelerator_and_postprocess(self) -> None:
        """Set accelerate up; see `shard_without_gpus`."""
        super().create_accelerator_and_postprocess()
        if self.args.fsdp and not self.is_fsdp_enabled:
            shard_without_gpus(self)

    @property
    def remedies(self) -> str:
        """What can be tried when the loss is no number, after what helps any run; may be empty."""
        return ""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return groups for AdamW: matrices decay, vectors do not."""
        parameters = [one for one in self.model.parameters() if one.requires_grad]
        return [
            {
                "params": [one for one in parameters if one.dim() >= 2],
                "weight_decay": self.options.weight_decay,
            },
            {"params": [one for one in parameters if one.dim() < 2], "weight_decay": 0.0},
        ]

    def before_update(self) -> None:
        """Look at the gradients of a step, before they are cut."""

    def evaluated_model(self, model: nn.Module) -> Any:
        """Return the model that evaluations are given, which is in what is trained."""
        return model

    def write_files(self, model: nn.Module, folder: Path) -> None:
        """Write a model, with all that is needed to use it, into a folder."""
        raise NotImplementedError

    def read_weights(self, folder: Path) -> Mapping[str, Tensor]:
        """Return the weights that `write_files` has written, by the names in the model."""
        raise NotImplementedError

    def count_tokens(self, output: Any) -> int:
        """Return the tokens read in a batch."""
        return int(output.n_targets)

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return the batches of this process, one after another, none ahead of time."""
        # A loader draws a number when it starts; from its own generator, lest a resumed run have
        # one more number drawn than one that was not stopped.
        return DataLoader(self.train_dataset, batch_size=None, generator=torch.Generator())

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Make AdamW over the groups of parameters."""
        options = self.options
        self.optimizer = torch.optim.AdamW(
            self.parameter_groups(),
            lr=options.learning_rate,
            betas=(options.adam_beta1, options.adam_beta2),
            eps=options.adam_epsilon,
            fused=True,
        )
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Make the schedule of `learning_rate_share`."""
        optimizer = optimizer or self.optimizer
        assert optimizer is not None  # the Trainer makes it first
        schedule = LambdaLR(optimizer, partial(learning_rate_share, options=self.options))
        self.lr_scheduler, self._created_lr_scheduler = schedule, True
        return schedule

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self._get_learning_rate())

    def floating_point_ops(self, inputs: Any) -> int:
        """Return 0: `yinzi_train.training.throughput` counts what is really computed."""
        return 0

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Return the loss of a batch, and keep its figures."""
        output = model(**inputs)
        loss = float(output.loss.detach())
        self.local += Exchange(
            loss=loss,
            n_batches=1,
            n_right=int(output.n_right),
            n_targets=int(output.n_targets),
            n_tokens=self.count_tokens(output),
            n_bad=int(not math.isfinite(loss)),
        )
        return (output.loss, output) if return_outputs else output.loss

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self.before_update()
        norm = super()._clip_grad_norm(model)
        self._gradient_norm = float(norm)
        return norm

    def agree(self) -> None:
        """Exchange figures before a step.

        Raises:
            TrainingError: a loss or a gradient is no finite number; the weights are untouched.
        """
        if not self.options.max_gradient_norm:
            self.before_update()
        is_bad = not math.isfinite(self._gradient_norm)
        self.exchange = (self.local + Exchange(n_bad=int(is_bad))).summed()
        self.local = Exchange()
        if self.exchange.n_bad:
            loss = self.exchange.loss / max(1.0, self.exchange.n_batches)
            newest = self.checkpoints.newest()
            raise TrainingError(
                f"step {self.state.global_step + 1}: the loss is {loss:g} and the length of the "
                f"gradient {self._gradient_norm:g}, expected finite numbers; "
                + (
                    f"the last good checkpoint is {str(newest)!r}"
                    if newest
                    else "there is no checkpoint yet"
                )
                + ". Train anew with a lower training.learning_rate or more training.warmup_steps, "
                "or with training.precision=fp32" + self.remedies
            )
        self.run_state.n_targets += int(self.exchange.n_targets)

    def restore(self, checkpoint: Path) -> None:
        """Take up weights, place in the data and figures of a checkpoint.

        The Trainer itself takes up optimizer, schedule and random numbers when it trains.

        Raises:
            TrainingError: the checkpoint was made with another number of processes.
        """
        name = f"stream-{self.args.process_index}.json"
        stream, progress = read_json(checkpoint / name), read_json(checkpoint / _PROGRESS)
        if stream is None or progress is None:
            raise TrainingError(f"checkpoint {str(checkpoint)!r} has no readable {name}: remove it")
        self._load_from_checkpoint(str(checkpoint))
        self.train_dataset.restore(dict(stream))
        self.run_state = RunState(**progress)
        if self.average is not None:
            self.average.load(self.read_weights(checkpoint / "ema"))

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Let the first process read all weights in the block; all processes enter it together."""
        with self.whole.gathered(self.model, self.average):
            yield

    def write_model(self, folder: Path) -> None:
        """Write the model with what belongs to it, and averaged weights in `ema`, into a folder.

        Only in the first process, within `gathered`.
        """
        with self.whole.opened(self.model, None) as model:
            self.write_files(model, folder)
        if self.average is not None:
            with self.whole.opened(self.model, self.average) as model:
                self.write_files(model, folder / "ema")

    def barrier(self) -> None:
        """Wait for the other processes."""
        if dist.is_initialized():
            dist.barrier()

    def _get_output_dir(self, trial: Any) -> str:
        return str(self.checkpoints.unfinished_path)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint under another name; give it its own when it is whole."""
        step, is_first = self.state.global_step, self.args.process_index == 0
        part = self.checkpoints.unfinished_path / self.checkpoints.path(step).name
        try:
            with self.gathered():
                if is_first:
                    self.checkpoints.clean()
                    self.write_model(part)
            self.barrier()  # the others add to the folder
            super()._save_checkpoint(model, trial)
            self._write_stream(part)
            if is_first:
                text = json.dumps(asdict(self.run_state))
                (part / _PROGRESS).write_text(text, encoding="utf-8")
        except (OSError, RuntimeError) as error:  # torch tells of a full disk by the latter
            raise TrainingError(
                f"cannot write the checkpoint of step {step}: {error}; make room, then go on with "
                f"--resume from {str(self.checkpoints.newest())!r}"
            ) from error
        self.barrier()
        if is_first:
            finish_folder(part, self.checkpoints.path(step))
            self.checkpoints.rotate(self.options.keep_checkpoints)
        self.barrier()

    def _write_stream(self, folder: Path) -> None:
        n_batches = self.state.global_step * self.args.gradient_accumulation_steps
        text = json.dumps(self.train_dataset.state(n_batches))
        with (folder / f"stream-{self.args.process_index}.json").open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Do nothing: `_save_checkpoint` has written the model already."""

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self.whole.is_sharded:
            save_optimizer(self, Path(output_dir))
        else:
            super()._save_optimizer_and_scheduler(output_dir)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        if model is not None and self.whole.is_sharded:
            return  # `restore` has loaded the weights before they were shared out
        weights = self.read_weights(Path(resume_from_checkpoint))
        (model or self.model).load_state_dict(weights)


class ConversionTrainer(RunTrainer):
    """Train a model that turns pinyin into hanzi.

    Attributes:
        method: how the run is trained.
    """

    train_dataset: BatchStream

    def __init__(
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        stream: BatchStream,
        *,
        vocab: InputVocabulary,
        pairs: PairVocabulary,
        options: TrainingOptions,
        checkpoints: Checkpoints,
        method: TrainingMethod | None = None,
    ) -> None:
        self.method = method or TrainingMethod()
        self._vocab = vocab
        self._pairs = pairs
        super().__init__(model, arguments, stream, options=options, checkpoints=checkpoints)

    @property
    def remedies(self) -> str:
        """What the method can do about a loss that is no number."""
        return self.method.remedies

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the groups of the method."""
        return self.method.parameter_groups(self.model, self.options)

    def before_update(self) -> None:
        """Let the method look at the gradients."""
        self.method.before_update(self.model, self.state.global_step)

    def evaluated_model(self, model: nn.Module) -> ConversionModel:
        """Return the model that converts."""
        return self.method.conversion_model(model)

    def write_files(self, model: nn.Module, folder: Path) -> None:
        """Write the model with its vocabularies."""
        self.method.write(model, self._vocab, self._pairs, folder)

    def read_weights(self, folder: Path) -> Mapping[str, Tensor]:
        """Return the weights of a written model."""
        return self.method.read(self.model, folder)
