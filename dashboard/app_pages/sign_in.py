"""Who are you?"""

import streamlit as st

from dashboard import auth, data, forms, providers, resources, state
from dashboard.components import furniture
from dashboard.components.furniture import field, form, heading
from dashboard.language import _, plural
from openshelf.settings import get_settings

settings = get_settings()


def back_from_provider() -> None:
    """Who the library's own provider just named gets an account of ours, and this browser a sign-in to it."""
    person = providers.person()
    if person is None:
        return
    with resources.connection() as conn:
        account = providers.account_of(conn, person)
    ticket = auth.ticket(account.account_id, state.cookie(forms.COOKIE))
    heading(_("Welcome back"))
    form("provider", "/auth/provider", [], _("Go on"), hidden={"ticket": ticket}, sends_itself=True)
    furniture.end_page()


if state.shown_visitor().account:
    st.switch_page("app_pages/home.py")
with st.container(key="os-door"):
    back_from_provider()
    heading(_("Sign in"))
    form(
        "sign_in_form",
        "/auth/sign-in",
        [
            field("username", _("User name"), autocomplete="username", required=True),
            field("password", _("Password"), "password", autocomplete="current-password", required=True),
            field(
                "shared",
                _("This is a shared computer"),
                "checkbox",
                hint=plural(
                    "You are signed out after {count} quiet minute, and nothing stays behind.",
                    "You are signed out after {count} quiet minutes, and nothing stays behind.",
                    settings.shared_idle_minutes,
                ),
            ),
        ],
        _("Sign in"),
    )
    if settings.registration:
        furniture.aside(_("New here?"), _("Make an account"), "/register")
    for provider in providers.names():
        providers.button(provider)
if settings.demo_readers and settings.is_loopback and (readers := data.demo_accounts()):
    with st.container(key="os-narrow"):
        furniture.readers(
            readers,
            _("Or be someone else"),
            _("This is a demonstration: each of these readers has a taste of their own."),
        )
