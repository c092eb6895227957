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
from yinzi_train.training.checkpoints import Checkpoints, finish_folder
from yinzi_train.training.config import TrainingOptions
from yinzi_train.training.errors import TrainingError
from yinzi_train.training.learning_rate import learning_rate_share
from yinzi_train.training.method import TrainingMethod
from yinzi_train.training.stream import BatchStream
from yinzi_train.training.weight_average import WeightAverage

__all__ = ["ConversionTrainer", "Exchange", "RunState", "training_arguments"]

_PROGRESS: Final = "progress.json"
_TIMEOUT_SECONDS: Final = 7200
"""How long processes wait for one another: the first one prepares data and evaluates alone."""


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
        n_bad: processes whose loss or gradient is no finite number.
        n_interrupts: processes that got SIGINT.
        n_terminations: processes that got SIGTERM.
        wants_save: the first process says it is time for a checkpoint.
        wants_end: the first process says that the time is over.
    """

    loss: float = 0.0
    n_batches: float = 0.0
    n_right: float = 0.0
    n_targets: float = 0.0
    n_bad: float = 0.0
    n_interrupts: float = 0.0
    n_terminations: float = 0.0
    wants_save: float = 0.0
    wants_end: float = 0.0

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
    options: TrainingOptions, folder: Path, *, n_processes: int
) -> TrainingArguments:
    """Return what the Trainer takes; with several processes, they meet here."""
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=options.max_steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=options.gradient_accumulation,
        learning_rate=options.learning_rate,
        max_grad_norm=options.max_gradient_norm,
        bf16=options.precision == "bf16",
        use_cpu=True,
        seed=options.seed,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        ignore_data_skip=True,
        remove_unused_columns=False,
        ddp_backend="gloo" if n_processes > 1 else None,
        ddp_find_unused_parameters=False,
        ddp_timeout=_TIMEOUT_SECONDS,
    )
    assert arguments.device.type == "cpu"  # asked for, because that is when the processes meet
    return arguments


class ConversionTrainer(Trainer):
    """Train a model; `RunCallback` says when to save, evaluate and stop.

    Attributes:
        options: of the run.
        method: how the run is trained.
        checkpoints: where they are kept.
        run_state: what the run has behind it.
        average: averaged weights, in the first process only, if they are wanted.
        exchange: sums over all processes of the last step.
        local: sums of this process since then; signals and clocks are put in from outside.
    """

    train_dataset: BatchStream
    model: nn.Module

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
        super().__init__(model=model, args=arguments, train_dataset=stream)
        self.remove_callback(PrinterCallback)
        # The loss is a mean over a batch already; see `Trainer.training_step`.
        self.model_accepts_loss_kwargs = False
        self.options = options
        self.method = method or TrainingMethod()
        self.checkpoints = checkpoints
        self.run_state = RunState()
        has_average = options.ema_decay and arguments.process_index == 0
        self.average = WeightAverage(model, options.ema_decay) if has_average else None
        self.exchange = Exchange()
        self.local = Exchange()
        self._vocab = vocab
        self._pairs = pairs
        self._gradient_norm = 0.0

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Return the batches of this process, one after another, none ahead of time."""
        # A loader draws a number when it starts; from its own generator, lest a resumed run have
        # one more number drawn than one that was not stopped.
        return DataLoader(self.train_dataset, batch_size=None, generator=torch.Generator())

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Make AdamW over the groups of the method."""
        options = self.options
        self.optimizer = torch.optim.AdamW(
            self.method.parameter_groups(self.model, options),
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
            n_bad=int(not math.isfinite(loss)),
        )
        return (output.loss, output) if return_outputs else output.loss

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        self.method.before_update(self.model, self.state.global_step)
        norm = super()._clip_grad_norm(model)
        self._gradient_norm = float(norm)
        return norm

    def agree(self) -> None:
        """Exchange figures before a step.

        Raises:
            TrainingError: a loss or a gradient is no finite number; the weights are untouched.
        """
        if not self.options.max_gradient_norm:
            self.method.before_update(self.model, self.state.global_step)
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
                "or with training.precision=fp32" + self.method.remedies
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
            self.average.load(self.method.read(self.model, checkpoint / "ema"))

    def write_model(self, folder: Path) -> None:
        """Write the model with its vocabularies, and averaged weights in `ema`, into a folder."""
        self.method.write(self.model, self._vocab, self._pairs, folder)
        if self.average is not None:
            with self.average.swapped():
                self.method.write(self.model, self._vocab, self._pairs, folder / "ema")

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

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Do nothing: `_save_checkpoint` has written the model already."""

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        model = model or self.model
        model.load_state_dict(self.method.read(model, Path(resume_from_checkpoint)))
