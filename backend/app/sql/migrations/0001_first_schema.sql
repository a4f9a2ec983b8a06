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
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX chat_history_newest_first ON chat_history (user_id, id DESC);
CREATE INDEX chat_history_conversation ON chat_history (conversation_id, user_id);

CREATE TABLE chapters (
  chapter_id text PRIMARY KEY,
  title text NOT NULL,
  url text NOT NULL,
  module text NOT NULL,
  position integer NOT NULL CONSTRAINT chapters_position_not_negative CHECK (position >= 0),
  content text NOT NULL,
  content_hash text NOT NULL,
  source_path text NOT NULL,
  updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_progress (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  chapter_id text NOT NULL,
  completed boolean NOT NULL DEFAULT false,
  last_accessed timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT user_progress_once UNIQUE (user_id, chapter_id)
);

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
  CONSTRAINT translations_cache_key UNIQUE (chapter_id, content_hash, prompt_hash, model, language)
);

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
  CONSTRAINT personalized_content_cache_key
    UNIQUE (chapter_id, content_hash, prompt_hash, model, user_level, hardware)
);
