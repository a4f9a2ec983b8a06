-- name: save_usage
-- Adds what a process counted to what all of them counted, once: a batch that is saved already changes nothing.
WITH batch AS (
  INSERT INTO usage_writers AS known (writer, saved) VALUES (%(writer)s::uuid, %(number)s)
  ON CONFLICT (writer) DO UPDATE SET saved = excluded.saved, saved_at = now() WHERE known.saved < excluded.saved
  RETURNING writer
), counted AS (
  INSERT INTO usage_counters AS kept (day, name, labels, count)
  SELECT date '1970-01-01' + day, name, labels, count
  FROM unnest(
    %(event_days)s::integer[], %(event_names)s::text[], %(event_labels)s::text[], %(event_counts)s::bigint[]
  ) AS fresh (day, name, labels, count) CROSS JOIN batch
  ORDER BY day, name, labels
  ON CONFLICT (day, name, labels) DO UPDATE SET count = kept.count + excluded.count
)
INSERT INTO stage_latency AS kept (day, stage, bucket, count)
SELECT date '1970-01-01' + day, stage, bucket, count
FROM unnest(
  %(time_days)s::integer[], %(time_stages)s::text[], %(time_buckets)s::smallint[], %(time_counts)s::bigint[]
) AS fresh (day, stage, bucket, count) CROSS JOIN batch
ORDER BY day, stage, bucket
ON CONFLICT (day, stage, bucket) DO UPDATE SET count = kept.count + excluded.count;

-- name: forget_old_usage
-- Deletes what is kept of days that are too long ago, of calls to Claude at most so many; none that a batch still names.
WITH oldest AS (
  SELECT (now() AT TIME ZONE 'UTC')::date - %(days)s::integer AS day
), calls AS (
  DELETE FROM claude_calls WHERE id IN (
    SELECT id FROM claude_calls AS call
    WHERE call.day < (SELECT day FROM oldest) AND call.outcome <> 'reserved'
      AND NOT EXISTS (SELECT FROM claude_batch_lines AS line WHERE line.call_id = call.id)
    ORDER BY call.day LIMIT %(limit)s FOR UPDATE SKIP LOCKED
  )
), counters AS (
  DELETE FROM usage_counters WHERE day < (SELECT day FROM oldest)
), latency AS (
  DELETE FROM stage_latency WHERE day < (SELECT day FROM oldest)
)
DELETE FROM usage_writers WHERE saved_at < (SELECT day FROM oldest);

-- name: list_spending
-- Adds up the settled calls to Claude of the last days, today among them, by day, feature and model.
SELECT day, feature, model, count(*), count(*) FILTER (WHERE outcome IN ('unknown', 'lost')), sum(cost_microusd)::bigint,
  sum(input_tokens), sum(output_tokens), sum(thinking_tokens), sum(cache_read_tokens), sum(cache_write_tokens)
FROM claude_calls
WHERE day > (now() AT TIME ZONE 'UTC')::date - %(days)s::integer AND outcome <> 'reserved'
GROUP BY day, feature, model ORDER BY day, feature, model;

-- name: get_recent_spending
-- Adds up what calls to Claude cost in the last days, and tells the first of them with a call and the time of now.
SELECT now(), min(day), coalesce(sum(cost_microusd), 0)::bigint FROM claude_calls
WHERE day > (now() AT TIME ZONE 'UTC')::date - %(days)s::integer;

-- name: list_usage_counters
-- Lists what was counted on each of the last days.
SELECT day, name, labels, count FROM usage_counters
WHERE day > (now() AT TIME ZONE 'UTC')::date - %(days)s::integer
ORDER BY day, name, labels;

-- name: list_stage_latency
-- Adds up how long each stage took in the last days, as counts in buckets.
SELECT stage, bucket, sum(count)::bigint FROM stage_latency
WHERE day > (now() AT TIME ZONE 'UTC')::date - %(days)s::integer
GROUP BY stage, bucket;
