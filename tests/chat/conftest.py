import pytest

from dashboard.chat import voice

# A busy test machine may take more than a second to come to a server of its own.
LONG_S = 30.0


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a model that answers; who hangs is waited for as long as the test says."""
    monkeypatch.setattr(voice, "CONNECT_S", LONG_S)
