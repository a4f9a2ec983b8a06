-- The whole schema, for an empty database: psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f scripts/init_db.sql
--
-- `python -m backend migrate` builds the same, step by step, and also brings an older database up to date;
-- after this file it finds nothing to do. A test compares both.

BEGIN;

-- Readers. An address exists once in any letter case. token_version is part of every token: raising it
-- makes all tokens of before invalid (logout, new password).
CREATE TABLE users (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email varchar(320) NOT NULL,
  password_hash varchar(255) NOT NULL,
  name varchar(255) NOT NULL DEFAULT '',
  programming_level varchar(50) NOT NULL DEFAULT 'beginner'
    CONSTRAINT users_programming_level_known CHECK (programming_level IN ('beginner', 'intermediate', 'advanced')),
  hardware varchar(100) NOT NULL DEFAULT 'none'
    CONSTRAINT users_hardware_known CHECK (hardware IN ('none', 'gpu', 'jetson', 'robotics')),
  token_version integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email_unique ON users (lower(email));

-- Threads of questions. The reader is part of the key, so that no id can lead into somebody else's thread. Each has
-- at least one turn. updated_at is the time of the last turn.
CREATE TABLE conversations (
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  id uuid NOT NULL,
  title varchar(200) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, id)
);
CREATE INDEX conversations_newest_first ON conversations (user_id, updated_at DESC);

-- Questions with their answers, newest first per reader. sources: [{chapter_id, section, similarity, title,
-- url, quote}]. A refused answer is the only one that does not rest on the book; a partial one says what it leaves
-- open.
CREATE TABLE chat_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  conversation_id uuid NOT NULL,
  question text NOT NULL,
  answer text NOT NULL,
  sources jsonb NOT NULL DEFAULT '[]'
    CONSTRAINT chat_history_sources_is_list CHECK (jsonb_typeof(sources) = 'array'),
  mode varchar(20) NOT NULL
    CONSTRAINT chat_history_mode_known CHECK (mode IN ('claude', 'extractive', 'refused')),
  grounded boolean NOT NULL GENERATED ALWAYS AS (mode <> 'refused') STORED,
  created_at timestamptz NOT NULL DEFAULT now(),
  is_partial boolean NOT NULL DEFAULT false
    CONSTRAINT chat_history_partial_is_grounded CHECK (NOT is_partial OR mode <> 'refused'),
  outcome varchar(20) NOT NULL GENERATED ALWAYS AS (
    CASE WHEN mode = 'refused' THEN 'not_in_book' WHEN is_partial THEN 'partial' ELSE 'answered' END
  ) STORED,
  CONSTRAINT chat_history_in_conversation
    FOREIGN KEY (user_id, conversation_id) REFERENCES conversations (user_id, id) ON DELETE CASCADE
);
CREATE INDEX chat_history_newest_first ON chat_history (user_id, id DESC);
CREATE INDEX chat_history_conversation ON chat_history (user_id, conversation_id, id DESC);

-- What was asked and the book does not answer, for its author. Nothing here leads to a reader: no id, the time to
-- the hour, e-mail addresses and long numbers masked. Rows go after 90 days, and when there are 20,000 newer ones.
-- chapter_id, section and anchor name the nearest section; best_score is the fused score of the best passage.
CREATE TABLE unanswered_questions (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  asked_at timestamptz NOT NULL DEFAULT date_trunc('hour', now()),
  question varchar(500) NOT NULL,
  language varchar(10) NOT NULL
    CONSTRAINT unanswered_questions_language_known CHECK (language IN ('en', 'ur', 'ur-Latn', 'other')),
  outcome varchar(20) NOT NULL
    CONSTRAINT unanswered_questions_outcome_known CHECK (outcome IN ('not_in_book', 'partial')),
  reason varchar(20) NOT NULL
    CONSTRAINT unanswered_questions_reason_known CHECK (reason IN ('gate', 'model', 'citations', 'refused')),
  best_score real,
  chapter_id text,
  section text,
  anchor text
);
CREATE INDEX unanswered_questions_asked_at ON unanswered_questions (asked_at);

