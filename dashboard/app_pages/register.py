"""A new account: a name and a password are enough."""

import streamlit as st

from dashboard import state
from dashboard.components import furniture
from dashboard.components.furniture import field, form, heading
from dashboard.language import _
from openshelf.settings import get_settings

settings = get_settings()
if state.shown_visitor().account:
    st.switch_page("app_pages/home.py")
if not settings.registration:
    furniture.notice(_("The library makes the accounts here"), _("Please ask at the desk."), alone=True)
    furniture.end_page()
with st.container(key="os-door"):
    heading(_("Make an account"))
    form(
        "register_form",
        "/auth/register",
        [
            field(
                "username",
                _("User name"),
                hint=_("Any name; it need not be your real one."),
                autocomplete="username",
                required=True,
            ),
            field("display_name", _("How we address you (optional)"), autocomplete="nickname"),
            field(
                "email",
                _("E-mail (optional)"),
                "email",
                hint=_("Only for the library to reach you. Everything works without it."),
                autocomplete="email",
            ),
            field(
                "password",
                _("Password"),
                "password",
                hint=_("At least 10 characters. A few words are easier to keep than signs."),
                autocomplete="new-password",
                required=True,
            ),
            field("again", _("The password again"), "password", autocomplete="new-password", required=True),
            field("shared", _("This is a shared computer"), "checkbox"),
        ],
        _("Make the account"),
        line=_("No history of your reading is kept unless you turn it on later."),
    )
    furniture.aside(_("Have an account already?"), _("Sign in"), "/sign_in")
