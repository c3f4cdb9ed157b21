"""Calibre's database layout, as version 6 makes it: what a `metadata.db` must hold for Calibre to open it.

An interface, not a design of ours: names of tables, columns, indexes, triggers and views are Calibre's own.
Most of it follows one pattern (a book linked to authors, tags, ...), so it is generated from that pattern.
The triggers and views call `title_sort`, `uuid4`, `concat`, ..., which only Calibre defines: fill the tables
before `create_triggers_and_views`. Pure apart from the two functions that take a connection.
"""

import sqlite3

USER_VERSION = 25

_BOOKS = """create table books (
    id integer primary key autoincrement,
    title text not null default 'Unknown' collate nocase,
    sort text collate nocase,
    timestamp timestamp default current_timestamp,
    pubdate timestamp default current_timestamp,
    series_index real not null default 1.0,
    author_sort text collate nocase,
    isbn text default "" collate nocase,
    lccn text default "" collate nocase,
    path text not null default "",
    flags integer not null default 1,
    uuid text,
    has_cover bool default 0,
    last_modified timestamp not null default "2000-01-01 00:00:00+00:00")"""

# name -> columns after `id integer primary key`
_TABLES = {
    "authors": "name text not null collate nocase, sort text collate nocase, "
    'link text not null default "", unique(name)',
    "publishers": "name text not null collate nocase, sort text collate nocase, unique(name)",
    "series": "name text not null collate nocase, sort text collate nocase, unique(name)",
    "tags": "name text not null collate nocase, unique(name)",
    "languages": "lang_code text not null collate nocase, unique(lang_code)",
    "ratings": "rating integer check(rating > -1 and rating < 11), unique(rating)",
    "comments": "book integer not null, text text not null collate nocase, unique(book)",
    "data": "book integer not null, format text not null collate nocase, uncompressed_size integer not null, "
    "name text not null, unique(book, format)",
    "identifiers": 'book integer not null, type text not null default "isbn" collate nocase, '
    "val text not null collate nocase, unique(book, type)",
    "conversion_options": "format text not null collate nocase, book integer, data blob not null, unique(format, book)",
    "feeds": "title text not null, script text not null, unique(title)",
    "library_id": "uuid text not null, unique(uuid)",
    "metadata_dirtied": "book integer not null, unique(book)",
    "annotations_dirtied": "book integer not null, unique(book)",
    "preferences": "key text not null, val text not null, unique(key)",
    "books_plugin_data": "book integer not null, name text not null, val text not null, unique(book, name)",
    "last_read_positions": "book integer not null, format text not null collate nocase, user text not null, "
    "device text not null, cfi text not null, epoch real not null, pos_frac real not null default 0, "
    "unique(user, device, book, format)",
    "annotations": "book integer not null, format text not null collate nocase, user_type text not null, "
    "user text not null, timestamp real not null, annot_id text not null, annot_type text not null, "
    'annot_data text not null, searchable_text text not null default "", '
    "unique(book, user_type, user, format, annot_type, annot_id)",
}

_CUSTOM_COLUMNS = """create table custom_columns (
    id integer primary key autoincrement,
    label text not null,
    name text not null,
    datatype text not null,
    mark_for_delete bool default 0 not null,
    editable bool default 1 not null,
    display text default "{}" not null,
    is_multiple bool default 0 not null,
    normalized bool not null,
    unique(label))"""

# linked table -> (link column, columns that are unique together)
_LINKS = {
    "authors": ("author", "book, author"),
    "languages": ("lang_code", "book, lang_code"),
    "publishers": ("publisher", "book"),
    "ratings": ("rating", "book, rating"),
    "series": ("series", "book"),
    "tags": ("tag", "book, tag"),
}

_INDEXES = {
    "annot_idx": "annotations (book)",
    "authors_idx": "books (author_sort collate nocase)",
    "books_idx": "books (sort collate nocase)",
    "comments_idx": "comments (book)",
    "conversion_options_idx_a": "conversion_options (format collate nocase)",
    "conversion_options_idx_b": "conversion_options (book)",
    "custom_columns_idx": "custom_columns (label)",
    "data_idx": "data (book)",
    "formats_idx": "data (format)",
    "languages_idx": "languages (lang_code collate nocase)",
    "lrp_idx": "last_read_positions (book)",
    "publishers_idx": "publishers (name collate nocase)",
    "series_idx": "series (name collate nocase)",
    "tags_idx": "tags (name collate nocase)",
}

