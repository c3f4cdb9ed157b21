from pathlib import Path

import pytest

from openshelf.errors import SettingsError
from openshelf.settings import Settings, example, get_settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def test_env_example_is_what_the_settings_generate() -> None:
    assert (ROOT / ".env.example").read_text() == example()


def test_all_mistakes_are_reported_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_PORT", "99999")
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "mysql://x")
    monkeypatch.setenv("OPENSHELF_PROT", "1")

    with pytest.raises(SettingsError) as error:
        get_settings()

    message = str(error.value)
    assert "OPENSHELF_PORT: " in message
    assert "OPENSHELF_DATABASE_URL: " in message
    assert "OPENSHELF_PROT: unknown setting" in message
    assert "\n" not in message
    assert error.value.exit_code == 2


@pytest.mark.parametrize("token", ["short", "with a space in it", "nhiều-chữ-lạ-ở-đây"])
def test_a_token_that_is_easily_guessed_or_no_header_can_carry_is_refused(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSHELF_METRICS_TOKEN", token)

    with pytest.raises(SettingsError, match=r"OPENSHELF_METRICS_TOKEN: .*16 characters"):
        get_settings()


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", "postgresql://reader:hunter2@db/books")

    assert "hunter2" not in repr(get_settings())


def test_the_installation_key_is_made_once_and_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")

    first, second = settings.reader_secret(), settings.reader_secret()

    assert first == second
    assert len(first) == 64
    assert (tmp_path / "home" / "secret").stat().st_mode & 0o077 == 0


def test_a_setting_may_stand_in_a_file_and_a_variable_goes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "openshelf_database_url").write_text("postgresql://app:secret@db/openshelf\n")
    (tmp_path / "openshelf_secret").write_text("s" * 32 + "\n")
    (tmp_path / "postgres_password").write_text("of another service")

    url = get_settings().database_url
    get_settings.cache_clear()
    monkeypatch.setenv("OPENSHELF_SECRET", "v" * 32)

    assert url
    assert url.get_secret_value() == "postgresql://app:secret@db/openshelf"
    assert get_settings().reader_secret() == b"v" * 32


def test_a_file_of_no_setting_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "openshelf_secrets").write_text("s" * 32)

    with pytest.raises(SettingsError, match="openshelf_secrets: unknown setting"):
        get_settings()
