-- People who sign in with a password or through their library's own sign-in, children under a guardian, and what
-- guards them: sign-ins that end when idle, limits on guessing, a log of what staff did.
alter table reading.accounts
    add column email text,
    add column password_changed_at timestamptz,
    -- What a child may see: works of this audience and younger. Null: everything.
    add column audience_limit text check (audience_limit in ('children', 'young adult')),
    add column guardian_id int references reading.accounts on delete cascade,
    -- Who the library's own sign-in (OpenID Connect) says this is.
    add column oidc_issuer text,
    add column oidc_subject text,
    add constraint accounts_oidc_unique unique (oidc_issuer, oidc_subject),
    -- Of a child no history is kept, whoever asks for it.
    add constraint accounts_limited_without_history check (audience_limit is null or not history_enabled),
    add constraint accounts_child_is_limited check (guardian_id is null or audience_limit is not null),
    add constraint accounts_child_is_reader check (guardian_id is null or role = 'reader'),
    add constraint accounts_no_own_guardian check (guardian_id <> account_id);
create index accounts_guardian on reading.accounts (guardian_id);

alter table reading.sign_ins
    add column last_seen_at timestamptz not null default now(),
    add column idle interval not null default interval '14 days', -- ends when not seen for this long
    add column shared_computer boolean not null default false;
create index sign_ins_account on reading.sign_ins (account_id);

-- How often something was tried of late: passwords, new accounts. Whoever tried is a keyed hash.
create table reading.attempts (
    action text not null,
    who bytea not null,
    count_tried int not null,
    resets_at timestamptz not null,
    primary key (action, who)
);

-- What staff and operators did: roles given, models promoted, experiments, exports. People stand in it as 'account 7'.
create table reading.audit_log (
    audit_id bigint generated always as identity primary key,
    noted_at timestamptz not null default now(),
    actor text not null,
    act text not null,
    subject text not null
);
create index audit_log_noted on reading.audit_log (noted_at desc);
