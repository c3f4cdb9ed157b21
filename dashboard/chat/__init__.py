"""The librarian: parse a question, retrieve works, let a voice answer. No Streamlit in here.

In: a question and the one before it. Out: an answer of works that are really on the shelf. Called by the
librarian's page and by `openshelf ask`.
"""
