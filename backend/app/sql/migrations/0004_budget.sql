CREATE TABLE budget (
  day date NOT NULL,
  share text NOT NULL,
  spent_microusd bigint NOT NULL DEFAULT 0,
  reserved_microusd bigint NOT NULL DEFAULT 0 CONSTRAINT budget_reserved_not_negative CHECK (reserved_microusd >= 0),
  limit_microusd bigint NOT NULL,
  PRIMARY KEY (day, share),
  CONSTRAINT budget_within_limit CHECK (spent_microusd + reserved_microusd <= limit_microusd)
) WITH (fillfactor = 50);

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
CREATE INDEX claude_calls_of_reader ON claude_calls (user_id);
CREATE INDEX claude_calls_open ON claude_calls (expires_at) WHERE outcome = 'reserved';
