-- name: find_translation
-- Finds the translation of a chapter as the book has it today, if it was made by this recipe and with the corrections of today.
SELECT cached.title, cached.translated_content, cached.content_hash, cached.sections
FROM chapters AS chapter
JOIN translations_cache AS cached USING (chapter_id, content_hash)
WHERE chapter_id = %(chapter_id)s AND cached.language = %(language)s AND cached.model = %(model)s
  AND cached.prompt_hash = %(prompt_version)s AND cached.checks_version = %(checks_version)s
  AND cached.corrections = (
    SELECT coalesce(max(version), '') FROM corrections AS made
    WHERE made.chapter_id = %(chapter_id)s AND kind = 'translation' AND variant = %(language)s
  );

-- name: save_translation
-- Keeps a translation, instead of one that other checks had accepted; not of a chapter that was edited meanwhile.
INSERT INTO translations_cache AS cached (
  chapter_id, content_hash, prompt_hash, model, language, translated_content, stop_reason, title, sections,
  checks_version, cost_microusd, corrections
)
SELECT chapter_id, content_hash, %(prompt_version)s, %(model)s, %(language)s, %(content)s, 'end_turn', %(title)s,
  %(sections)s, %(checks_version)s, %(cost_microusd)s, %(corrections)s
FROM chapters WHERE chapter_id = %(chapter_id)s AND content_hash = %(content_hash)s
ON CONFLICT (chapter_id, content_hash, prompt_hash, model, language) DO UPDATE
SET translated_content = excluded.translated_content, title = excluded.title, sections = excluded.sections,
    checks_version = excluded.checks_version, cost_microusd = excluded.cost_microusd,
    corrections = excluded.corrections, created_at = now();

-- name: find_personalization
-- Finds a chapter as the book has it today, adapted to a level and a hardware by this recipe and with today's corrections.
SELECT cached.title, cached.personalized_content, cached.content_hash, cached.sections, cached.changes, cached.coverage
FROM chapters AS chapter
JOIN personalized_content_cache AS cached USING (chapter_id, content_hash)
WHERE chapter_id = %(chapter_id)s AND cached.user_level = %(level)s AND cached.hardware = %(hardware)s
  AND cached.model = %(model)s AND cached.prompt_hash = %(prompt_version)s
  AND cached.checks_version = %(checks_version)s AND cached.corrections = (
    SELECT coalesce(max(version), '') FROM corrections AS made
    WHERE made.chapter_id = %(chapter_id)s AND kind = 'personalization'
      AND variant = %(level)s::text || '+' || %(hardware)s::text
  );

-- name: save_personalization
-- Keeps an adapted chapter, instead of one that other checks had accepted; not of a chapter that was edited meanwhile.
INSERT INTO personalized_content_cache AS cached (
  chapter_id, content_hash, prompt_hash, model, user_level, hardware, personalized_content, stop_reason, title, sections,
  changes, coverage, checks_version, cost_microusd, corrections
)
SELECT chapter_id, content_hash, %(prompt_version)s, %(model)s, %(level)s, %(hardware)s, %(content)s, 'end_turn',
  %(title)s, %(sections)s, %(changes)s::jsonb, %(coverage)s, %(checks_version)s, %(cost_microusd)s, %(corrections)s
FROM chapters WHERE chapter_id = %(chapter_id)s AND content_hash = %(content_hash)s
ON CONFLICT (chapter_id, content_hash, prompt_hash, model, user_level, hardware) DO UPDATE
SET personalized_content = excluded.personalized_content, title = excluded.title, sections = excluded.sections,
    changes = excluded.changes, coverage = excluded.coverage, checks_version = excluded.checks_version,
    cost_microusd = excluded.cost_microusd, corrections = excluded.corrections, created_at = now();

-- name: find_sections
-- Finds what was kept under these keys, and notes once a day that it is still of use.
WITH noted AS (
  UPDATE section_cache SET used_at = now()
  WHERE section_key = ANY (%(keys)s::text[]) AND used_at < now() - interval '1 day'
)
SELECT section_key, reply, cost_microusd FROM section_cache WHERE section_key = ANY (%(keys)s::text[]);

