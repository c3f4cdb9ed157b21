"""What does the library do with what it knows of me? The notice, in plain words; see `readers.NOTICE_VERSION`."""

import html

import streamlit as st

from dashboard.components import furniture, own_data
from dashboard.components.furniture import section
from dashboard.language import _, plural
from openshelf.readers import NOTICE_VERSION
from openshelf.settings import get_settings


def days(count: int) -> str:
    return plural("{count} day", "{count} days", count)


st.set_page_config(page_title=_("Privacy · Openshelf"))
settings = get_settings()
contact = html.escape(settings.privacy_contact or "") or _("the library’s desk")
law = html.escape(settings.law_contact or "") or _("the director of the library")
with st.container(key="os-privacy-page"):
    furniture.heading(
        _("Privacy"), _("What you read is your own affair. This is all that we keep, why, and for how long.")
    )
    if st.query_params.get("done") == "erased":
        furniture.said(_("Your account is removed, with everything that the library kept of you."))
    section(
        _("Without an account"),
        _(
            "We do not know who you are. What you do here moves your own shelf during this visit; it is stored under a "
            "number that was made for the visit and removed {minutes} after your last act. Cookies hold that number, "
            "your language, and nothing of you."
        ).replace("{minutes}", plural("{count} minute", "{count} minutes", own_data.visit_minutes())),
    )
    section(
        _("With an account"),
        _(
            "We keep your user name, the name we call you by, your e-mail address if you give one, and a scrambled "
            "form of your password from which it cannot be read. Shelves, lists, ratings, hidden books and requests "
            "are kept because you put them there, until you take them away. A sign-in that has ended is forgotten "
            "after {days}."
        ).replace("{days}", days(settings.retention_sign_in_days)),
    )
    section(
        _("Your history"),
        _(
            "It is off until you turn it on, and an account works without it. If you turn it on, we keep what you "
            "open, like and read, what we recommended and why, and where you stopped in a book. It stands under a code "
            "instead of your name; the key to the codes is kept apart. You choose for how long: 90 days, another "
            "number of days, or until you delete it. We use it to recommend books to you, to show you your own "
            "history, and to learn, from many readers together, what to recommend. Children have no history."
        ),
    )
    section(
        _("Chats with the librarian"),
        _(
            "A chat stays in the tab where you had it, and is gone when you close it. With an account you can have "
            "your chats kept, for 30 days or as many as you choose; they are deleted then, and whenever you say so. "
            "Children's are never kept. If a question finds nothing, its chief words are counted, without you and "
            "without what looks like an address or a telephone number. Thumbs up and down are counted with the subject "
            "and the books of the answer, without you and without your words."
        ),
    )
    section(
        _("What staff see"),
        _(
            "Numbers about many readers together, never what one person reads, and no number about fewer than five. "
            "What was looked for in vain they read only if it was asked five times. What staff do is written down for "
            "{days}."
        ).replace("{days}", days(settings.retention_audit_days)),
    )
    section(
        _("Who else gets it"),
        _(
            "Nobody. These pages fetch nothing from anyone else, there is no counting by others, and the librarian you "
            "can ask runs on the library’s own computers."
        ),
    )
    section(
        _("For how long"),
        _(
            "Single acts as they came in: {events}. Events that could not be read: {letters}. Searches that found "
            "nothing, and thumbs, without you: {searches}. Copies for safety: at most {backups}; if one is ever used, "
            "what was removed is removed again. What was counted from many readers together stays as a number."
        )
        .replace("{events}", days(settings.retention_event_days))
        .replace("{letters}", days(settings.retention_dead_letter_days))
        .replace("{searches}", days(settings.retention_search_days))
        .replace("{backups}", days(settings.retention_backup_days)),
    )
    section(
        _("What you can do"),
        _(
            "See, download and remove everything, turn the history on and off, and see the same books as everyone, all "
            "under {page}, at once and without asking us. If you remove something it is removed everywhere: from the "
            "tables, from the figures with their next reckoning, and from what our recommendations learn at their next "
            "lesson."
        ).replace("{page}", '<a href="/your_data" target="_self">' + _("Your data") + "</a>"),
    )
    section(
        _("Who answers"),
        _("Questions about your data: {contact}. Authorities with a warrant turn to {law} alone.")
        .replace("{contact}", contact)
        .replace("{law}", law),
    )
    version = _("Version {version} of this notice. When it changes, we ask everyone who keeps a history again.")
    st.html(f'<p class="os-fine">{version.replace("{version}", NOTICE_VERSION)}</p>')