# Full text over the notes that readers make in Calibre's viewer.
_NOTE_SEARCH = {
    "annotations_fts": "unicode61 remove_diacritics 2",
    "annotations_fts_stemmed": "porter unicode61 remove_diacritics 2",
}


def create_tables(db: sqlite3.Connection) -> None:
    """All tables and indexes, empty."""
    db.execute(_BOOKS)
    db.execute(_CUSTOM_COLUMNS)
    for name, columns in _TABLES.items():
        db.execute(f"create table {name} (id integer primary key, {columns})")
    for table, (column, unique) in _LINKS.items():
        order = "item_order integer not null default 0, " if table == "languages" else ""
        link = f"books_{table}_link"
        db.execute(
            f"create table {link} (id integer primary key, book integer not null, "
            f"{column} integer not null, {order}unique({unique}))"
        )
        db.execute(f"create index {link}_aidx on {link} ({column})")
        db.execute(f"create index {link}_bidx on {link} (book)")
    for name, on in _INDEXES.items():
        db.execute(f"create index {name} on {on}")
    for name, tokenizer in _NOTE_SEARCH.items():
        db.execute(
            f"create virtual table {name} using fts5"
            f"(searchable_text, content = 'annotations', content_rowid = 'id', tokenize = '{tokenizer}')"
        )
    db.execute(f"pragma user_version = {USER_VERSION}")


def add_column(db: sqlite3.Connection, label: str, name: str, datatype: str, *, is_multiple: bool = False) -> int:
    """An added column of whole numbers ('int', one to a book) or of words ('text'); the number in its tables' names.

    Its views are left to Calibre, which makes them when it next changes its columns.
    """
    is_linked = datatype == "text"
    display = '{"is_names": false}' if is_multiple else "{}"
    number = db.execute(
        "insert into custom_columns (label, name, datatype, display, is_multiple, normalized) "
        "values (?, ?, ?, ?, ?, ?)",
        [label, name, datatype, display, is_multiple, is_linked],
    ).lastrowid
    assert number
    table, link = f"custom_column_{number}", f"books_custom_column_{number}_link"
    if not is_linked:
        db.execute(
            f"create table {table} (id integer primary key autoincrement, book integer, "
            "value int not null, unique(book))"
        )
        db.execute(f"create index {table}_idx on {table} (book)")
        return number
    db.execute(
        f"create table {table} (id integer primary key autoincrement, value text not null collate nocase, "
        'link text not null default "", unique(value))'
    )
    db.execute(f"create index {table}_idx on {table} (value collate nocase)")
    db.execute(
        f"create table {link} (id integer primary key autoincrement, book integer not null, value integer not null, "
        "unique(book, value))"
    )
    db.execute(f"create index {link}_aidx on {link} (value)")
    db.execute(f"create index {link}_bidx on {link} (book)")
    return number


def create_triggers_and_views(db: sqlite3.Connection) -> None:
    """Once the tables are filled: from here on only Calibre itself can insert or rename a book."""
    for statement in [*_book_triggers(), *_note_triggers(), *_reference_triggers(), *_views()]:
        db.execute(statement)


def _book_triggers() -> list[str]:
    parts = [f"books_{table}_link" for table in _LINKS]
    parts += ["data", "last_read_positions", "annotations", "comments", "conversion_options", "books_plugin_data"]
    parts += ["identifiers"]
    deletes = " ".join(f"delete from {part} where book=old.id;" for part in parts)
    sort_series = "update series set sort=title_sort(new.name) where id=new.id;"
    return [
        f"create trigger books_delete_trg after delete on books begin {deletes} end",
        "create trigger books_insert_trg after insert on books begin "
        "update books set sort=title_sort(new.title), uuid=uuid4() where id=new.id; end",
        "create trigger books_update_trg after update on books begin "
        "update books set sort=title_sort(new.title) where id=new.id and old.title <> new.title; end",
        f"create trigger series_insert_trg after insert on series begin {sort_series} end",
        f"create trigger series_update_trg after update on series begin {sort_series} end",
    ]


