CREATE TABLE claude_batches (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  token text NOT NULL CONSTRAINT claude_batches_token_once UNIQUE,
  claude_batch_id text CONSTRAINT claude_batches_claude_batch_once UNIQUE,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

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
