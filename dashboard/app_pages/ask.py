"""Can the library get this book for me?"""

import streamlit as st

from dashboard import asking, resources, state
from dashboard.components import furniture
from dashboard.language import _
from models import query_text
from openshelf.database import requests

st.set_page_config(page_title=_("Ask the library for a book") + " · Openshelf")
furniture.heading(_("Ask the library for a book"))
if st.query_params.get("thanks"):
    furniture.notice(
        _("Thank you, it is on the list"), _("Staff look through the list every week, what most readers ask for first.")
    )
else:
    asking.draw_form(query_text.tidy(st.query_params.get("title", "")), headed=False)
account = state.shown_visitor().account
if account:
    with resources.connection() as conn:
        asked = requests.of_account(conn, account.account_id)
    asking.draw_asked(asked, "ask", _("Nothing yet."))
