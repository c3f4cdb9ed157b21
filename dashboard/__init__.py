"""The Streamlit app: reader pages, the librarian chat, staff pages, HTTP routes.

In: Postgres. Out: what people see, and their acts into the event log. Started by `openshelf up`.
"""
