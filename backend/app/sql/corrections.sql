-- name: find_corrections
-- Finds what people corrected in one chapter, in no order.
SELECT source_hash, corrected, heading, version FROM corrections
WHERE chapter_id = %(chapter_id)s AND kind = %(kind)s AND variant = %(variant)s;

-- name: list_corrections
-- Lists the corrections of all chapters, also of those that the book does not have any more.
SELECT chapter_id, source_hash, corrected, heading FROM corrections
WHERE kind = %(kind)s AND variant = %(variant)s ORDER BY chapter_id, position;

-- name: replace_corrections
-- Makes the corrections of one chapter equal to those of one file, for each of the variants.
WITH incoming AS (
  SELECT variant, source_hash, position, heading, corrected
  FROM unnest(%(variants)s::text[]) AS variant, unnest(
    %(source_hashes)s::text[], %(positions)s::integer[], %(headings)s::text[], %(correcteds)s::text[]
  ) AS file (source_hash, position, heading, corrected)
), removed AS (
  DELETE FROM corrections
  WHERE chapter_id = %(chapter_id)s AND kind = %(kind)s AND variant = ANY (%(variants)s::text[])
    AND source_hash <> ALL (%(source_hashes)s::text[])
)
INSERT INTO corrections (chapter_id, kind, variant, source_hash, position, heading, corrected, version)
SELECT %(chapter_id)s, %(kind)s, variant, source_hash, position, heading, corrected, %(version)s FROM incoming
ON CONFLICT (chapter_id, kind, variant, source_hash) DO UPDATE
SET position = excluded.position, heading = excluded.heading, corrected = excluded.corrected,
    version = excluded.version, imported_at = now();
