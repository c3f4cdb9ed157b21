"""An address at which there is no page."""

import streamlit as st

from dashboard.components import furniture
from dashboard.language import _

st.set_page_config(page_title=_("Nothing stands here") + " · Openshelf")
furniture.notice(
    _("Nothing stands here"),
    _("There is no page at this address. Search above, or browse what is there."),
    alone=True,
)