-- name: save_section
-- Keeps one accepted reply, instead of one that the checks of today do not accept.
INSERT INTO section_cache AS cached (
  section_key, kind, variant, model, prompt_version, reply, stop_reason, checks_version, cost_microusd
)
VALUES (
  %(section_key)s, %(kind)s, %(variant)s, %(model)s, %(prompt_version)s, %(reply)s, %(stop_reason)s,
  %(checks_version)s, %(cost_microusd)s
)
ON CONFLICT (section_key) DO UPDATE
SET reply = excluded.reply, stop_reason = excluded.stop_reason, checks_version = excluded.checks_version,
    cost_microusd = excluded.cost_microusd, created_at = now(), used_at = now();

-- name: sweep_adaptations
-- Deletes what cannot be served any more, 500 rows of each table at most, and leases that nobody came back to.
-- Of chapters: what was edited or removed, and what a newer recipe has replaced and is a month old. Of sections: what was
-- not used for a year, or is beyond the 20,000 used last.
WITH translations AS (
  DELETE FROM translations_cache WHERE id IN (
    SELECT id FROM translations_cache AS old
    WHERE NOT EXISTS (SELECT FROM chapters WHERE (chapter_id, content_hash) = (old.chapter_id, old.content_hash))
      OR created_at < now() - interval '30 days' AND EXISTS (
        SELECT FROM translations_cache AS newer
        WHERE (newer.chapter_id, newer.language) = (old.chapter_id, old.language)
          AND newer.created_at > old.created_at
      )
    LIMIT 500
  )
), personalizations AS (
  DELETE FROM personalized_content_cache WHERE id IN (
    SELECT id FROM personalized_content_cache AS old
    WHERE NOT EXISTS (SELECT FROM chapters WHERE (chapter_id, content_hash) = (old.chapter_id, old.content_hash))
      OR created_at < now() - interval '30 days' AND EXISTS (
        SELECT FROM personalized_content_cache AS newer
        WHERE (newer.chapter_id, newer.user_level, newer.hardware) = (old.chapter_id, old.user_level, old.hardware)
          AND newer.created_at > old.created_at
      )
    LIMIT 500
  )
), leases AS (
  DELETE FROM chapter_leases WHERE expires_at < now() - interval '1 hour'
)
DELETE FROM section_cache WHERE section_key IN (
  SELECT section_key FROM section_cache
  WHERE used_at < greatest(
    now() - interval '1 year', (SELECT used_at FROM section_cache ORDER BY used_at DESC OFFSET 20000 LIMIT 1)
  )
  LIMIT 500
);

-- name: take_lease
-- Takes the lease of a chapter that nobody is adapting: never taken, run out, or given up with a failure.
INSERT INTO chapter_leases AS lease (key, owner, expires_at)
VALUES (%(key)s, %(owner)s, clock_timestamp() + make_interval(secs => %(lease_s)s))
ON CONFLICT (key) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at, failure = NULL
WHERE lease.expires_at < clock_timestamp() OR lease.failure IS NOT NULL
RETURNING key;

-- name: renew_lease
-- Goes on holding a lease, unless somebody else has taken it meanwhile.
UPDATE chapter_leases SET expires_at = clock_timestamp() + make_interval(secs => %(lease_s)s)
WHERE key = %(key)s AND owner = %(owner)s AND failure IS NULL
RETURNING key;

-- name: look_at_lease
-- Shows who is adapting a chapter, or with what failure that ended; nothing when the lease is free to take.
SELECT owner::text, failure FROM chapter_leases
WHERE key = %(key)s AND (expires_at >= clock_timestamp() OR failure IS NOT NULL);

-- name: give_up_lease
-- Ends holding a lease: with a failure it stays as a message for those who wait.
WITH ended AS (
  DELETE FROM chapter_leases WHERE key = %(key)s AND owner = %(owner)s AND %(failure)s::text IS NULL
)
UPDATE chapter_leases SET failure = %(failure)s
WHERE key = %(key)s AND owner = %(owner)s AND %(failure)s::text IS NOT NULL;
