"""Signing in at the library's own provider (OpenID Connect): a small provider of the test's own on this machine."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, expect
from ports import free_port
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

import dashboard
from dashboard import state

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

SERVER = Path(dashboard.__file__).parent / "server.py"
PATIENCE_MS = 60_000


class Provider:
    """Says of whoever asks that it is this person."""

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.person = {"sub": "reader-7", "name": "Lan of the provider", "email": "lan@example.org"}
        self._key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})
        self._nonces: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.metadata),
                Route("/authorize", self.authorize),
                Route("/token", self.token, methods=["POST"]),
                Route("/keys", self.keys),
            ]
        )

    def metadata(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    def authorize(self, request: Request) -> Response:
        asked = request.query_params
        code = f"code{len(self._nonces)}"
        self._nonces[code] = asked["nonce"]
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    async def token(self, request: Request) -> Response:
        form = await request.form()
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": "openshelf",
            "iat": now,
            "exp": now + 300,
            "nonce": self._nonces[str(form["code"])],
            **self.person,
        }
        id_token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self._key)
        return JSONResponse({"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": id_token})

    def keys(self, _request: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})


@pytest.fixture
def provider() -> Iterator[Provider]:
    port = free_port()
    provider = Provider(port)
    server = uvicorn.Server(uvicorn.Config(provider.app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.05)
    yield provider
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def library(
    provider: Provider, make_database: Callable[..., str], migrated_template: str, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """A storefront whose secrets name the provider: its address and its database."""
    url, port = make_database(migrated_template), free_port()
    address = f"http://127.0.0.1:{port}"
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text(
        f"""[auth]
redirect_uri = "{address}/oauth2callback"
cookie_secret = "a secret of the test that is long enough"
client_id = "openshelf"
client_secret = "between us"
server_metadata_url = "{provider.issuer}/.well-known/openid-configuration"
"""
    )
    env = {name: value for name, value in os.environ.items() if not name.startswith("OPENSHELF_")} | {
        "OPENSHELF_DATABASE_URL": url,
        "OPENSHELF_HOME": str(tmp_path / "home"),
        "STREAMLIT_SERVER_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "streamlit", "run", str(SERVER)], env=env, cwd=tmp_path)
    deadline = time.monotonic() + 180
    while True:
        try:
            if httpx.get(f"{address}/healthz", timeout=2).status_code == 200:
                break
        except httpx.TransportError:
            pass
        assert process.poll() is None, "the storefront did not start"
        assert time.monotonic() < deadline, "the storefront does not answer"
        time.sleep(0.1)
    yield address, url
    process.terminate()
    process.wait(60)


def test_who_the_provider_names_has_an_account_and_signs_out_of_it(
    browser: Browser, library: tuple[str, str], provider: Provider
) -> None:
    address, url = library
    context = browser.new_context(base_url=address)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page = context.new_page()

    for _time in range(2):  # the second time it is the same account
        page.goto("/sign_in")
        page.get_by_role("button", name="Sign in with your library card").click()
        page.locator(".os-account summary", has_text="Lan of the provider").wait_for()
        kept = {cookie["name"] for cookie in context.cookies()}
        assert state.ACCOUNT_COOKIE in kept
        assert not any(name.startswith("_streamlit_user") for name in kept), "the sign-in is ours from here on"
        page.locator(".os-account summary").click()
        page.get_by_role("button", name="Sign out", exact=True).click()
        page.locator(".os-sign-in").wait_for()

    with psycopg.connect(url) as conn:
        rows = conn.execute(
            "select kind, role, oidc_issuer, oidc_subject, display_name, email, history_enabled from reading.accounts"
        ).fetchall()
    assert rows == [
        ("oidc", "reader", provider.issuer, "reader-7", "Lan of the provider", "lan@example.org", False),
    ]
    context.close()
