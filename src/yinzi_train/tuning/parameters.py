"""Describe what a study searches: ranges and choices of settings, some only under conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from yinzi.errors import ConfigError
from yinzi_train.pipeline.options import unknown_key_error

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["Parameter", "read_parameters", "rounded", "suggest"]

Scalar = bool | int | float | str

_KEYS: Final = ("low", "high", "step", "log", "choices", "when", "default")
_TOLERANCE: Final = 1e-8


@dataclass(frozen=True)
class Parameter:
    """One setting that is searched.

    Attributes:
        key: dotted name of the setting, as `--set` takes it.
        low: least value of a range; whole numbers where `low` and `high` are whole.
        high: greatest value of it, that one included.
        step: distance of values of a range; None for 1 and for any fraction.
        log: draw the logarithm evenly.
        choices: values to choose from, instead of a range.
        when: values of other parameters under which this one is there at all.
        default: value in the default trial; None takes that of the base config.
    """

    key: str
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = None
    log: bool = False
    choices: tuple[Scalar, ...] = ()
    when: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)
    default: Scalar | None = None

    def __post_init__(self) -> None:
        if self.choices:
            self._check_choices()
        else:
            self._check_range()
        if self.default is not None:
            self.check_value(self.default, origin="default")

    @property
    def is_whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return all(isinstance(end, int) for end in (self.low, self.high, self.step or 1))

    @property
    def edges(self) -> tuple[Scalar, ...]:
        """The values that are likeliest to be wrong: ends of a range, or all choices."""
        if self.choices:
            return self.choices
        assert self.low is not None
        assert self.high is not None
        return (self.low, self.high)

    def is_active(self, values: Mapping[str, Any]) -> bool:
        """Tell whether it is there beside values of other parameters."""
        return all(key in values and values[key] in wanted for key, wanted in self.when.items())

    def suggest(self, trial: Trial) -> Scalar:
        """Return the value that a trial is to try."""
        if self.choices:
            chosen: Any = trial.suggest_categorical(self.key, self.choices)
            return cast(Scalar, chosen)
        assert self.low is not None
        assert self.high is not None
        if self.is_whole:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(self.key, low, high, step=step, log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def check_value(self, value: Any, *, origin: str) -> None:
        """Check that a value can be drawn.

        Raises:
            ConfigError: it cannot.
        """
        if self.choices:
            if not any(type(value) is type(one) and value == one for one in self.choices):
                raise self._outside(value, f"the choices {list(self.choices)}", origin)
            return
        assert self.low is not None
        assert self.high is not None
        kinds = int if self.is_whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise self._outside(value, f"{self.low} to {self.high}", origin)
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        if not self.low <= value <= self.high or abs(steps - round(steps)) > _TOLERANCE:
            by = "" if self.step is None else f" in steps of {self.step}"
            raise self._outside(value, f"{self.low} to {self.high}{by}", origin)

    def to_dict(self) -> dict[str, Any]:
        """Return what makes the parameter, by key, without what is not given."""
        found = {name: getattr(self, name) for name in _KEYS}
        found["choices"] = list(self.choices)
        found["when"] = {key: list(wanted) for key, wanted in self.when.items()}
        return {name: value for name, value in found.items() if value not in (None, [], {}, False)}

    def _outside(self, value: Any, what: str, origin: str) -> ConfigError:
        return ConfigError(
            f"search {self.key!r}: the {origin} has {value!r}, which is not among {what}: the "
            "first trial is the default, so widen the search or set default = … to a value in it"
        )

    def _check_choices(self) -> None:
        given = [name for name in ("low", "high", "step") if getattr(self, name) is not None]
        if given or self.log:
            raise ConfigError(
                f"search {self.key!r} has choices and {', '.join([*given, *['log'] * self.log])}: "
                "give either choices or a range"
            )
        if not all(isinstance(one, (bool, int, float, str)) for one in self.choices):
            raise ConfigError(
                f"search {self.key!r}: choices are {list(self.choices)}: expected numbers, texts, "
                "true or false"
            )
        if len({(type(one), one) for one in self.choices}) < max(2, len(self.choices)):
            raise ConfigError(
                f"search {self.key!r}: choices are {list(self.choices)}: expected two or more "
                "different ones; put a single value into [fixed]"
            )

    def _check_range(self) -> None:
        ends = {"low": self.low, "high": self.high}
        missing = [name for name, end in ends.items() if end is None]
        if missing:
            raise ConfigError(
                f"search {self.key!r} has no {' and no '.join(missing)}: give low and high, or "
                "choices"
            )
        for name, value in {**ends, "step": self.step}.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if value is not None and not is_number:
                raise ConfigError(f"search {self.key!r}: {name} is {value!r}: expected a number")
        assert self.low is not None
        assert self.high is not None
        if not float("-inf") < self.low < self.high < float("inf"):
            raise ConfigError(
                f"search {self.key!r}: low is {self.low}, high {self.high}: expected low below high"
            )
        if self.log and (self.low <= 0 or self.step is not None):
            raise ConfigError(
                f"search {self.key!r}: log = true needs low above 0 and no step, given low "
                f"{self.low} and step {self.step}"
            )
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ConfigError(
                f"search {self.key!r}: step is {self.step}: expected above 0, at most high - low"
            )


def read_parameters(tables: Mapping[str, Any], *, label: str) -> tuple[Parameter, ...]:
    """Read the tables below [search], in their order.

    >>> table = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    >>> read_parameters(table, label="a.toml")[0].edges
    (0.0001, 0.01)

    Raises:
        ConfigError: a table is not as it must be; names file and key.
    """
    if not tables:
        raise ConfigError(
            f'{label}: nothing to search: add a table such as [search."training.learning_rate"] '
            "with low, high and log"
        )
    found: list[Parameter] = []
    for key, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{label}: search {key!r} is {table!r}, expected a table")
        if "." not in key and all(isinstance(value, Mapping) for value in table.values()):
            raise ConfigError(
                f"{label}: [search.{key}.…] is read as a table in a table: put the dotted name "
                f'into quotes, as [search."{key}.{next(iter(table), "key")}"]'
            )
        for name in table:
            if name not in _KEYS:
                raise unknown_key_error(f"{key}.{name}", [f"{key}.{one}" for one in _KEYS], label)
        try:
            found.append(_read(key, table, found))
        except ConfigError as error:
            raise ConfigError(f"{label}: {error}") from error
    return tuple(found)


def suggest(trial: Trial, parameters: Sequence[Parameter]) -> dict[str, Scalar]:
    """Return the values of a trial, without parameters whose conditions do not hold."""
    values: dict[str, Scalar] = {}
    for parameter in parameters:
        if parameter.is_active(values):
            values[parameter.key] = parameter.suggest(trial)
    return rounded(values)


def rounded(values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return values as a person would write them: steps of 0.1 give 0.30000000000000004.

    >>> rounded({"a": 0.1 + 0.2, "b": True})
    {'a': 0.3, 'b': True}
    """
    return {
        key: float(f"{value:.12g}") if isinstance(value, float) else value
        for key, value in values.items()
    }


