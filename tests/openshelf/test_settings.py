import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
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


def test_an_empty_file_is_no_secret_and_neither_is_a_folder_or_what_is_no_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "openshelf_secret").mkdir()  # what an engine makes of a file that is not there
    (tmp_path / "openshelf_metrics_token").write_text("\n")
    (tmp_path / "openshelf_smtp_url").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError) as error:
        get_settings()

    message = str(error.value)
    assert f"{tmp_path}/openshelf_secret: Is a directory" in message
    assert f"{tmp_path}/openshelf_metrics_token: is empty" in message
    assert f"{tmp_path}/openshelf_smtp_url: is no text" in message
    assert "\n" not in message


def test_a_secret_that_may_not_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "openshelf_secret").write_text("s" * 32)
    (tmp_path / "openshelf_secret").chmod(0)
    without_right = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override"]
    done = subprocess.run(
        [*(without_right if os.geteuid() == 0 else []), sys.executable, "-m", "openshelf", "stream", "lag"],
        env=os.environ | {"CREDENTIALS_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert done.stderr.startswith(f"openshelf: {tmp_path}/openshelf_secret: Permission denied")
    assert done.stderr.count("\n") == 1


def test_a_line_of_the_file_that_says_nothing_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text('OPENSHELF_PORT 80\nOPENSHELF_SECRET="hunter2\nOPENSHELF_PROT=1\n')

    with pytest.raises(SettingsError) as error:
        get_settings()

    message = str(error.value)
    assert f"{tmp_path}/.env, line 1: is not NAME=value" in message
    assert f"{tmp_path}/.env, line 2: is not NAME=value" in message
    assert "hunter2" not in message


def test_an_unknown_setting_of_the_file_is_named_as_it_stands_there(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENSHELF_PROT=1\n")

    with pytest.raises(SettingsError, match=r"^OPENSHELF_PROT in \.env: unknown setting\. "):
        get_settings()


def test_a_file_in_another_encoding_is_said(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENSHELF_PORT=80\n", "utf-16")

    with pytest.raises(SettingsError, match=r"\.env: is no text in UTF-8"):
        get_settings()


@pytest.mark.parametrize("left", ["", "cut off"])
def test_a_damaged_key_is_never_used(left: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    (tmp_path / "secret").write_text(left)

    with pytest.raises(SettingsError, match=r"is damaged.*Bring back your copy"):
        settings.reader_secret()

    assert (tmp_path / "secret").read_text() == left


def test_of_many_that_start_together_all_have_the_same_key_and_never_half_of_it(tmp_path: Path) -> None:
    for attempt in range(20):
        settings = Settings(home=tmp_path / str(attempt))
        together = threading.Barrier(8)

        def key(settings: Settings = settings, together: threading.Barrier = together) -> bytes:
            together.wait()
            return settings.reader_secret()

        with ThreadPoolExecutor(8) as pool:
            keys = {future.result() for future in [pool.submit(key) for _ in range(8)]}

        assert [len(found) for found in keys] == [64]
        assert [path.name for path in settings.home.iterdir()] == ["secret"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Beyond what dates, or Postgres, can hold: the job of every hour would end in a traceback.
        ("RETENTION_VISIT_MINUTES", "99999999999"),
        ("RETENTION_DEAD_LETTER_DAYS", "9999999"),
        ("RETENTION_SEARCH_DAYS", "9999999"),
        ("RETENTION_SIGN_IN_DAYS", "9999999"),
        ("RETENTION_AUDIT_DAYS", "9999999"),
        ("RETENTION_CERTIFICATE_DAYS", "9999999"),
        ("RETENTION_BACKUP_DAYS", "9999999"),
        ("SIGN_IN_IDLE_MINUTES", "99999999999"),
        ("SHARED_IDLE_MINUTES", "99999999999"),
        ("SESSION_MINUTES", "99999999999"),
        ("DATABASE_TIMEOUT_S", "99999999"),
        ("COLD_POOL", "99999999999"),
        ("OLLAMA_TIMEOUT_S", "inf"),
        ("OLLAMA_URL", "localhost:11434"),
        ("OLLAMA_URL", "http://["),
        ("ALERT_EMAIL", "the desk"),
        ("ALERT_SENDER", "nobody"),
        ("ALERT_WEBHOOK", "https://"),
        ("SMTP_URL", "smtp://mail:99999"),
        ("DATABASE_URL", "postgresql://["),
        ("DATABASE_URL", "postgresql://u:100%zz@db/books"),
    ],
)
def test_what_cannot_be_is_refused_at_the_start(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"OPENSHELF_{name}", value)

    with pytest.raises(SettingsError) as error:
        get_settings()

    assert str(error.value).startswith(f"OPENSHELF_{name}: ")
    assert "100%zz" not in str(error.value)
    assert "\n" not in str(error.value)
