"""Turn key presses into commits: what an input method does between keyboard and converter.

Free of input and output, clocks and threads, so that any application can embed it.
"""

from __future__ import annotations

from yinzi.session.converter_engine import ConverterEngine
from yinzi.session.effects import (
    Bell,
    Commit,
    CommittedPart,
    Effect,
    Forget,
    Learn,
    ModeChange,
    Unlearn,
)
from yinzi.session.engine import Learner, SessionEngine
from yinzi.session.keys import Key
from yinzi.session.lists import LateQuestion
from yinzi.session.machine import SessionMachine, Step
from yinzi.session.memory import RememberingEngine
from yinzi.session.session import Outcome, Session
from yinzi.session.settings import SessionSettings
from yinzi.session.state import Mode, Preedit, SessionState
from yinzi.session.user_learner import UserLearner

__all__ = [
    "Bell",
    "Commit",
    "CommittedPart",
    "ConverterEngine",
    "Effect",
    "Forget",
    "Key",
    "LateQuestion",
    "Learn",
    "Learner",
    "Mode",
    "ModeChange",
    "Outcome",
    "Preedit",
    "RememberingEngine",
    "Session",
    "SessionEngine",
    "SessionMachine",
    "SessionSettings",
    "SessionState",
    "Step",
    "Unlearn",
    "UserLearner",
]
