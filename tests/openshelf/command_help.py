"""What a command says of itself, asked in this process: a process of its own takes most of a second to start."""

import importlib

import pytest

from openshelf.cli import COMMANDS


def help_of(capsys: pytest.CaptureFixture[str], name: str, *words: str) -> str:
    """What `openshelf NAME WORDS --help` prints; fails where it ends with an error."""
    module, attribute, _ = COMMANDS[name]
    command = getattr(importlib.import_module(module), attribute)
    with pytest.raises(SystemExit) as end:
        command(args=[*words, "--help"], prog_name=f"openshelf {name}")
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    return said.out
