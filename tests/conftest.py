"""Shared fixtures: a real Postgres of the tests' own, a fresh migrated database for each test that asks.

`make test` runs in several processes (pytest-xdist): they share that Postgres, and whole modules go to one of them, so
that what a module builds once is built once.
"""

import atexit
import functools
import gc
import itertools
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import fasteners
import hypothesis
import psutil
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from xdist.scheduler import LoadScopeScheduling

from openshelf import garbage
from openshelf.database import embedded, migrate, pool
from openshelf.settings import Settings, get_settings

ROOT = Path(__file__).parent
# Dealt out first, in this order, so that none is waited for at the end: what takes longest. The first half of the
# browser's tests builds the demo, which the second half waits for.
BROWSER_FIRST = ("e2e/test_whole_road.py", "e2e/test_accessibility.py", "e2e/test_finding_in_browser.py")
LONG = (
    *BROWSER_FIRST,
    "warehouse",
    "staff",
    "streaming/test_faults.py",
    "e2e",
    "dags",
    "compose/test_commands.py",
    "streaming/test_broker_road.py",
    "streaming/test_many_workers.py",
    "privacy/test_whole_life.py",
    "chat/test_judge.py",
    "ingest/test_embedding_of_works.py",
    "streaming",  # waits much: what computes is dealt out after it, and beside
)

MAIN = sys.modules["__main__"]

_number = itertools.count()

# The tests' installation is their own whatever the developer's environment says.
for name in [name for name in os.environ if name.startswith("OPENSHELF_") and name != "OPENSHELF_TEST_BROKERS"]:
    del os.environ[name]

# One of the developers' tools brings grammars of web addresses. jsonschema compiles them wherever it is imported, which
# is nearly half of what a process of dbt or Airflow takes to start. Ours do without, as where there is no such tool.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT / "lean"), os.environ.get("PYTHONPATH")]))


# Three processes on two cores: threads that share out the sums of one only wait for each other, at full speed.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


