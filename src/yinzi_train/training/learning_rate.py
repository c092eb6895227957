"""Say how high the learning rate is at each step."""

from __future__ import annotations

import math

from yinzi_train.training.config import TrainingOptions

__all__ = ["learning_rate_share"]


def learning_rate_share(step: int, options: TrainingOptions) -> float:
    """Return the learning rate of a step as a share of the highest, 0 to 1.

    It rises evenly from `min_learning_rate`. "warmup_stable_decay" falls along half a cosine in the
    last `decay_steps`, "cosine" along one from the warm-up on, "cosine_restarts" along `n_cycles`
    equal ones, "linear" along a line.

    >>> options = TrainingOptions(warmup_steps=10, decay_steps=20, max_steps=100)
    >>> [round(learning_rate_share(step, options), 3) for step in (0, 5, 10, 80, 90, 100)]
    [0.05, 0.525, 1.0, 1.0, 0.525, 0.05]

    Args:
        step: from 0, the number of changes of the weights before it.
        options: of the run.
    """
    lowest = options.min_learning_rate
    if step < options.warmup_steps:
        return lowest + (1 - lowest) * step / options.warmup_steps
    is_stable = options.schedule == "warmup_stable_decay"
    first = options.max_steps - options.decay_steps if is_stable else options.warmup_steps
    if step < first:
        return 1.0
    passed = min(1.0, (step - first) / max(1, options.max_steps - first))
    if options.schedule == "cosine_restarts" and passed < 1:
        passed = passed * options.n_cycles % 1.0
    is_linear = options.schedule == "linear"
    share = 1 - passed if is_linear else 0.5 * (1 + math.cos(math.pi * passed))
    return lowest + (1 - lowest) * share
