"""What does the library keep of me, and how do I change that?"""

import streamlit as st

from dashboard import language, resources, state
from dashboard.components import furniture, own_data
from dashboard.components.furniture import field, form, section
from dashboard.language import _, plural
from openshelf.database.accounts import Account
from openshelf.privacy import choices


def done() -> str:
    """What the form just sent has done."""
    match st.query_params.get("done"):
        case "kept":
            return _("From now on your history is kept as you chose.")
        case "off":
            return _("No history is kept any more, and what there was is removed.")
        case "cleared":
            return _("Your history is removed. What you put down by hand, such as shelves and ratings, is still here.")
        case "chats-kept":
            return _("From now on your chats with the librarian are kept as you chose.")
        case "chats-off":
            return _("No chats are kept any more, and those there were are deleted.")
        case "chats-gone":
            return _("Your chats are deleted.")
    return ""


def history(account: Account) -> None:
    if account.audience_limit is not None:
        section(_("History"), _("Of children no history is kept, and nothing is concluded from what they read."))
        return
    now = choices.history_of(account)
    section(
        _("History"),
        _(
            "With a history, your recommendations know you the next time, you find again what you read, and a book "
            "opens where you stopped. It is kept under a code instead of your name. Without one, recommendations "
            "follow what you do now and forget it within an hour."
        ),
    )
    if now.asks_again:
        furniture.said(
            _("Our privacy notice has changed. Your history pauses until you say below that it may go on, or not.")
        )
    kept = "never" if not now.is_on else "always" if now.days is None else "days"
    fields = [
        field(
            "keep",
            _("Keep a history of what I do"),
            "select",
            value=kept,
            options=[
                ("never", _("No, never")),
                ("days", _("Yes, for a number of days")),
                ("always", _("Yes, until I delete it")),
            ],
            hint=_("If you choose “never”, the history that there is will be removed at once."),
        ),
        field("days", _("Days (if you chose a number)"), value=str(now.days or choices.DEFAULT_DAYS)),
    ]
    liked = sum(said == "like" for said in state.marks(state.shown_visitor()).opinions.values())
    if liked and not now.is_on and account.personal:
        label = plural(
            "Begin with the {count} book that I liked on this visit",
            "Begin with the {count} books that I liked on this visit",
            liked,
        )
        fields.append(field("begin", label, "checkbox", hint=_("Otherwise the history begins with what you do next.")))
    form("data_keep", "/your-data/keep", fields, _("Agree and save") if now.asks_again else _("Save"))


def talks(account: Account) -> None:
    """Chats with the librarian: kept in the tab alone, unless the reader wants otherwise. Of children none is kept."""
    if account.audience_limit is not None:
        return
    with resources.connection() as conn:
        now = choices.chats_of(conn, account.account_id)
    section(
        _("Chats with the librarian"),
        _(
            "A chat stays in the tab where you had it, and is gone when you close it. If you want to come back to it "
            "another day, the library can keep your questions and the books that were named."
        ),
    )
    if now.asks_again:
        furniture.said(_("Our privacy notice has changed. No new chat is kept until you say below that it may go on."))
    keep = field(
        "keep",
        _("Keep my chats"),
        "select",
        value="never" if now.days is None else "days",
        options=[("never", _("No, never")), ("days", _("Yes, for a number of days"))],
        hint=_("If you choose “never”, the chats that there are will be deleted at once."),
    )
    days = field("days", _("Days (if you chose a number)"), value=str(now.days or choices.DEFAULT_CHAT_DAYS))
    form("data_chats", "/your-data/keep-chats", [keep, days], _("Agree and save") if now.asks_again else _("Save"))
    if now.days is not None:
        sure = field("sure", _("Yes, delete all of them"), "checkbox")
        form(
            "data_forget_chats", "/your-data/forget-chats", [sure], _("Delete my chats"), folded=_("Delete my chats"),
            quiet=True,
        )  # fmt: skip


def mode(visitor: state.Visitor) -> None:
    if visitor.audiences is not None:  # a child sees the same as every other already
        return
    line = (
        _("Recommendations follow what you do. You can see the same books as everyone instead; then nothing you do "
          "is stored.")
        if visitor.personal
        else _("You see the same books as everyone, and nothing you do is stored.")
    )  # fmt: skip
    section(_("Recommendations"), line)
    own_data.mode_switch(visitor, "/your_data")


def copy_of_all() -> None:
    section(
        _("A copy for you"),
        _("Everything the library keeps of you, as files that you can open and other programs can read."),
    )
    label = _("Download everything")
    st.html(f'<p><a class="os-button" href="/your-data/export" download>{label}</a></p>')


def removal(account: Account) -> None:
    section(
        _("Remove"),
        _("What you remove is removed everywhere. It cannot be brought back, not even by the library."),
    )
    sure = field("sure", _("Yes, remove my history"), "checkbox")
    form(
        "data_clear", "/your-data/clear", [sure], _("Remove the history"), folded=_("Remove my history"), quiet=True,
        line=_(
            "What you opened, liked and read, and chats that are kept. Your shelves, lists and ratings stay: you put "
            "them down by hand."
        ),
    )  # fmt: skip
    name = field("username", _("Your user name, to be sure"), required=True)
    form(
        "data_erase", "/your-data/erase", [name], _("Remove the account"), folded=_("Remove my account"), quiet=True,
        line=_(
            "The account with its history, chats, shelves, lists, ratings and requests, and the accounts of children "
            "that belong to it. What stays is a line that says on which day an account was removed, and not whose."
        ),
    )  # fmt: skip


st.set_page_config(page_title=_("Your data · Openshelf"))
visitor = state.current_visitor()
with st.container(key="os-data-page"):
    label = _("Privacy notice")
    notice_link = f'<a href="/privacy" target="_self">{label}</a>'
    furniture.heading(_("Your data"), _("You decide what the library keeps of you.") + " " + notice_link)
    if words := done():
        furniture.said(words)
    if visitor.account:
        history(visitor.account)
        talks(visitor.account)
    else:
        section(
            _("History"),
            _("You are not signed in: nothing is tied to you. What you do moves your shelf, and is forgotten {when}.")
            .replace("{when}", language.plural("{count} minute after your visit", "{count} minutes after your visit",
                                               own_data.visit_minutes())),
        )  # fmt: skip
    mode(visitor)
    if visitor.account:
        copy_of_all()
        removal(visitor.account)
