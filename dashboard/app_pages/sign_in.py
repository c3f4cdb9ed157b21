"""Who are you?"""

import streamlit as st

from dashboard import data
from dashboard.components import furniture
from openshelf.settings import get_settings

settings = get_settings()
if not (settings.demo_readers and settings.is_loopback):
    furniture.notice("Signing in is not set up here", "Everything else works without an account.")
    st.stop()
readers = data.demo_accounts()
if not readers:
    furniture.notice("There are no demo readers yet", "Everything else works without an account.")
    st.stop()
with st.container(key="os-narrow"):
    furniture.heading("Choose a reader", "This is a demonstration: each of these readers has a taste of their own.")
    furniture.readers(readers)
