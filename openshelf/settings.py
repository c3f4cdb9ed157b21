"""One settings object, read from `OPENSHELF_*` variables and `.env`.

`.env.example` is generated from it: `python -m openshelf.settings > .env.example`.
"""

import io
import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv.parser import parse_stream
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from openshelf import topics
from openshelf.errors import SettingsError

PREFIX = "OPENSHELF_"
# Read by tests and benchmarks, not by the product: a real broker, and a folder of published data sets.
TEST_VARIABLES = {"OPENSHELF_TEST_BROKERS", "OPENSHELF_DATA_SETS"}

# Longest of any time that is set: dates so far away can be reckoned with, and Postgres takes so long a limit.
LONGEST_DAYS = 36_500
LONGEST_MINUTES = 525_600
LONGEST_STATEMENT_S = 86_400
SECRET_LENGTH = 32

_ADDRESS = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.\-]+):(\d{1,5})")
# The word that the broker's security must hold for a setting to mean something, and whether it is needed then.
_BROKER_WORDS = (
    ("broker_sasl_mechanism", "sasl", False),
    ("broker_username", "sasl", True),
    ("broker_password", "sasl", True),
    ("broker_ca_file", "ssl", False),
)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", env_ignore_empty=True, extra="forbid", frozen=True
    )

    home: Path = Field(
        Path(".openshelf"),
        description="Folder of everything this installation keeps: embedded Postgres, recovery, demo library.",
    )
    database_url: SecretStr | None = Field(
        None, description="Postgres with pgvector; unset: an embedded server under the home folder."
    )
    brokers: str | None = Field(
        None,
        description="Kafka-protocol broker, host:port[,host:port]; unset: the dataflow reads the log table.",
    )
    broker_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext", description="How the broker is spoken to: with TLS (ssl), with name and password (sasl), or both."
    )
    broker_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="How name and password are shown to the broker; unset: SCRAM-SHA-256."
    )
    broker_username: str | None = Field(None, description="Name at the broker; only sasl needs it.")
    broker_password: SecretStr | None = Field(None, description="Password at the broker; only sasl needs it.")
    broker_ca_file: Path | None = Field(
        None, description="PEM file of those who vouch for the broker's certificate; unset: those the system trusts."
    )
    broker_replication: int = Field(
        1, ge=1, le=9, description="Copies of each topic that is made at start; a cluster of three brokers wants 3."
    )
    topic_prefix: str = Field(
        "openshelf",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,199}$",
        description="What the names of the topics begin with; installations that share a broker differ in it.",
    )
    share: str = Field(
        "1/1",
        description="I/N: of N hosts that run dataflow and relay, this one is the I-th; see docs/scaling.md.",
    )
    calibre_library: Path | None = Field(
        None, description="Calibre library folder (holds metadata.db); unset: the demo library."
    )
    calibre_columns: str | None = Field(
        None, description="Columns of your own in Calibre and how they are read: #genre=subjects,#orig=original_title."
    )
    calibre_virtual_library: str | None = Field(
        None, description="The virtual library of Calibre that is read; unset: all books."
    )
    kinds: str = Field(
        "book",
        pattern=r"^(book|film|book,film|film,book)$",
        description="Kinds of works that readers see and are recommended, parted by commas: book, film.",
    )
    embedding_model: Path | None = Field(
        None,
        description="Folder of a sentence-transformers model that texts are embedded with; unset: the bundled MiniLM.",
    )
    search_inside: bool = Field(
        False,
        description="Let readers search inside EPUB and PDF files; `openshelf ingest texts` reads or removes them.",
    )
    secret: SecretStr | None = Field(
        None,
        description="Key of the reader pseudonyms, 32 characters or more; unset: made once under the home folder.",
    )
    host: str = Field("127.0.0.1", description="Address the storefront listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port the storefront listens on.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Who gives it as Bearer token may read /metrics; unset: who is on this machine may.",
    )
    api_public: bool = Field(
        True, description="Let anyone read the catalogue by /api and /opds; false: who has a key or signs in."
    )
    api_origins: str | None = Field(
        None, description="Sites whose pages may call /api, https://host[,https://host]; unset: none."
    )
    demo_readers: bool = Field(
        True, description="Let visitors sign in as a demo reader; refused unless bound to loopback."
    )
    registration: bool = Field(
        True, description="Let visitors make an account of their own; false: `openshelf reader create` alone does."
    )
    sign_in_idle_minutes: int = Field(
        60,
        ge=1,
        le=LONGEST_MINUTES,
        description="Who is signed in is signed out after this many minutes without using a page.",
    )
    shared_idle_minutes: int = Field(
        15,
        ge=1,
        le=LONGEST_MINUTES,
        description="The same for who said, when signing in, that the computer is a shared one.",
    )
    sign_in_days: int = Field(14, ge=1, le=400, description="A sign-in ends after this many days, used or not.")
    downloads: Literal["all", "signed-in", "none"] = Field(
        "all", description="Who may take a book's file away: everybody, whoever is signed in, or nobody."
    )
    privacy_contact: str | None = Field(
        None, description="Whom readers ask about their data, as the notice names it; unset: the library's desk."
    )
    law_contact: str | None = Field(
        None, description="The one person who answers warrants and requests of authorities; unset: the director."
    )
    retention_visit_minutes: int = Field(
        60,
        ge=1,
        le=LONGEST_MINUTES,
        description="Acts of who keeps no history go this many minutes after the last one of the visit.",
    )
    retention_event_days: int = Field(
        90, ge=8, le=3_650, description="Raw events stay this many days; a history, for as long as its reader chose."
    )
    retention_dead_letter_days: int = Field(
        30, ge=1, le=LONGEST_DAYS, description="Events that could not be read stay so many days."
    )
    retention_search_days: int = Field(
        365, ge=1, le=LONGEST_DAYS, description="Searches that found nothing, which are nobody's."
    )
    retention_sign_in_days: int = Field(
        7, ge=0, le=LONGEST_DAYS, description="A sign-in that has ended stays this many days."
    )
    retention_audit_days: int = Field(
        365, ge=1, le=LONGEST_DAYS, description="What staff did stays in the log for so many days."
    )
    retention_certificate_days: int = Field(
        1_095, ge=1, le=LONGEST_DAYS, description="Certificates of erasures stay so many days."
    )
    retention_model_days: int = Field(
        90,
        ge=1,
        le=LONGEST_DAYS,
        description="Weights of models that serve no more stay so many days, as what they learned from; figures stay.",
    )
    retention_backup_days: int = Field(
        90,
        ge=1,
        le=LONGEST_DAYS,
        description="Backups are kept no longer; until then erased readers are known by a mark of theirs.",
    )
    alert_webhook: SecretStr | None = Field(
        None, description="Address that broken rules on freshness and quality are posted to as JSON; unset: none."
    )
    alert_email: str | None = Field(
        None, description="Who gets them by mail; several are parted by commas. Unset: nobody."
    )
    alert_sender: str = Field("openshelf@localhost", description="Whom these mails come from.")
    smtp_url: SecretStr | None = Field(
        None,
        description="Mail server, smtp://HOST:PORT, smtp+tls:// for STARTTLS, smtps:// for TLS; a name and password "
        "stand before the host. Unset: smtp://localhost:25.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe log line written."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="json: one object per line; console: for people; auto: console on a terminal."
    )
    slate_size: int = Field(12, ge=1, le=50, description="Places in a slate.")
    explore_share: float = Field(
        0.05, ge=0, le=1, description="Share of places drawn uniformly at random, for exploration."
    )
    cold_pool: int = Field(
        20, ge=1, le=100_000, description="A cold reader's slate is drawn from this many most popular works."
    )
    fallback: str = Field(
        "popular",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Kind of model whose champion serves readers the policy cannot rank for; popular needs no model.",
    )
    session_minutes: int = Field(
        30, ge=1, le=LONGEST_MINUTES, description="A session ends after this many minutes without an act."
    )
    database_timeout_s: int = Field(30, ge=1, le=LONGEST_STATEMENT_S, description="Longest time one statement may run.")
    ollama_url: str = Field("http://127.0.0.1:11434", description="Where Ollama answers.")
    ollama_model: str = Field("qwen3:1.7b", description="Model that gives the chat its voice.")
    ollama_timeout_s: float = Field(30.0, gt=0, le=3_600, description="Deadline of one whole answer of the model.")
    ollama_patience_s: float = Field(
        1.5,
        gt=0,
        le=3_600,
        description="The model must say something of use within this time; else the catalogue's own words answer.",
    )
    ollama_temperature: float = Field(0.3, ge=0, le=2, description="How freely the model chooses its words.")
    ollama_top_p: float = Field(0.9, gt=0, le=1, description="Share of likely words that the model chooses among.")
    ollama_max_tokens: int = Field(400, ge=16, le=4_000, description="Most tokens of one answer of the model.")
    chat_parse: bool = Field(True, description="Let the model help to understand a question that our rules do not.")
    chat_rerank: bool = Field(False, description="Let the model put the works found in their order.")
    chat_at_once: int = Field(2, ge=1, le=64, description="Questions that one process puts to the model at a time.")

    wandb_mode: Literal["off", "offline", "online"] = Field(
        "off", description="Show training runs in Weights & Biases; offline: in files under the home folder only."
    )
    wandb_key: SecretStr | None = Field(None, description="API key of Weights & Biases; only mode online needs it.")

    @field_validator("database_url")
    @classmethod
    def _postgres_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        if value:
            import psycopg  # imported late: not every command needs it
            from psycopg.conninfo import conninfo_to_dict

            try:
                conninfo_to_dict(value.get_secret_value())
            except psycopg.ProgrammingError as error:
                # Its words quote what it stumbled over, which may be the password.
                raise ValueError(
                    "is no address of Postgres, postgresql://USER:PASSWORD@HOST:PORT/DATABASE; in a password "
                    "every % @ : / ? # is written as %25 %40 %3A %2F %3F %23"
                ) from error
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("smtp://", "smtp+tls://", "smtps://")):
            raise ValueError("must start with smtp://, smtp+tls:// or smtps://")
        if value and not _host(value.get_secret_value()):
            raise ValueError("names no host, or no port between 1 and 65535")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        if value and not _host(value.get_secret_value()):
            raise ValueError("names no host, or no port between 1 and 65535")
        return value

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        for address in value.split(",") if value else []:
            found = _ADDRESS.fullmatch(address.strip())
            if not found or not 1 <= int(found[1]) <= 65_535:
                raise ValueError(f"{address.strip()!r} must be host:port; several are parted by commas")
        return value

    @field_validator("ollama_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")) or not _host(value):
            raise ValueError("must be http://HOST:PORT or https://HOST:PORT")
        return value

    @field_validator("alert_email", "alert_sender")
    @classmethod
    def _mail_addresses(cls, value: str | None) -> str | None:
        for address in value.split(",") if value else []:
            if not re.fullmatch(r"[^@\s]+@[^@\s]+", address.strip()):
                raise ValueError(f"{address.strip()!r} must be name@host; several are parted by commas")
        return value

    @field_validator("api_origins")
    @classmethod
    def _origins(cls, value: str | None) -> str | None:
        for origin in value.split(",") if value else []:
            if not re.fullmatch(r"https?://[A-Za-z0-9.\-\[\]:]+", origin.strip()):
                raise ValueError(f"{origin.strip()!r} must be https://host or http://host:port; commas part several")
        return value

    @field_validator("broker_ca_file")
    @classmethod
    def _file(cls, value: Path | None) -> Path | None:
        if value and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @model_validator(mode="after")
    def _one_way_to_speak_to_the_broker(self) -> "Settings":
        problems = []
        for name, word, is_needed in _BROKER_WORDS:
            given, fits = getattr(self, name), word in self.broker_security
            variable, security = PREFIX + name.upper(), f"{PREFIX}BROKER_SECURITY={self.broker_security}"
            if given and not fits:
                problems.append(f"{variable} says nothing with {security}: take one of the {word} ones, or unset it")
            elif fits and is_needed and not given:
                problems.append(f"{variable} is needed with {security}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @field_validator("share")
    @classmethod
    def _share(cls, value: str) -> str:
        return str(topics.Share.parse(value))

    @field_validator("secret")
    @classmethod
    def _long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < SECRET_LENGTH:
            raise ValueError(f"must have at least {SECRET_LENGTH} characters")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not re.fullmatch(r"[!-~]{16,}", value.get_secret_value()):
            raise ValueError("must have at least 16 characters, all printable and none a space")
        return value

    @property
    def topics(self) -> topics.Topics:
        return topics.Topics(self.topic_prefix)

    @property
    def library_path(self) -> Path:
        return self.calibre_library or self.home / "library"

    @property
    def is_loopback(self) -> bool:
        return self.host in {"127.0.0.1", "localhost", "::1"}

    def plain(self) -> dict[str, str]:
        """What is set, by the name of its variable; secrets are left out."""
        return {
            PREFIX + name.upper(): str(getattr(self, name))
            for name in sorted(self.model_fields_set)
            if not isinstance(getattr(self, name), SecretStr)
        }

    def reader_secret(self) -> bytes:
        """The installation's own key; made on first use, readable by the owner only.

        Raises:
            SettingsError: its file is damaged or cannot be read: with another key no history would be its reader's.
        """
        if self.secret:
            return self.secret.get_secret_value().encode()
        path = self.home / "secret"
        try:
            if not path.exists():
                self.home.mkdir(parents=True, exist_ok=True)
                _make_secret(path)
            key = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror or error}. It holds the key of the pseudonyms.") from error
        if len(key) < SECRET_LENGTH:
            raise SettingsError(
                f"{path} is damaged: it should hold the key of the pseudonyms, {SECRET_LENGTH} characters or more. "
                "Bring back your copy of it; if there never was a history, remove the file, and a new key is made."
            )
        return key


