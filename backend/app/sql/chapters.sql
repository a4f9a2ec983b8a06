-- name: list_chapters
-- Lists the table of contents in reading order.
SELECT chapter_id, title, url, module, position FROM chapters ORDER BY position, chapter_id;

-- name: list_chapter_hashes
-- Says which version of each chapter the book has, in reading order.
SELECT chapter_id, content_hash FROM chapters ORDER BY position, chapter_id;

-- name: find_chapter
-- Finds one whole chapter.
SELECT chapter_id, title, url, module, position, content, content_hash, source_path, front_matter
FROM chapters WHERE chapter_id = %(chapter_id)s;

-- name: find_chapters
-- Finds several whole chapters in reading order; unknown ids are left out.
SELECT chapter_id, title, url, module, position, content, content_hash, source_path, front_matter
FROM chapters WHERE chapter_id = ANY (%(chapter_ids)s::text[]) ORDER BY position, chapter_id;

-- name: replace_chapters
-- Makes the table equal to the given book in one statement: writes what differs, removes what is gone.
WITH incoming AS (
  SELECT chapter_id, title, url, module, position, content, content_hash, source_path, front_matter
  FROM unnest(
    %(chapter_ids)s::text[], %(titles)s::text[], %(urls)s::text[], %(modules)s::text[],
    %(positions)s::integer[], %(contents)s::text[], %(content_hashes)s::text[], %(source_paths)s::text[],
    %(front_matters)s::text[]
  ) AS book (chapter_id, title, url, module, position, content, content_hash, source_path, front_matter)
), removed AS (
  DELETE FROM chapters WHERE chapter_id <> ALL (%(chapter_ids)s::text[]) RETURNING chapter_id
), saved AS (
  INSERT INTO chapters (chapter_id, title, url, module, position, content, content_hash, source_path, front_matter)
  SELECT chapter_id, title, url, module, position, content, content_hash, source_path, front_matter
  FROM incoming ORDER BY chapter_id
  ON CONFLICT (chapter_id) DO UPDATE
  SET title = excluded.title, url = excluded.url, module = excluded.module, position = excluded.position,
      content = excluded.content, content_hash = excluded.content_hash,
      source_path = excluded.source_path, front_matter = excluded.front_matter, updated_at = now()
  WHERE (chapters.content_hash, chapters.source_path, chapters.front_matter)
    IS DISTINCT FROM (excluded.content_hash, excluded.source_path, excluded.front_matter)
  RETURNING xmax = 0 AS is_new
)
SELECT
  (SELECT count(*) FROM saved WHERE is_new) AS added,
  (SELECT count(*) FROM saved WHERE NOT is_new) AS changed,
  (SELECT count(*) FROM removed) AS removed,
  (SELECT count(*) FROM incoming) - (SELECT count(*) FROM saved) AS unchanged;
