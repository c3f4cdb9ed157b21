"""One settings object, read from `OPENSHELF_*` variables and `.env`.

`.env.example` is generated from it: `python -m openshelf.settings > .env.example`.
"""

import os
import secrets
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from openshelf.errors import SettingsError

PREFIX = "OPENSHELF_"
# Read by tests and benchmarks, not by the product: a real broker, and a folder of published data sets.
TEST_VARIABLES = {"OPENSHELF_TEST_BROKERS", "OPENSHELF_DATA_SETS"}


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
    calibre_library: Path | None = Field(
        None, description="Calibre library folder (holds metadata.db); unset: the demo library."
    )
    secret: SecretStr | None = Field(
        None,
        description="Key of the reader pseudonyms, 32 characters or more; unset: made once under the home folder.",
    )
    host: str = Field("127.0.0.1", description="Address the storefront listens on.")
    port: int = Field(8501, ge=1, le=65535, description="Port the storefront listens on.")
    demo_readers: bool = Field(
        True, description="Let visitors sign in as a demo reader; refused unless bound to loopback."
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

    @field_validator("secret")
    @classmethod
    def _long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < 32:
            raise ValueError("must have at least 32 characters")
        return value

    @property
    def library_path(self) -> Path:
        return self.calibre_library or self.home / "library"

    @property
    def is_loopback(self) -> bool:
        return self.host in {"127.0.0.1", "localhost", "::1"}

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


@cache
def get_settings() -> Settings:
    """Read once per process; all mistakes are reported together.

    Raises:
        SettingsError: an unknown or malformed variable.
    """
    known = {PREFIX + name.upper() for name in Settings.model_fields} | TEST_VARIABLES
    problems = [
        f"{name}: unknown setting" for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known
    ]
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        problems += [
            f"{PREFIX}{'.'.join(map(str, e['loc'])).upper().removeprefix(PREFIX)}: {e['msg']}" for e in error.errors()
        ]
    else:
        if not problems:
            return settings.model_copy(update={"home": settings.home.resolve()})
    raise SettingsError("; ".join(problems) + ". Mend the environment or .env (see .env.example).")


def example() -> str:
    """The text of `.env.example`: every setting with its meaning and default."""
    lines = ["# Every setting of Openshelf with its default. Generated: python -m openshelf.settings > .env.example"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else field.default
        if isinstance(default, bool):
            default = str(default).lower()
        lines += ["", f"# {field.description}", f"#{PREFIX}{name.upper()}={default}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(example(), end="")  # noqa: T201