-- The book as it was ingested: whole chapters as Markdown. position counts from 0 in reading order;
-- content_hash covers content, title, url, module and position. front_matter is the block above the content (NULL: ingested
-- before it was kept).
CREATE TABLE chapters (
  chapter_id text PRIMARY KEY,
  title text NOT NULL,
  url text NOT NULL,
  module text NOT NULL,
  position integer NOT NULL CONSTRAINT chapters_position_not_negative CHECK (position >= 0),
  content text NOT NULL,
  content_hash text NOT NULL,
  source_path text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now(),
  front_matter text
);

-- What a reader has opened and finished.
CREATE TABLE user_progress (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  chapter_id text NOT NULL,
  completed boolean NOT NULL DEFAULT false,
  last_accessed timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT user_progress_once UNIQUE (user_id, chapter_id)
);

-- Translated chapters, complete and checked. A row is read only together with the chapter of its content_hash and under
-- the prompt, the model and the checks of today, so that an edited chapter never shows an old translation; the CHECK keeps
-- truncated ones out.
CREATE TABLE translations_cache (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chapter_id text NOT NULL,
  content_hash text NOT NULL,
  prompt_hash text NOT NULL,
  model text NOT NULL,
  language varchar(10) NOT NULL DEFAULT 'ur',
  translated_content text NOT NULL,
  stop_reason text NOT NULL CONSTRAINT translations_cache_complete CHECK (stop_reason = 'end_turn'),
  created_at timestamptz NOT NULL DEFAULT now(),
  title text NOT NULL,
  sections integer NOT NULL CONSTRAINT translations_cache_has_sections CHECK (sections > 0),
  checks_version text NOT NULL,
  cost_microusd bigint NOT NULL,
  corrections text NOT NULL DEFAULT '',
  CONSTRAINT translations_cache_key UNIQUE (chapter_id, content_hash, prompt_hash, model, language)
);

-- Chapters adapted to a level and to the hardware a reader has, keyed in the same way. changes: [{section, kind, text}];
-- coverage: the share of the source's key sentences that is found again.
CREATE TABLE personalized_content_cache (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  chapter_id text NOT NULL,
  content_hash text NOT NULL,
  prompt_hash text NOT NULL,
  model text NOT NULL,
  user_level varchar(50) NOT NULL
    CONSTRAINT personalized_content_cache_level_known CHECK (user_level IN ('beginner', 'intermediate', 'advanced')),
  hardware varchar(100) NOT NULL
    CONSTRAINT personalized_content_cache_hardware_known CHECK (hardware IN ('none', 'gpu', 'jetson', 'robotics')),
  personalized_content text NOT NULL,
  stop_reason text NOT NULL CONSTRAINT personalized_content_cache_complete CHECK (stop_reason = 'end_turn'),
  created_at timestamptz NOT NULL DEFAULT now(),
  title text NOT NULL,
  sections integer NOT NULL CONSTRAINT personalized_content_cache_has_sections CHECK (sections > 0),
  changes jsonb NOT NULL
    CONSTRAINT personalized_content_cache_changes_is_list CHECK (jsonb_typeof(changes) = 'array'),
  coverage real CONSTRAINT personalized_content_cache_coverage_is_share CHECK (coverage BETWEEN 0 AND 1),
  checks_version text NOT NULL,
  cost_microusd bigint NOT NULL,
  corrections text NOT NULL DEFAULT '',
  CONSTRAINT personalized_content_cache_key
    UNIQUE (chapter_id, content_hash, prompt_hash, model, user_level, hardware)
);

