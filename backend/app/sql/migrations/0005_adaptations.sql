TRUNCATE translations_cache, personalized_content_cache;

ALTER TABLE translations_cache
  ADD COLUMN title text NOT NULL,
  ADD COLUMN sections integer NOT NULL CONSTRAINT translations_cache_has_sections CHECK (sections > 0),
  ADD COLUMN checks_version text NOT NULL,
  ADD COLUMN cost_microusd bigint NOT NULL;

ALTER TABLE personalized_content_cache
  ADD COLUMN title text NOT NULL,
  ADD COLUMN sections integer NOT NULL CONSTRAINT personalized_content_cache_has_sections CHECK (sections > 0),
  ADD COLUMN changes jsonb NOT NULL
    CONSTRAINT personalized_content_cache_changes_is_list CHECK (jsonb_typeof(changes) = 'array'),
  ADD COLUMN coverage real CONSTRAINT personalized_content_cache_coverage_is_share CHECK (coverage BETWEEN 0 AND 1),
  ADD COLUMN checks_version text NOT NULL,
  ADD COLUMN cost_microusd bigint NOT NULL;

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

CREATE TABLE chapter_leases (
  key text PRIMARY KEY,
  owner uuid NOT NULL,
  expires_at timestamptz NOT NULL,
  failure text
);