# How long an example takes says how busy the machine is. FULL: look on, at other examples in each run.
hypothesis.settings.register_profile(
    "openshelf",
    deadline=None,
    derandomize=not os.environ.get("FULL"),
    # Fixtures of a function are made once for all its examples here, and that is meant.
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("openshelf")


class ByModule(LoadScopeScheduling):
    """Deals out modules, in the order in which they were collected; some together.

    Tests of the warehouse share what takes longest to build. A browser beside two others starves on two cores, so that
    pages are late for its tests: two processes have one, each with a storefront of its own.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0].removeprefix("tests/")
        folder = module.partition("/")[0]
        if folder == "e2e":
            return f"browser {module in BROWSER_FIRST}"
        return "warehouse" if folder in {"warehouse", "staff"} else module


def pytest_xdist_auto_num_workers() -> int:
    """Much of their time the tests wait."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    config.option.loadscopereorder = False
    return ByModule(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        path = item.path.relative_to(ROOT)
        named = [LONG.index(name) for name in (path.as_posix(), path.parts[0]) if name in LONG]
        return named[0] if named else len(LONG)

    items.sort(key=place)


MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 * 2**30


def where_to_share() -> Path:
    """In memory where there is plenty: thousands of databases are made and dropped there in a tenth of the time.

    What a killed run left in it goes now.
    """
    if not (os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES):
        return Path(tempfile.gettempdir())
    for left in MEMORY.glob("openshelf-tests-*"):
        if not psutil.pid_exists(int(left.name.split("-")[2])):
            for home in left.iterdir():
                embedded.stop(home)
            shutil.rmtree(left, ignore_errors=True)
    return MEMORY


def pytest_configure(config: pytest.Config) -> None:
    """Say where the processes of this run keep what they share; short, for the path of Postgres' socket."""
    if not hasattr(config, "workerinput"):
        os.environ["TESTS_SHARE"] = tempfile.mkdtemp(prefix=f"openshelf-tests-{os.getpid()}-", dir=where_to_share())
        # Registered before a server is held, and so done after it was let go.
        atexit.register(shutil.rmtree, os.environ["TESTS_SHARE"], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """All that is imported now stays to the end: not looked through for garbage then, nor later."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()
    garbage.seldom()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        for home in Path(os.environ["TESTS_SHARE"]).iterdir():
            embedded.stop(home)  # where one runs: also those of installations whose holder was killed


@pytest.fixture(scope="session")
def components_known() -> None:
    """A page that AppTest draws first looks through all installed packages for components, which takes a second: once
    in a process is enough."""
    from streamlit.components.v2 import manifest_scanner

    manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(autouse=True)
def own_main() -> Iterator[None]:
    """Streamlit puts the page that it draws in the place of `__main__`, where a process that we start would run it."""
    sys.modules["__main__"] = MAIN
    yield
    sys.modules["__main__"] = MAIN


@pytest.fixture(scope="session")
def shared() -> Path:
    """A folder of all processes of this run, gone when it ends."""
    return Path(os.environ["TESTS_SHARE"])


@pytest.fixture(scope="session")
def once(shared: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """What `make` returns (as JSON can say it), made by the first of all processes that asks for this name."""

    def made(name: str, make: Callable[[], Any]) -> Any:
        path = shared / f"{name}.json"
        with fasteners.InterProcessLock(shared / f"{name}.lock"):
            if not path.exists():
                path.write_text(json.dumps(make()))
            return json.loads(path.read_text())

    return made


@pytest.fixture(scope="session")
def server_home(shared: Path, once: Callable[[str, Callable[[], Any]], Any]) -> Path:
    """Home folder whose embedded Postgres serves the whole test run."""
    home = shared / "server"
    url = embedded.start(home)

    def relax() -> None:
        # Its databases end with the run; faults are tested on servers of their own, which sync.
        with psycopg.connect(url, autocommit=True) as conn:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                conn.execute(f"alter system set {setting} = off")
            conn.execute("select pg_reload_conf()")

    once("relaxed", relax)
    return home


@pytest.fixture(scope="session")
def server_url(server_home: Path) -> str:
    return embedded.start(server_home)


@pytest.fixture(scope="session")
def make_database(server_url: str) -> Callable[..., str]:
    """Create a database, empty or copied from a template, and return its URL; one of this name there was is gone."""

    def make(template: str | None = None, name: str | None = None) -> str:
        name = f"test_{os.getpid()}_{name or next(_number)}"
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(f'drop database if exists "{name}" with (force)')
            # Copied by file: half the work of the usual way, which writes every page to the log.
            admin.execute(f'create database "{name}" template "{template or "template0"}" strategy file_copy')
        head, _, tail = server_url.partition("/postgres?")
        return f"{head}/{name}?{tail}"

    return make


@pytest.fixture(scope="session")
def for_warehouse(
    make_database: Callable[..., str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Settings]:
    """A copy of a template to build a warehouse in, in the place of the copy before; its settings.

    One name and one home for all: dbt parses the project anew for another.
    """
    home = tmp_path_factory.mktemp("warehouse")
    return lambda template: Settings(database_url=SecretStr(make_database(template, name="warehouse")), home=home)


@pytest.fixture(scope="session")
def passing_copy(make_database: Callable[..., str], server_url: str) -> Callable[[str], AbstractContextManager[str]]:
    """A copy of a template, which goes with its block; its URL."""

    @contextmanager
    def copied(template: str) -> Iterator[str]:
        url = make_database(template)
        yield url
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(f'drop database "{conninfo_to_dict(url)["dbname"]}" with (force)')

    return copied


@pytest.fixture(scope="session")
def migrated_template(make_database: Callable[..., str], once: Callable[[str, Callable[[], Any]], Any]) -> str:
    """Name of a migrated, empty database to copy."""

    def migrated() -> str:
        with psycopg.connect(make_database()) as conn:
            migrate.migrate(conn)
            return conn.info.dbname

    return once("migrated", migrated)


def use_database(monkeypatch: pytest.MonkeyPatch, url: str, home: Path) -> None:
    """Point this process's settings at a database and a home of its own."""
    monkeypatch.setenv("OPENSHELF_DATABASE_URL", url)
    monkeypatch.setenv("OPENSHELF_HOME", str(home))
    get_settings.cache_clear()
    pool.close_pool()


@pytest.fixture
def another_machine(
    database: str, make_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path], None]:
    """Go on, with this home, as a machine whose database is empty; the secret was carried over by hand."""

    def move(home: Path) -> None:
        secret = get_settings().reader_secret()
        use_database(monkeypatch, make_database(), home)
        home.mkdir()
        (home / "secret").write_bytes(secret)

    return move


@pytest.fixture
def template(migrated_template: str) -> str:
    """Name of the database that a test's own is a copy of."""
    return migrated_template


@pytest.fixture
def database(
    passing_copy: Callable[[str], AbstractContextManager[str]],
    template: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Iterator[str]:
    """A fresh migrated database that `get_settings()`, `pool` and child processes use."""
    with passing_copy(template) as url:
        use_database(monkeypatch, url, tmp_path / "home")
        yield url
        pool.close_pool()
        get_settings.cache_clear()


@pytest.fixture
def conn(database: str) -> Iterator[psycopg.Connection]:
    """A connection to the fresh database."""
    with pool.connect() as connection:
        yield connection