-- What Claude made of single sections, of which the chapters above are put together. section_key is the hash of the whole
-- request; reply holds marks in place of code, links and the like, and is checked again whenever it is read.
CREATE TABLE section_cache (
  section_key text PRIMARY KEY,
  kind varchar(20) NOT NULL CONSTRAINT section_cache_kind_known CHECK (kind IN ('translation', 'personalization')),
  variant text NOT NULL,
  model text NOT NULL,
  prompt_version text NOT NULL,
  reply text NOT NULL,
  stop_reason text NOT NULL CONSTRAINT section_cache_complete CHECK (stop_reason = 'end_turn'),
  checks_version text NOT NULL,
  cost_microusd bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX section_cache_latest_used ON section_cache (used_at DESC);

-- Sections that people corrected, or wrote themselves. source_hash is that of the section's source, so a correction holds
-- until its source changes. version is that of the whole file they came in: an adapted chapter above is served only while
-- `corrections` is the version of today ('': none).
CREATE TABLE corrections (
  chapter_id text NOT NULL,
  kind varchar(20) NOT NULL CONSTRAINT corrections_kind_known CHECK (kind IN ('translation', 'personalization')),
  variant text NOT NULL,
  source_hash text NOT NULL,
  position integer NOT NULL,
  heading text NOT NULL,
  corrected text NOT NULL,
  version text NOT NULL,
  imported_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (chapter_id, kind, variant, source_hash)
);

-- Who is adapting a chapter now: one process for each result, as long as it renews its lease. failure: it gave up, with
-- this code, and those who wait for it give up too; whoever comes later may begin again at once.
CREATE TABLE chapter_leases (
  key text PRIMARY KEY,
  owner uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  failure text
);

-- The moving windows of RATE_LIMIT_STORAGE=postgres: one row for each limit and subject, swept when everything has left
-- it. The key names a reader by id and everybody else by a keyed hash; hits are in no order.
CREATE TABLE rate_limits (
  key text PRIMARY KEY,
  hits timestamptz[] NOT NULL,
  expires_at timestamptz NOT NULL
);

-- Claude's money of each UTC day: one row for all of it and one for each share of it that is limited (a feature, a reader,
-- all readers without a login). Written only together with claude_calls, whose rows it sums up; a reservation beyond the
-- limit breaks the CHECK, which undoes it.
CREATE TABLE budget (
  day date NOT NULL,
  share text NOT NULL,
  spent_microusd bigint NOT NULL DEFAULT 0,
  reserved_microusd bigint NOT NULL DEFAULT 0 CONSTRAINT budget_reserved_not_negative CHECK (reserved_microusd >= 0),
  limit_microusd bigint NOT NULL,
  PRIMARY KEY (day, share),
  CONSTRAINT budget_within_limit CHECK (spent_microusd + reserved_microusd <= limit_microusd)
) WITH (fillfactor = 50);

-- One row for each try of a call to Claude, from its reservation on. `shares` says where it is counted while it is
-- reserved; `lost`: the process ended before it could tell what the call cost.
CREATE TABLE claude_calls (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  day date NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  expires_at timestamptz NOT NULL,
  settled_at timestamptz,
  user_id integer REFERENCES users (id) ON DELETE SET NULL,
  feature text NOT NULL,
  model text NOT NULL,
  prompt_version text NOT NULL,
  shares text[] NOT NULL,
  outcome text NOT NULL DEFAULT 'reserved'
    CONSTRAINT claude_calls_outcome_known CHECK (outcome IN ('reserved', 'complete', 'not_billed', 'unknown', 'lost')),
  reserved_microusd bigint NOT NULL,
  cost_microusd bigint NOT NULL DEFAULT 0,
  input_tokens integer NOT NULL DEFAULT 0,
  output_tokens integer NOT NULL DEFAULT 0,
  thinking_tokens integer NOT NULL DEFAULT 0,
  cache_read_tokens integer NOT NULL DEFAULT 0,
  cache_write_tokens integer NOT NULL DEFAULT 0,
  claude_request_id text
);
CREATE INDEX claude_calls_of_day ON claude_calls (day);
CREATE INDEX claude_calls_of_reader ON claude_calls (user_id, id);
CREATE INDEX claude_calls_open ON claude_calls (expires_at) WHERE outcome = 'reserved';