def _note_triggers() -> list[str]:
    forget = " ".join(
        f"insert into {t}({t}, rowid, searchable_text) values('delete', old.id, old.searchable_text);"
        for t in _NOTE_SEARCH
    )
    learn = " ".join(
        f"insert into {t}(rowid, searchable_text) values(new.id, new.searchable_text);" for t in _NOTE_SEARCH
    )
    bodies = {"insert": learn, "update": f"{forget} {learn}", "delete": forget}
    return [
        f"create trigger annotations_fts_{act}_trg after {act} on annotations begin {body} end"
        for act, body in bodies.items()
    ]


def _guard(name: str, event: str, *checks: tuple[str, str, str]) -> str:
    """A trigger that refuses a key (second) of a table (first) that is not there; third: Calibre's message."""
    cases = " ".join(
        f"when (select id from {table} where id=new.{column}) is null "
        f"then raise(abort, 'Foreign key violation: {message}')"
        for table, column, message in checks
    )
    return f"create trigger {name} before {event} begin select case {cases} end; end"


def _reference_triggers() -> list[str]:
    book = ("books", "book", "book not in books")
    triggers = []
    for table, short in {
        "comments": "comments",
        "data": "data",
        "annotations": "annot",
        "last_read_positions": "lrp",
    }.items():
        triggers.append(_guard(f"fkc_{short}_insert", f"insert on {table}", book))
        triggers.append(_guard(f"fkc_{short}_update", f"update of book on {table}", book))
    for table, (column, _) in _LINKS.items():
        link = f"books_{table}_link"
        linked = (table, column, f"{column} not in {table}")
        triggers.append(_guard(f"fkc_update_{link}_a", f"update of book on {link}", book))
        triggers.append(_guard(f"fkc_update_{link}_b", f"update of {column} on {link}", linked))
        # Calibre's own slip of the pen: its languages trigger is called "delete".
        name = "fkc_delete_on_languages_link" if table == "languages" else f"fkc_insert_{link}"
        triggers.append(_guard(name, f"insert on {link}", book, linked))
        if table != "ratings":
            triggers.append(
                f"create trigger fkc_delete_on_{table} before delete on {table} begin select case "
                f"when (select count(id) from {link} where {column}=old.id) > 0 "
                f"then raise(abort, 'Foreign key violation: {table} is still referenced') end; end"
            )
    return triggers


def _views() -> list[str]:
    views = [
        """create view meta as select id, title,
            (select sortconcat(bal.id, name) from books_authors_link as bal join authors on(author = authors.id)
             where book = books.id) authors,
            (select name from publishers
             where publishers.id in (select publisher from books_publishers_link where book=books.id)) publisher,
            (select rating from ratings
             where ratings.id in (select rating from books_ratings_link where book=books.id)) rating,
            timestamp,
            (select max(uncompressed_size) from data where book=books.id) size,
            (select concat(name) from tags
             where tags.id in (select tag from books_tags_link where book=books.id)) tags,
            (select text from comments where book=books.id) comments,
            (select name from series
             where series.id in (select series from books_series_link where book=books.id)) series,
            series_index, sort, author_sort,
            (select concat(format) from data where data.book=books.id) formats,
            isbn, path, lccn, pubdate, flags, uuid
           from books"""
    ]
    sorts = dict.fromkeys(["publishers", "tags"], "name")
    sorts |= {"authors": "sort", "ratings": "rating", "series": "(title_sort(name))"}
    whole = ("", "", "")
    filtered = ("filtered_", "and books_list_filter(book)", "and books_list_filter(bl.book)")
    for table, sort in sorts.items():
        column, link = _LINKS[table][0], f"books_{table}_link"
        shown = "rating" if table == "ratings" else "name"
        for prefix, of_link, of_book in (whole, filtered):
            views.append(
                f"""create view tag_browser_{prefix}{table} as select id, {shown},
                    (select count({link}.id) from {link} where {column}={table}.id {of_link}) count,
                    (select avg(ratings.rating) from {link} as tl, books_ratings_link as bl, ratings
                     where tl.{column}={table}.id and bl.book=tl.book and ratings.id = bl.rating
                       and ratings.rating <> 0 {of_book}) avg_rating,
                    {sort} as sort
                   from {table}"""
            )
    return views
