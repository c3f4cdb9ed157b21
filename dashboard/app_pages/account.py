"""My account: name, password, where I am signed in, and the accounts of my children."""

import streamlit as st

from dashboard import language, resources, state
from dashboard.components import furniture
from dashboard.components.furniture import field, form, heading
from dashboard.language import _
from openshelf.database import accounts, sign_ins
from openshelf.database.accounts import Account


def done() -> str:
    """What the form just sent has done."""
    match st.query_params.get("done"):
        case "profile":
            return _("Saved.")
        case "password":
            return _("The password is changed. Everywhere else this account is signed out.")
        case "child":
            return _("The account is made. Your child can sign in with it now.")
        case "limit":
            return _("Changed. It counts from the next page on.")
        case "removed":
            return _("The account and what it kept are gone.")
    return ""


def limits() -> list[tuple[str, str]]:
    return [
        ("children", _("Children's books")),
        ("young adult", _("Children's and young adults' books")),
    ]


def new_password(label: str) -> list[dict[str, object]]:
    hint = _("At least 10 characters. A few words are easier to keep than signs.")
    return [
        field("password", label, "password", hint=hint, autocomplete="new-password", required=True),
        field("again", _("The password again"), "password", autocomplete="new-password", required=True),
    ]


def profile(account: Account) -> None:
    fields = [
        field("display_name", _("How we address you"), value=account.display_name, autocomplete="nickname"),
        field(
            "email",
            _("E-mail (optional)"),
            "email",
            value=account.email or "",
            hint=_("Only for the library to reach you. Everything works without it."),
            autocomplete="email",
        ),
    ]
    line = _("You sign in as {username}.").format(username=account.username) if account.kind == "local" else ""
    form("account_profile", "/auth/profile", fields, _("Save"), heading=_("You"), line=line)


def password(account: Account) -> None:
    fields = [
        field("current", _("Present password"), "password", autocomplete="current-password", required=True),
        *new_password(_("New password")),
    ]
    hidden = {"username": account.username}  # password managers look for it
    form(
        "account_password",
        "/auth/password",
        fields,
        _("Change"),
        folded=_("Change the password"),
        hidden=hidden,
        quiet=True,
    )


def devices(account: Account) -> None:
    with resources.connection() as conn:
        here = sign_ins.of_account(conn, account.account_id)
    count = language.plural("You are signed in on {count} device.", "You are signed in on {count} devices.", len(here))
    form(
        "account_devices",
        "/auth/sign-out",
        [],
        _("Sign out everywhere"),
        heading=_("Where you are signed in"),
        line=count,
        hidden={"everywhere": "1"},
        quiet=True,
    )


def child(account: Account) -> None:
    """One child: its limit, a new password, its end."""
    key, hidden = f"child_{account.account_id}", {"child": str(account.account_id)}
    options = [*limits(), ("none", _("Everything: the child has grown up"))]
    hint = _("A grown-up account no longer belongs to yours, and this cannot be undone here.")
    limit = field("limit", _("May see"), "select", value=account.audience_limit or "", options=options, hint=hint)
    name = account.display_name
    line = _("Signs in as {username}.").format(username=account.username)
    form(f"{key}_limit", "/auth/child-limit", [limit], _("Save"), heading=name, line=line, hidden=hidden, quiet=True)
    form(
        f"{key}_password",
        "/auth/child-password",
        new_password(_("New password")),
        _("Change"),
        folded=_("A new password for {name}").format(name=account.display_name),
        hidden=hidden,
        quiet=True,
    )
    sure = field("sure", _("Yes, remove the account with its shelves and ratings"), "checkbox")
    form(
        f"{key}_removal",
        "/auth/child-removal",
        [sure],
        _("Remove"),
        folded=_("Remove {name}").format(name=account.display_name),
        hidden=hidden,
        quiet=True,
    )


def children(account: Account) -> None:
    with resources.connection() as conn:
        mine = accounts.children(conn, account.account_id)
    furniture.section(
        _("Children"),
        _(
            "A child signs in with a name and password of their own and sees only what you choose, on every page. Of "
            "children no history is kept, and nobody but you can change that."
        ),
    )
    for each in mine:
        with st.container(key=f"os-child-{each.account_id}"):
            child(each)
    fields = [
        field("username", _("User name"), required=True),
        field("display_name", _("How we address the child (optional)")),
        *new_password(_("Password")),
        field("limit", _("May see"), "select", options=limits(), value="children"),
    ]
    form("child_new", "/auth/child", fields, _("Make the account"), folded=_("Make an account for a child"))


account = state.current_visitor().account
if account is None:
    furniture.notice(_("You are not signed in"), _("Here you would find your name, password and devices."), alone=True)
    furniture.end_page()
with st.container(key="os-account-page"):
    heading(_("Your account"))
    if words := done():
        furniture.said(words)
    if account.audience_limit:
        furniture.said(
            _("This account shows {books}. The grown-up who made it looks after it.").format(
                books=dict(limits())[account.audience_limit]
            )
        )
    profile(account)
    if account.kind == "local":
        password(account)
    devices(account)
    if account.audience_limit is None:
        children(account)
