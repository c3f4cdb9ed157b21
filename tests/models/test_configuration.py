"""Configurations: what is shipped agrees with the program, and what is typed is refused with what was meant."""

import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pytest

from models.adapter import AdapterConfig
from models.baselines.roster import ROSTER
from models.configuration import as_toml, names, read_config, shipped
from models.train import TrainConfig
from models.tune import search_space
from openshelf.errors import UsageError

SHIPPED: dict[str, type[Any]] = {
    "adapter": AdapterConfig,
    "policy": TrainConfig,
    **{name: baseline.config for name, baseline in ROSTER.items()},
}


@dataclass(frozen=True)
class TowerConfig:
    epochs: int = 3
    learning_rate: float = 0.1
    dropout: float = 0.2
    loss: Literal["bce", "mse"] = "bce"
    title: str = "plain"
    use_values: bool = True
    ways: int = field(default=2, metadata={"at_least": 2, "below": 5})


def read(*settings: str, file: Path | None = None) -> TowerConfig:
    return read_config("tower", TowerConfig, file, settings)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_file_names_every_key_with_the_value_the_program_has(name: str) -> None:
    values = {key: value for key, value in shipped(name).items() if key != "tune"}

    assert values == asdict(SHIPPED[name]())
    assert [type(value) for value in values.values()] == [type(getattr(SHIPPED[name](), key)) for key in values]
    assert read_config(name, SHIPPED[name], None, []) == SHIPPED[name]()


def test_every_model_has_its_file_and_every_file_its_model() -> None:
    assert set(names()) == set(SHIPPED)


def test_settings_overrule_the_file_which_overrules_what_is_shipped(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('epochs = 7\ndropout = 0\nloss = "mse"\n[tune]\nepochs = [1, 2]\n')

    config = read("epochs=9", "use_values=false", "title=two words", file=file)

    assert config == TowerConfig(epochs=9, dropout=0.0, loss="mse", use_values=False, title="two words")
    assert isinstance(config.dropout, float)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("learning_rat=1", "did you mean 'learning_rate'"),
        ("xyz=1", "it has epochs, learning_rate"),
        ("epochs", "is not key=value"),
        ("epochs=many", "epochs must be a whole number, not 'many'"),
        ("epochs=1.5", "a whole number"),
        ("epochs=true", "a whole number"),
        ("epochs=-1", "at least 0"),
        ("learning_rate=0", "above 0"),
        ("learning_rate=NaN", "a number"),
        ("learning_rate=Infinity", "a number"),
        ("dropout=1", "at least 0 and below 1"),
        ("loss=bcee", "one of bce, mse"),
        ("use_values=1", "true or false"),
        ("ways=5", "at least 2 and below 5"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_was_meant(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as refused:
        read(setting)

    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [("epoch = 1", "did you mean 'epochs'"), ("epochs = 'x'", "a whole number"), ("epochs = ", "cannot be read")],
)
def test_a_wrong_file_is_refused_and_named(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)

    with pytest.raises(UsageError, match=re.escape(message)) as refused:
        read(file=file)

    assert "mine.toml" in str(refused.value)


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read(file=Path("nowhere.toml"))


def test_a_configuration_written_as_toml_is_read_back_the_same(tmp_path: Path) -> None:
    config = TowerConfig(epochs=1, learning_rate=1e-6, title='a "quoted" word', use_values=False)
    file = tmp_path / "best.toml"

    file.write_text(as_toml(asdict(config), "found by tuning"))

    assert read(file=file) == config


@pytest.mark.parametrize("name", [name for name in SHIPPED if name not in {"adapter", "random"}])
def test_the_shipped_configuration_lies_within_what_tuning_tries(name: str) -> None:
    default = SHIPPED[name]()

    space = search_space(name)

    assert space.keys() <= {key.name for key in fields(default)}
    for key, asked in space.items():
        value = getattr(default, key)
        assert value in asked["choices"] if "choices" in asked else asked["low"] <= value <= asked["high"], key
        ends = asked["choices"] if "choices" in asked else [asked["low"], asked["high"]]
        for end in ends:
            read_config(name, SHIPPED[name], None, [f"{key}={str(end).lower()}"])
