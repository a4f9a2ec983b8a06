ALTER TABLE chapters ADD COLUMN front_matter text;

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

ALTER TABLE translations_cache ADD COLUMN corrections text NOT NULL DEFAULT '';
ALTER TABLE personalized_content_cache ADD COLUMN corrections text NOT NULL DEFAULT '';
