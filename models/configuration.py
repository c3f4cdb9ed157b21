"""One TOML per model in `models/configs/`: read, overruled by a file and by `--set`, checked against its dataclass.

    configs/<name>.toml  <  --config FILE  <  --set key=value

The dataclass says which keys there are and of which type; `Literal` lists the words a key may be. Ranges come from
`RANGES`, or from a field's own metadata (`field(default=8, metadata={"at_least": 1})`).
"""

import difflib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from openshelf.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

ConfigT = TypeVar("ConfigT", bound="DataclassInstance")
Value = int | float | str | bool

_TYPES = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}


@dataclass(frozen=True)
class Range:
    """Bounds of a number; `above` and `below` are themselves outside."""

    at_least: float = -math.inf
    above: float = -math.inf
    at_most: float = math.inf
    below: float = math.inf

    def holds(self, value: float) -> bool:
        return self.at_least <= value <= self.at_most and self.above < value < self.below

    def __str__(self) -> str:
        words = {"at least": self.at_least, "above": self.above, "at most": self.at_most, "below": self.below}
        return " and ".join(f"{word} {bound:g}" for word, bound in words.items() if math.isfinite(bound))


_COUNT, _SHARE, _POSITIVE = Range(at_least=1), Range(at_least=0, below=1), Range(above=0)
# What a key means does not depend on the model that has it.
RANGES: dict[str, Range] = {
    **dict.fromkeys(("batch", "dim", "hidden", "factors", "heads", "window", "size", "width"), _COUNT),
    **dict.fromkeys(
        ("length", "negatives", "hard", "max_features", "history_days", "negative", "folds", "exact", "patience"),
        _COUNT,
    ),
    **dict.fromkeys(("companions", "moments", "targets_per_epoch"), _COUNT),
    **dict.fromkeys(("together_ridge", "next_ridge", "next_half_life"), _POSITIVE),
    **dict.fromkeys(("scale_rate", "bias_rate", "residual_rate"), Range(at_least=0)),
    **dict.fromkeys(("dropout", "held_out"), _SHARE),
    **dict.fromkeys(("learning_rate", "clip", "cap", "temperature", "sharpness"), _POSITIVE),
    **dict.fromkeys(
        ("epochs", "iterations", "layers", "neighbours", "warmup_steps", "weight_decay", "margin"), Range(at_least=0)
    ),
    **dict.fromkeys(("gamma", "negatives_power"), Range(at_least=0, at_most=1)),
    **dict.fromkeys(
        ("entropy_weight", "baseline_weight", "regularisation", "min_count", "old_slates", "alpha"), Range(0)
    ),
}


def read_config(name: str, config_type: type[ConfigT], file: Path | None, settings: Sequence[str]) -> ConfigT:
    """The configuration of model `name`: its shipped TOML, overruled by `file`, overruled by `settings`.

    `file` may hold some of the keys; a table `[tune]` in it is passed over. Each setting is `key=value`.

    Raises:
        UsageError: an unknown key, a value of the wrong type or out of range, a file that cannot be read.
    """
    hints = get_type_hints(config_type)
    values = _checked(config_type, hints, shipped(name), f"{name}.toml")
    if file is not None:
        values |= _checked(config_type, hints, _read(file), f"--config {file}")
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            raise UsageError(f"--set {setting!r} is not key=value")
        _known(key, hints, "--set")
        values |= _checked(config_type, hints, {key: _parsed(text, hints[key])}, "--set")
    return config_type(**values)


def shipped(name: str) -> dict[str, Any]:
    """The keys of `configs/<name>.toml`; nothing for a model that has no such file."""
    path = resources.files("models") / "configs" / f"{name}.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}


def names() -> list[str]:
    """Of the models that have a TOML, in the order of the alphabet."""
    files = (resources.files("models") / "configs").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def restored(config_type: type[ConfigT], stored: Mapping[str, Any]) -> ConfigT:
    """The configuration as a run recorded it. Raises UsageError where it is none of today's."""
    hints = get_type_hints(config_type)
    return config_type(**_checked(config_type, hints, stored, "the recorded configuration"))


def as_toml(values: Mapping[str, Value], comment: str) -> str:
    """A file that `--config` reads back to the same values."""
    # A JSON string, number or boolean is one in TOML too.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"# {comment}", *lines]) + "\n"


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {file} cannot be read: {error}") from error


def _known(key: str, hints: Mapping[str, Any], source: str) -> None:
    if key in hints:
        return
    near = difflib.get_close_matches(key, hints, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(hints)}."
    raise UsageError(f"{source}: {key!r} is no setting of this model; {hint}")


def _checked(config_type: type, hints: Mapping[str, Any], values: Mapping[str, Any], source: str) -> dict[str, Value]:
    """The values in their fields' types, each known and in range."""
    metadata = {field.name: field.metadata for field in fields(config_type)}
    checked: dict[str, Value] = {}
    for key, value in values.items():
        if key == "tune" and isinstance(value, dict):
            continue
        _known(key, hints, source)
        checked[key] = _typed(key, value, hints[key], source)
        _in_range(key, checked[key], metadata[key], source)
    return checked


def _typed(key: str, value: object, hint: Any, source: str) -> Value:
    if get_origin(hint) is Literal:
        if not any(value == word and type(value) is type(word) for word in get_args(hint)):
            raise UsageError(f"{source}: {key} must be one of {', '.join(map(str, get_args(hint)))}, not {value!r}")
        return value  # pyright: ignore[reportReturnType]
    # True is an int to Python, and to nobody else.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if hint is float and is_number and math.isfinite(value):  # pyright: ignore[reportArgumentType]
        return float(value)  # pyright: ignore[reportArgumentType]
    if hint is not float and type(value) is hint:
        return value  # pyright: ignore[reportReturnType]
    raise UsageError(f"{source}: {key} must be {_TYPES.get(hint, hint)}, not {value!r}")


def _in_range(key: str, value: Value, metadata: Mapping[str, Any], source: str) -> None:
    bounds = Range(**metadata) if metadata else RANGES.get(key)
    if bounds and isinstance(value, int | float) and not bounds.holds(value):
        raise UsageError(f"{source}: {key} must be {bounds}, not {value!r}")


def _parsed(text: str, hint: Any) -> object:
    """What was typed after `key=`: words need no quotes; what is no number stays text, and its type refuses it."""
    if hint is str or text in get_args(hint):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
