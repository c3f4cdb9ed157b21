-- The librarian: chats of who wants them kept, what readers thought of answers, and what was asked in vain.
alter table reading.accounts
    add column chat_days int check (chat_days between 1 and 3650), -- null: chats are not kept
    -- Of a child no chat is kept, whoever asks for it.
    add constraint accounts_limited_without_chats check (audience_limit is null or chat_days is null);

-- Grain: one row per question of an account that keeps its chats.
create table reading.chats (
    account_id int not null references reading.accounts on delete cascade,
    chat_id uuid not null, -- one conversation: until the reader starts again or closes the tab
    turn int not null check (turn between 1 and 1000), -- from 1
    question text not null check (length(question) between 1 and 2000),
    answer jsonb not null, -- opening, voice, refusal, language, books: [{book_id, why}]
    asked_at timestamptz not null default now(),
    primary key (account_id, chat_id, turn)
);
create index chats_asked on reading.chats (account_id, asked_at desc);

-- What readers thought of an answer: no account, no session, no hour, no words of theirs.
-- Grain: one row per answer that somebody judged.
create table reading.chat_feedback (
    answer_id uuid primary key, -- made for this alone, so that who thinks again is counted once
    day date not null default current_date,
    is_good boolean not null,
    language text not null,
    subjects text[] not null, -- of our list, as the question was understood
    book_ids int[] not null, -- the works that were named
    voice text not null, -- 'catalogue' or the name of a model
    refusal text, -- why no work was named
    steps text[] not null -- how the answer was made
);
create index chat_feedback_day on reading.chat_feedback (day);

-- Questions to the librarian without an answer stand beside searches without one.
alter table reading.unanswered_searches
    add column kind text not null default 'search' check (kind in ('search', 'chat')),
    drop constraint unanswered_searches_pkey,
    add primary key (day, kind, folded);
