-- Readers. The only place where an account meets its pseudonym.
create schema reading;

create table reading.accounts (
    account_id int generated always as identity primary key,
    username text not null unique,
    display_name text not null,
    role text not null default 'reader' check (role in ('reader', 'staff', 'admin')),
    kind text not null default 'local' check (kind in ('local', 'oidc', 'demo')),
    password_hash text,
    language text not null default 'en',
    history_enabled boolean not null default false, -- off until the reader turns it on
    created_at timestamptz not null default now()
);

create table reading.pseudonyms (
    account_id int primary key references reading.accounts on delete cascade,
    reader_key text not null unique
);

create table reading.consents (
    consent_id bigint generated always as identity primary key,
    account_id int not null references reading.accounts on delete cascade,
    kind text not null,
    granted boolean not null,
    notice_version text not null,
    decided_at timestamptz not null default now()
);

create table reading.sign_ins (
    token_hash bytea primary key, -- SHA-256 of the cookie
    account_id int not null references reading.accounts on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz
);

create table reading.shelf_entries (
    account_id int not null references reading.accounts on delete cascade,
    book_id int not null references library.works,
    shelf text not null check (shelf in ('want', 'reading', 'read')),
    added_at timestamptz not null default now(),
    primary key (account_id, book_id)
);

create table reading.ratings (
    account_id int not null references reading.accounts on delete cascade,
    book_id int not null references library.works,
    stars real not null check (stars between 1 and 5),
    rated_at timestamptz not null default now(),
    primary key (account_id, book_id)
);

create table reading.hidden_books (
    account_id int not null references reading.accounts on delete cascade,
    book_id int not null references library.works,
    hidden_at timestamptz not null default now(),
    primary key (account_id, book_id)
);
