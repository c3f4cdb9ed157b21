-- What foreign programs show to speak to the storefront over HTTP. Programs of one source share its readers.
create table reading.api_keys (
    api_key_id int generated always as identity primary key,
    name text not null,
    source text not null check (source ~ '^[a-z0-9][a-z0-9-]{0,31}$'),
    prefix text not null, -- the first characters of the key, to tell it by
    key_hash bytea not null unique, -- SHA-256; the key itself is nowhere
    scopes text[] not null check (
        cardinality(scopes) > 0 and scopes <@ array['read', 'recommend', 'write', 'any-reader']
    ),
    requests_per_minute int not null check (requests_per_minute > 0),
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    -- The minute that is being counted.
    counting_since timestamptz not null default now(),
    count_requests int not null default 0
) with (fillfactor = 50); -- each request changes a row in place
create unique index api_keys_name on reading.api_keys (name) where revoked_at is null;
