"""One settings object, read from `OPENSHELF_*` variables and `.env`.

`.env.example` is generated from it: `python -m openshelf.settings > .env.example`.
"""

import os
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from openshelf import topics
from openshelf.errors import SettingsError

PREFIX = "OPENSHELF_"
# Read by tests and benchmarks, not by the product: a real broker, and a folder of published data sets.
TEST_VARIABLES = {"OPENSHELF_TEST_BROKERS", "OPENSHELF_DATA_SETS"}

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
        60, ge=1, description="Who is signed in is signed out after this many minutes without using a page."
    )
    shared_idle_minutes: int = Field(
        15, ge=1, description="The same for who said, when signing in, that the computer is a shared one."
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
        60, ge=1, description="Acts of who keeps no history go this many minutes after the last one of the visit."
    )
    retention_event_days: int = Field(
        90, ge=8, le=3_650, description="Raw events stay this many days; a history, for as long as its reader chose."
    )
    retention_dead_letter_days: int = Field(30, ge=1, description="Events that could not be read stay so many days.")
    retention_search_days: int = Field(365, ge=1, description="Searches that found nothing, which are nobody's.")
    retention_sign_in_days: int = Field(7, ge=0, description="A sign-in that has ended stays this many days.")
    retention_audit_days: int = Field(365, ge=1, description="What staff did stays in the log for so many days.")
    retention_certificate_days: int = Field(1_095, ge=1, description="Certificates of erasures stay so many days.")
    retention_backup_days: int = Field(
        90, ge=1, description="Backups are kept no longer; until then erased readers are known by a mark of theirs."
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
    cold_pool: int = Field(20, ge=1, description="A cold reader's slate is drawn from this many most popular works.")
    fallback: str = Field(
        "popular",
        pattern=r"^[a-z][a-z0-9_]*$",
        description="Kind of model whose champion serves readers the policy cannot rank for; popular needs no model.",
    )
    session_minutes: int = Field(30, ge=1, description="A session ends after this many minutes without an act.")
    database_timeout_s: int = Field(30, ge=1, description="Longest time one statement may run.")
    ollama_url: str = Field("http://127.0.0.1:11434", description="Where Ollama answers.")
    ollama_model: str = Field("qwen3:1.7b", description="Model that gives the chat its voice.")
    ollama_timeout_s: float = Field(30.0, gt=0, description="Deadline of one whole answer of the model.")
    ollama_patience_s: float = Field(
        1.5,
        gt=0,
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
        return value

    @field_validator("smtp_url")
    @classmethod
    def _smtp_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("smtp://", "smtp+tls://", "smtps://")):
            raise ValueError("must start with smtp://, smtp+tls:// or smtps://")
        return value

    @field_validator("alert_webhook")
    @classmethod
    def _webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not value.get_secret_value().startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value

    @field_validator("brokers")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        for address in value.split(",") if value else []:
            found = _ADDRESS.fullmatch(address.strip())
            if not found or not 1 <= int(found[1]) <= 65_535:
                raise ValueError(f"{address.strip()!r} must be host:port; several are parted by commas")
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
        if value and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
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
        """The installation's own key; made on first use, readable by the owner only."""
        if self.secret:
            return self.secret.get_secret_value().encode()
        path = self.home / "secret"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            # O_EXCL: of two processes starting together, one writes and the other reads.
            try:
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(secrets.token_hex(32))
            except FileExistsError:
                pass
        return path.read_text().encode()


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
    problems += [
        f"{file}: unknown setting"
        for file in (sorted(folder.iterdir()) if folder else ())
        if file.name.upper().startswith(PREFIX) and file.name.upper() not in known
    ]
    try:
        settings = Settings(_secrets_dir=folder)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        problems += [
            f"{PREFIX}{'.'.join(map(str, e['loc'])).upper().removeprefix(PREFIX)}: {e['msg']}"
            if e["loc"]
            else e["msg"].removeprefix("Value error, ")
            for e in error.errors()
        ]
    else:
        if not problems:
            return settings.model_copy(update={"home": settings.home.resolve()})
    raise SettingsError("; ".join(problems) + ". Mend the environment or .env (see .env.example).")


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
