import pytest

from dashboard.chat import voice
from dashboard.chat.parse import parse

# A busy test machine may take more than a second to come to a server of its own.
LONG_S = 30.0


@pytest.fixture(scope="session", autouse=True)
def read_once() -> None:
    """What understanding needs is loaded by the first question, which takes a busy machine longer than a model has."""
    parse("anything by Le Guin")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model that answers; who hangs is waited for as long as the test says."""
    monkeypatch.setattr(voice, "CONNECT_S", LONG_S)