def _read(key: str, table: Mapping[str, Any], before: Sequence[Parameter]) -> Parameter:
    given = dict(table)
    choices = given.pop("choices", [])
    if not isinstance(choices, list):
        raise ConfigError(f"search {key!r}: choices is {choices!r}: expected a list")
    log = given.pop("log", False)
    if not isinstance(log, bool):
        raise ConfigError(f"search {key!r}: log is {log!r}: expected true or false")
    when = given.pop("when", {})
    if not isinstance(when, Mapping):
        raise ConfigError(
            f'search {key!r}: when is {when!r}: expected {{ "other.key" = value }}, or a list of '
            "values"
        )
    conditions = {
        other: tuple(wanted) if isinstance(wanted, list) else (wanted,)
        for other, wanted in when.items()
    }
    known = {parameter.key: parameter for parameter in before}
    for other, wanted in conditions.items():
        if other not in known:
            raise ConfigError(
                f"search {key!r}: when names {other!r}, which is not searched before it: expected "
                f"one of {list(known)}"
            )
        for value in wanted:
            if known[other].choices and value not in known[other].choices:
                raise ConfigError(
                    f"search {key!r}: when names {other} = {value!r}, which is not among its "
                    f"choices {list(known[other].choices)}"
                )
    return Parameter(key, choices=tuple(choices), log=log, when=conditions, **given)
