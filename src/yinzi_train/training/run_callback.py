"""Watch a run: figures, averaged weights, evaluations, checkpoints, and when to end."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch
import torch.distributed as dist
from transformers import TrainerCallback

from yinzi_train.model import ConversionModel
from yinzi_train.training.checkpoints import finish_folder
from yinzi_train.training.config import METRICS_BY_LESS
from yinzi_train.training.errors import TrainingError
from yinzi_train.training.metrics_log import MetricsLog
from yinzi_train.training.trainer import ConversionTrainer, Exchange

__all__ = ["Evaluate", "RunCallback", "Signals", "TrainingProgress"]

logger = logging.getLogger(__name__)

Evaluate = Callable[[ConversionModel], Mapping[str, float]]
"""Figures of a model by name; more is better but for those in `METRICS_BY_LESS`."""

BEST_NAME: Final = "best"


@dataclass(frozen=True)
class TrainingProgress:
    """How far a run is.

    Attributes:
        step: steps done.
        max_steps: steps in all.
        n_targets: hanzi learnt from, of all processes.
        loss: mean since the last row of the log, natural log.
        accuracy: the same, share of targets that were the likeliest.
        learning_rate: of the last step.
        tokens_per_second: targets a second since the last row of the log, of all processes.
        seconds_left: until the last step or the end of the time, if the speed stays.
    """

    step: int
    max_steps: int
    n_targets: int
    loss: float
    accuracy: float
    learning_rate: float
    tokens_per_second: float
    seconds_left: float


class Signals:
    """Remember SIGINT and SIGTERM instead of dying of them, for as long as the block runs.

    A second SIGINT ends the program at once. In a thread other than the main one nothing is done.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        """Take over."""
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._receive)
        except ValueError:
            logger.debug("signals are left alone: this is not the main thread")
        return self

    def __exit__(self, *error: object) -> None:
        """Give back."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.received == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number


class RunCallback(TrainerCallback):
    """See the module; only the first process writes, draws and evaluates.

    Attributes:
        end_reason: why the run has ended; empty while it goes on.
        stop_signal: the signal that has stopped it, if one has.
    """

    def __init__(
        self,
        trainer: ConversionTrainer,
        *,
        signals: Signals,
        log: MetricsLog | None,
        evaluate: Evaluate | None,
        on_progress: Callable[[TrainingProgress], None],
    ) -> None:
        self._trainer = trainer
        self._options = trainer.options
        self._signals = signals
        self._log = log
        self._evaluate = evaluate
        self._on_progress = on_progress
        self.end_reason = ""
        self.stop_signal: int | None = None
        self._window = Exchange()

    def finished_reason(self, step: int) -> str:
        """Say why a run that stands at a step has ended already; empty if it has not."""
        run, options = self._trainer.run_state, self._options
        if step >= options.max_steps:
            return "max_steps"
        if 0 < options.max_minutes * 60 <= run.seconds:
            return "max_minutes"
        if 0 < options.patience <= run.n_without_better:
            return "patience"
        return ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Start the clocks."""
        self._start = self._last_save = self._window_start = time.monotonic()
        self._seconds_before = self._trainer.run_state.seconds
        self._first_step = state.global_step

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Let the processes agree on what comes next."""
        run, options, now = self._trainer.run_state, self._options, time.monotonic()
        run.seconds = self._seconds_before + now - self._start
        received = self._signals.received
        is_first = args.process_index == 0
        save_seconds, end_seconds = options.save_minutes * 60, options.max_minutes * 60
        self._trainer.local += Exchange(
            n_interrupts=int(received == signal.SIGINT),
            n_terminations=int(received == signal.SIGTERM),
            wants_save=is_first and 0 < save_seconds <= now - self._last_save,
            wants_end=is_first and 0 < end_seconds <= run.seconds,
        )
        self._trainer.agree()

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Do what is due after a step."""
        trainer, options, step = self._trainer, self._options, state.global_step
        if trainer.average is not None and step % options.ema_steps == 0:
            trainer.average.update(step // options.ema_steps)
        self._window += trainer.exchange
        self._report(step)
        if self._log is not None and (step % options.log_steps == 0 or step == options.max_steps):
            self._log.add(self._row(step))
        if step % options.log_steps == 0:
            self._window, self._window_start = Exchange(), time.monotonic()
        if options.eval_steps and (step % options.eval_steps == 0 or step == options.max_steps):
            self._run_evaluation(step)
        self._find_end(step)
        is_due = bool(options.save_steps) and step % options.save_steps == 0
        if self.end_reason or is_due or trainer.exchange.wants_save:
            control.should_save = True
        if self.end_reason:
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Draw the curves anew."""
        self._last_save = time.monotonic()
        if self._log is not None:
            self._log.draw()
            logger.info("saved %s", self._trainer.checkpoints.path(state.global_step))

    def _find_end(self, step: int) -> None:
        exchange = self._trainer.exchange
        if exchange.n_interrupts or exchange.n_terminations:
            is_interrupt = bool(exchange.n_interrupts)
            self.stop_signal = int(signal.SIGINT if is_interrupt else signal.SIGTERM)
            self.end_reason = signal.Signals(self.stop_signal).name
        elif exchange.wants_end:
            self.end_reason = "max_minutes"
        else:
            self.end_reason = self.finished_reason(step)

    def _run_evaluation(self, step: int) -> None:
        """Evaluate in the first process; the others wait for what it found."""
        run, begin = self._trainer.run_state, time.monotonic()
        if self._evaluate is not None:
            figures = self._figures()
            self._judge(figures, step)
            shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
            logger.info("step %d: %s (%.0f s)", step, shown, time.monotonic() - begin)
            if self._log is not None:
                place = {"step": step, "targets": run.n_targets, "minutes": run.seconds / 60}
                self._log.add({**place, **figures}, kind="evaluation")
        if dist.is_initialized():
            counted = torch.tensor([run.n_without_better])
            dist.broadcast(counted, 0)
            run.n_without_better = int(counted)
        self._window_start += time.monotonic() - begin  # an evaluation is not training

    def _figures(self) -> dict[str, float]:
        assert self._evaluate is not None
        model, average = self._trainer.model, self._trainer.average
        converting = self._trainer.method.conversion_model(model)
        model.eval()
        try:
            if average is None:
                return dict(self._evaluate(converting))
            with average.swapped():
                return dict(self._evaluate(converting))
        finally:
            model.train()

    def _judge(self, figures: Mapping[str, float], step: int) -> None:
        run, name = self._trainer.run_state, self._options.metric
        if name not in figures:
            raise TrainingError(
                f"training.metric is {name!r}, but evaluations give {', '.join(figures)}: name one "
                "of these, or give what it is measured on"
            )
        value = figures[name]
        is_less_better = name in METRICS_BY_LESS
        is_better = run.best is None or (value < run.best if is_less_better else value > run.best)
        if not is_better:
            run.n_without_better += 1
            return
        run.best, run.best_step, run.n_without_better = value, step, 0
        self.write_model(BEST_NAME)

    def write_model(self, name: str) -> Path:
        """Write the model as it is into the run folder, whole or not at all."""
        folder = self._trainer.checkpoints.folder
        part = self._trainer.checkpoints.unfinished_path / name
        self._trainer.checkpoints.clean()
        self._trainer.write_model(part)
        finish_folder(part, folder / name)
        self._trainer.checkpoints.clean()
        return folder / name

    def _report(self, step: int) -> None:
        row, options = self._row(step), self._options
        per_step = (time.monotonic() - self._start) / max(1, step - self._first_step)
        left = (options.max_steps - step) * per_step
        if options.max_minutes:
            left = min(left, options.max_minutes * 60 - self._trainer.run_state.seconds)
        self._on_progress(
            TrainingProgress(
                step=step,
                max_steps=options.max_steps,
                n_targets=self._trainer.run_state.n_targets,
                loss=row["loss"],
                accuracy=row["accuracy"],
                learning_rate=row["learning_rate"],
                tokens_per_second=row["tokens_per_second"],
                seconds_left=max(0.0, left),
            )
        )

    def _row(self, step: int) -> dict[str, float]:
        window, run = self._window, self._trainer.run_state
        seconds = max(1e-9, time.monotonic() - self._window_start)
        return {
            "step": step,
            "targets": run.n_targets,
            "minutes": run.seconds / 60,
            "loss": window.loss / max(1.0, window.n_batches),
            "accuracy": window.n_right / max(1.0, window.n_targets),
            "learning_rate": self._trainer.learning_rate,
            "tokens_per_second": window.n_targets / seconds,
        }
