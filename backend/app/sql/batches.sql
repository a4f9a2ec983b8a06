-- name: hold_batch
-- Notes a batch that is to be sent, and holds what all its lines may cost: everything or nothing, as `reserve_budget`.
WITH line AS MATERIALIZED (
  SELECT number, section_key, kind, variant, chapter_id, feature, model, prompt_version, microusd,
    nextval(pg_get_serial_sequence('claude_calls', 'id')) AS call_id
  FROM unnest(
    %(section_keys)s::text[], %(kinds)s::text[], %(variants)s::text[], %(chapter_ids)s::text[], %(features)s::text[],
    %(models)s::text[], %(prompt_versions)s::text[], %(microusds)s::bigint[]
  ) WITH ORDINALITY AS told (
    section_key, kind, variant, chapter_id, feature, model, prompt_version, microusd, number
  )
), batch AS (
  INSERT INTO claude_batches (token) VALUES (%(token)s) RETURNING id, token, claude_batch_id, started_at
), noted AS (
  INSERT INTO claude_batch_lines (batch_id, number, call_id, section_key, kind, variant, chapter_id)
  SELECT batch.id, number, call_id, section_key, kind, variant, chapter_id FROM batch CROSS JOIN line
  ORDER BY section_key
), held AS (
  INSERT INTO budget AS kept (day, share, reserved_microusd, limit_microusd)
  SELECT (now() AT TIME ZONE 'UTC')::date, share, (SELECT sum(microusd) FROM line), limit_microusd
  FROM unnest(%(shares)s::text[], %(limits)s::bigint[]) AS counted (share, limit_microusd)
  ORDER BY share
  ON CONFLICT (day, share) DO UPDATE
  SET reserved_microusd = kept.reserved_microusd + excluded.reserved_microusd,
      limit_microusd = excluded.limit_microusd
  RETURNING share, day
), planned AS (
  INSERT INTO claude_calls (id, day, expires_at, feature, model, prompt_version, shares, reserved_microusd)
  OVERRIDING SYSTEM VALUE
  SELECT call_id, day, clock_timestamp() + make_interval(secs => %(lease_s)s), feature, model, prompt_version,
    %(shares)s::text[], microusd
  FROM line CROSS JOIN held WHERE held.share = 'all'
)
SELECT id, token, claude_batch_id, started_at, extract(epoch FROM clock_timestamp() - started_at)::float8 FROM batch;

-- name: list_batches
-- Lists the batches of which something is still to be fetched, saved or settled, the oldest first.
SELECT id, token, claude_batch_id, started_at, extract(epoch FROM clock_timestamp() - started_at)::float8 FROM claude_batches ORDER BY id;

-- name: list_batch_lines
-- Lists the lines of one batch, with the call of the ledger that each is.
SELECT number, call_id, section_key, kind, variant, chapter_id, model, reserved_microusd
FROM claude_batch_lines JOIN claude_calls ON id = call_id
WHERE batch_id = %(batch_id)s ORDER BY number;

-- name: list_sections_under_way
-- Lists the sections that some batch is to bring.
SELECT section_key FROM claude_batch_lines;

-- name: name_batch
-- Notes under which id Claude knows a batch; nothing when it was given up or has another.
UPDATE claude_batches SET claude_batch_id = %(claude_batch_id)s
WHERE id = %(batch_id)s AND coalesce(claude_batch_id, %(claude_batch_id)s) = %(claude_batch_id)s
RETURNING id;

-- name: forget_batch
-- Deletes a batch with its lines, once the ledger holds no money for any of them.
DELETE FROM claude_batches WHERE id = %(batch_id)s AND NOT EXISTS (
  SELECT FROM claude_batch_lines JOIN claude_calls ON claude_calls.id = call_id
  WHERE batch_id = %(batch_id)s AND outcome = 'reserved'
)
RETURNING id;
