LOCK TABLE chat_history IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE conversations (
  user_id integer NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  id uuid NOT NULL,
  title varchar(200) NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, id)
);
CREATE INDEX conversations_newest_first ON conversations (user_id, updated_at DESC);

INSERT INTO conversations (user_id, id, title, created_at, updated_at)
SELECT user_id, conversation_id,
  left(btrim(regexp_replace((array_agg(question ORDER BY id))[1], '\s+', ' ', 'g')), 80),
  min(created_at), max(created_at)
FROM chat_history GROUP BY user_id, conversation_id;

ALTER TABLE chat_history
  ADD COLUMN is_partial boolean NOT NULL DEFAULT false
    CONSTRAINT chat_history_partial_is_grounded CHECK (NOT is_partial OR mode <> 'refused'),
  ADD COLUMN outcome varchar(20) NOT NULL GENERATED ALWAYS AS (
    CASE WHEN mode = 'refused' THEN 'not_in_book' WHEN is_partial THEN 'partial' ELSE 'answered' END
  ) STORED,
  ADD CONSTRAINT chat_history_in_conversation
    FOREIGN KEY (user_id, conversation_id) REFERENCES conversations (user_id, id) ON DELETE CASCADE;
DROP INDEX chat_history_conversation;
CREATE INDEX chat_history_conversation ON chat_history (user_id, conversation_id, id DESC);

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