def _make_secret(path: Path) -> None:
    """Whole or not at all, and of two processes that start together one makes it: what is there once never changes."""
    handle, made = tempfile.mkstemp(prefix=".secret-", dir=path.parent)  # for its owner alone
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(made, path)
    finally:
        os.unlink(made)


def _host(address: str) -> str | None:
    """The host of an address; None if there is none, or its port is none."""
    try:
        parts = urlsplit(address)
        return parts.hostname if parts.port != 0 else None
    except ValueError:
        return None


def secrets_folder() -> Path | None:
    """Where a setting may stand as a file of the variable's name in lower case: of systemd, else of containers."""
    folder = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/secrets"))
    return folder if folder.is_dir() else None


@cache
def get_settings() -> Settings:
    """Read once per process; all mistakes are reported together. A variable goes before `.env`, that before a file.

    Raises:
        SettingsError: an unknown or malformed variable.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields} | TEST_VARIABLES
    problems = [
        f"{name}: unknown setting" for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known
    ]
    folder = secrets_folder()
    files = [file for file in (sorted(folder.iterdir()) if folder else ()) if file.name.upper().startswith(PREFIX)]
    problems += [f"{file}: unknown setting" for file in files if file.name.upper() not in known]
    unreadable = [problem for file in files if (problem := _problem_of_secret(file))]
    in_file = _problems_of_env_file(Path(".env"))
    # What cannot be read is said once, and by us.
    sources = {"_secrets_dir": None if unreadable else folder} | ({"_env_file": None} if in_file else {})
    problems += unreadable + in_file
    try:
        settings = Settings(**sources)  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        problems += [_told(details["loc"], details["msg"]) for details in error.errors()]
    else:
        if not problems:
            return settings.model_copy(update={"home": settings.home.resolve()})
    raise SettingsError("; ".join(problems) + ". Mend the environment or .env (see .env.example).")


def _told(place: tuple[int | str, ...], message: str) -> str:
    """What pydantic found, in our words."""
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = ".".join(map(str, place)).upper()
    if message == "Extra inputs are not permitted":
        return f"{name} in .env: unknown setting"
    return f"{PREFIX}{name.removeprefix(PREFIX)}: {message}"


def _problem_of_secret(file: Path) -> str | None:
    """A secret that is not there for us would else be taken for one that is not set."""
    try:
        return None if file.read_text().strip() else f"{file}: is empty"
    except OSError as error:
        return f"{file}: {error.strerror or error}"
    except UnicodeDecodeError:
        return f"{file}: is no text"


def _problems_of_env_file(file: Path) -> list[str]:
    """Lines that say nothing would else be passed over. Never what stands in them, which may be a secret."""
    if not file.is_file():
        return []
    try:
        lines = list(parse_stream(io.StringIO(file.read_text("utf-8"))))
    except OSError as error:
        return [f"{file.resolve()}: {error.strerror or error}"]
    except UnicodeDecodeError:
        return [f"{file.resolve()}: is no text in UTF-8"]
    return [
        f"{file.resolve()}, line {line.original.line}: is not NAME=value"
        for line in lines
        if line.error or (line.key and line.value is None)
    ]


def example() -> str:
    """The text of `.env.example`: every setting with its meaning and default."""
    lines = [
        "# Every setting of Openshelf with its default. Generated: python -m openshelf.settings > .env.example",
        "# Signing in at the library's own provider (OpenID Connect) is set elsewhere: docs/operations.md, Signing in.",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        if isinstance(default, bool):
            default = str(default).lower()
        lines += ["", f"# {field.description}", f"#{PREFIX}{name.upper()}={default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(example(), end="")  # noqa: T201
