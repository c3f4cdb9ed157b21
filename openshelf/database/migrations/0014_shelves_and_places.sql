-- What readers make of the library: lists of their own, shelves that a rule fills, and their place in a text.
create table reading.lists (
    list_id int generated always as identity primary key,
    account_id int not null references reading.accounts on delete cascade,
    name text not null check (length(name) between 1 and 80),
    rule jsonb, -- null: filled by hand, else by openshelf.database.shelves.Rule
    created_at timestamptz not null default now(),
    removed_at timestamptz, -- removed lists can be brought back for a day
    unique (list_id, account_id)
);
create unique index lists_name on reading.lists (account_id, lower(name)) where removed_at is null;

create table reading.list_entries (
    list_id int not null,
    account_id int not null, -- whose list it is, so that whatever is a person's is found by this column
    book_id int not null references library.works,
    added_at timestamptz not null default now(),
    primary key (list_id, book_id),
    foreign key (list_id, account_id) references reading.lists (list_id, account_id) on delete cascade
);
create index list_entries_account on reading.list_entries (account_id);

-- Only of accounts that keep a history; others have their place in their own browser.
create table reading.places (
    account_id int not null references reading.accounts on delete cascade,
    book_id int not null references library.works,
    part int not null check (part between 1 and 10000), -- of the text, from 1
    block int not null check (block between 0 and 1000000), -- paragraph of the part, from 0
    progress real not null check (progress between 0 and 1), -- of the whole book
    updated_at timestamptz not null default now(),
    primary key (account_id, book_id)
);
