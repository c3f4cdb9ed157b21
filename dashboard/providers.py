"""Signing in at the library's own provider (OpenID Connect), where Streamlit's secrets have an [auth] section.

Streamlit speaks with the provider and keeps who came back in a cookie of its own. That is read once: the page then
gives the browser a sign-in of ours, so that idle time, shared computers and signing out everywhere work alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
import streamlit as st

from dashboard.language import _
from openshelf.database import accounts
from openshelf.database.accounts import Account

# The provider of an [auth] section that names only one.
_ONLY = ""


@dataclass(frozen=True)
class Person:
    """Who the provider says this is: the same issuer and subject each time."""

    issuer: str
    subject: str
    name: str
    email: str | None


def names() -> list[str]:
    """The providers that are configured: '' for the only one, else each section's name."""
    if not st.secrets.load_if_toml_exists():
        return []
    section = st.secrets.get("auth")
    if not isinstance(section, Mapping):
        return []
    several = [name for name, value in section.items() if isinstance(value, Mapping)]
    return several or ([_ONLY] if "client_id" in section else [])


def button(name: str) -> None:
    label = _("Sign in with {provider}").format(provider=name.title()) if name else _("Sign in with your library card")
    st.button(label, key=f"provider.{name}", on_click=st.login, args=[name] if name else [], width="stretch")


def person() -> Person | None:
    """Who came back from the provider; None: nobody did."""
    if not names() or not st.user.is_logged_in:
        return None
    said = st.user.to_dict()
    issuer, subject = said.get("iss"), said.get("sub")
    if not isinstance(issuer, str) or not isinstance(subject, str):
        return None
    name = str(said.get("name") or said.get("preferred_username") or _("Reader"))[:80]
    email = said.get("email")
    return Person(issuer, subject, name, email if isinstance(email, str) else None)


def account_of(conn: psycopg.Connection, person: Person) -> Account:
    return accounts.of_provider(conn, person.issuer, person.subject, person.name, person.email)