-- Batches of calls that Claude works on for up to a day, until every line is saved and settled. Written before the batch is
-- sent: claude_batch_id NULL says that nobody knows yet whether Claude has it; token begins the custom id of its lines.
CREATE TABLE claude_batches (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token text NOT NULL CONSTRAINT claude_batches_token_once UNIQUE,
  claude_batch_id text CONSTRAINT claude_batches_claude_batch_once UNIQUE,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One request of such a batch: the call of the ledger that it is, and the section that it brings. A section is in one batch.
CREATE TABLE claude_batch_lines (
  batch_id bigint NOT NULL REFERENCES claude_batches (id) ON DELETE CASCADE,
  number integer NOT NULL,
  call_id bigint NOT NULL CONSTRAINT claude_batch_lines_call_once UNIQUE REFERENCES claude_calls (id),
  section_key text NOT NULL CONSTRAINT claude_batch_lines_section_once UNIQUE,
  kind varchar(20) NOT NULL
    CONSTRAINT claude_batch_lines_kind_known CHECK (kind IN ('translation', 'personalization')),
  variant text NOT NULL,
  chapter_id text NOT NULL,
  PRIMARY KEY (batch_id, number)
);

-- What happened on each UTC day, added up over all processes, for the owner: how often, by name and labels ("claude/answered").
-- Nothing here leads to a reader. Like claude_calls, days of more than 400 days ago are deleted.
CREATE TABLE usage_counters (
  day date NOT NULL,
  name text NOT NULL,
  labels text NOT NULL,
  count bigint NOT NULL CONSTRAINT usage_counters_count_positive CHECK (count > 0),
  PRIMARY KEY (day, name, labels)
);

-- How long the stages of answering took on each day: how many times each bucket of services/latency_buckets.py.
CREATE TABLE stage_latency (
  day date NOT NULL,
  stage text NOT NULL,
  bucket smallint NOT NULL,
  count bigint NOT NULL CONSTRAINT stage_latency_count_positive CHECK (count > 0),
  PRIMARY KEY (day, stage, bucket)
);

-- Which processes have added to these two, and the number of the last batch of each: one that comes again is not added.
CREATE TABLE usage_writers (
  writer uuid PRIMARY KEY,
  saved integer NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT now()
);

-- Which steps of backend/app/sql/migrations this database has had.
CREATE TABLE schema_migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO schema_migrations (number, name, sha256) VALUES
  (1, '0001_first_schema', 'deaaa9b0549c7054f4128dc9a547cacac7706cfd97124ca57fbe11d4eb6ffaf6'),
  (2, '0002_conversations', 'a6db29e3aedb4eb01bc9e6414a870bb2f7bf58d47fd3935b9daf77ed59db292e'),
  (3, '0003_rate_limits', '132cc751a67c5ab7249c01fbff85e5c0227912990ff1efbff26308144bb59ae4'),
  (4, '0004_budget', '726a117de07157b94d0f76d20c29b68d6a66618a506f76e60a1751a081b848c0'),
  (5, '0005_adaptations', 'b378a1582a6bef8dbe4aaaedbeeeb6794548be943c749d0ce88d6c3a2ada1e66'),
  (6, '0006_claude_batches', 'f51f848e233d6fda2bea68b2bf84f58182c1eb1df10c3b687cfcb3fc8cacb0a9'),
  (7, '0007_usage', '662b3b1a62f08bfa690b93269069315199a60663a656f569fb8dd7ee116ea373'),
  (8, '0008_corrections', '7925d7216d96421246eb3229470e98d63af3ebdc3df44816e7a62d1b3e6d4a9d');

COMMIT;
