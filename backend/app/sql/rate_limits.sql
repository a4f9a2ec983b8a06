-- name: hit_rate_limit
-- Enters a moving window unless it is full; the row's lock covers counting and entering, so it is exact among processes.
WITH entered AS (
  INSERT INTO rate_limits AS kept (key, hits, expires_at)
  VALUES (%(key)s, ARRAY[now()], now() + make_interval(secs => %(window_s)s))
  ON CONFLICT (key) DO UPDATE
  SET hits = now() || ARRAY(
        SELECT hit FROM unnest(kept.hits) AS hit WHERE hit > now() - make_interval(secs => %(window_s)s)
      ),
      expires_at = greatest(kept.expires_at, excluded.expires_at)
  WHERE %(limit)s > (
    SELECT count(*) FROM unnest(kept.hits) AS hit WHERE hit > now() - make_interval(secs => %(window_s)s)
  )
  RETURNING hits
)
SELECT now(), cardinality(hits), %(window_s)s - date_part('epoch', now() - (SELECT min(hit) FROM unnest(hits) AS hit))
FROM entered
UNION ALL
-- Refused. The oldest entry is read as it was when the statement began: others may have entered since, none is older.
SELECT NULL, %(limit)s, %(window_s)s - date_part('epoch', now() - coalesce(min(hit), now()))
FROM (SELECT unnest(hits) AS hit FROM rate_limits WHERE key = %(key)s) AS known
WHERE hit > now() - make_interval(secs => %(window_s)s)
HAVING NOT EXISTS (SELECT FROM entered);

-- name: take_back_rate_limit
-- Removes one entry from a window, as if that request had not come.
UPDATE rate_limits
SET hits = hits[:array_position(hits, %(entry)s) - 1] || hits[array_position(hits, %(entry)s) + 1:]
WHERE key = %(key)s AND %(entry)s = ANY (hits);

-- name: look_at_rate_limit
-- Counts a window without entering it.
SELECT count(hit), coalesce(%(window_s)s - date_part('epoch', now() - min(hit)), 0)
FROM (SELECT unnest(hits) AS hit FROM rate_limits WHERE key = %(key)s) AS known
WHERE hit > now() - make_interval(secs => %(window_s)s);

-- name: sweep_rate_limits
-- Deletes the windows that everything has left; one that is in use at the moment is passed over.
DELETE FROM rate_limits
WHERE key IN (SELECT key FROM rate_limits WHERE expires_at < now() FOR UPDATE SKIP LOCKED);
