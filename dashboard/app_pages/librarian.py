"""What would a librarian put in my hands? The conversation itself stands on every page: see components/talk.py."""

import streamlit as st

from dashboard import resources, state
from dashboard.components import furniture, talk
from dashboard.language import _
from openshelf.database import chats

st.set_page_config(page_title=_("Ask the librarian") + " · Openshelf")
visitor = state.shown_visitor()
if visitor.account_id is not None:
    with resources.connection() as conn:
        kept = chats.of_account(conn, visitor.account_id)
    if kept:
        with st.container(key="os-kept-chats"):
            talk.earlier(kept)
            furniture.form(
                "forget_chats",
                "/your-data/forget-chats",
                [furniture.field("sure", _("Yes, delete all of them"), "checkbox")],
                _("Delete my chats"),
                folded=_("Delete my chats"),
                quiet=True,
                hidden={"to": "/librarian"},
            )
