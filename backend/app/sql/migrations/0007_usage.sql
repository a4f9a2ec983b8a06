CREATE TABLE usage_writers (
  writer uuid PRIMARY KEY,
  saved integer NOT NULL,
  saved_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE usage_counters (
  day date NOT NULL,
  name text NOT NULL,
  labels text NOT NULL,
  count bigint NOT NULL CONSTRAINT usage_counters_count_positive CHECK (count > 0),
  PRIMARY KEY (day, name, labels)
);

CREATE TABLE stage_latency (
  day date NOT NULL,
  stage text NOT NULL,
  bucket smallint NOT NULL,
  count bigint NOT NULL CONSTRAINT stage_latency_count_positive CHECK (count > 0),
  PRIMARY KEY (day, stage, bucket)
);

DROP INDEX claude_calls_of_reader;
CREATE INDEX claude_calls_of_reader ON claude_calls (user_id, id);
