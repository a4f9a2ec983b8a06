-- name: reserve_budget
-- Holds what a call may cost at most in every share it counts in; the CHECK of one that would pass its limit undoes all.
-- Locks are taken in one order everywhere: the reader, the call, the shares by name.
WITH reader AS (
  SELECT id FROM users WHERE id = %(user_id)s FOR KEY SHARE
), held AS (
  INSERT INTO budget AS kept (day, share, reserved_microusd, limit_microusd)
  SELECT (now() AT TIME ZONE 'UTC')::date, share, %(microusd)s, limit_microusd
  FROM unnest(%(shares)s::text[], %(limits)s::bigint[]) AS counted (share, limit_microusd) LEFT JOIN reader ON true
  ORDER BY share
  ON CONFLICT (day, share) DO UPDATE
  SET reserved_microusd = kept.reserved_microusd + excluded.reserved_microusd,
      limit_microusd = excluded.limit_microusd
  RETURNING share, day, spent_microusd
), planned AS (
  INSERT INTO claude_calls (day, expires_at, user_id, feature, model, prompt_version, shares, reserved_microusd)
  SELECT day, clock_timestamp() + make_interval(secs => %(lease_s)s), (SELECT id FROM reader), %(feature)s, %(model)s,
    %(prompt_version)s, %(shares)s::text[], %(microusd)s
  FROM held WHERE share = 'all'
  RETURNING id
)
SELECT planned.id, held.day, held.spent_microusd FROM planned, held WHERE held.share = 'all';

-- name: settle_budget
-- Turns what a call held into what it cost (NULL: all that was held), once: a second time changes nothing.
WITH held AS (
  SELECT id, day, shares, reserved_microusd FROM claude_calls
  WHERE id = %(call_id)s AND outcome = 'reserved' FOR UPDATE
), settled AS (
  UPDATE claude_calls AS call
  SET outcome = %(outcome)s, cost_microusd = coalesce(%(cost_microusd)s, held.reserved_microusd), shares = '{}',
      settled_at = clock_timestamp(), input_tokens = %(input_tokens)s, output_tokens = %(output_tokens)s,
      thinking_tokens = %(thinking_tokens)s, cache_read_tokens = %(cache_read_tokens)s,
      cache_write_tokens = %(cache_write_tokens)s, claude_request_id = %(claude_request_id)s
  FROM held WHERE call.id = held.id
  RETURNING held.day, held.shares, held.reserved_microusd, call.cost_microusd
)
INSERT INTO budget AS kept (day, share, spent_microusd, reserved_microusd, limit_microusd)
SELECT day, share, cost_microusd, reserved_microusd, cost_microusd + reserved_microusd
FROM settled CROSS JOIN unnest(shares) AS share
ORDER BY day, share
ON CONFLICT (day, share) DO UPDATE
SET spent_microusd = kept.spent_microusd + excluded.spent_microusd,
    reserved_microusd = kept.reserved_microusd - excluded.reserved_microusd,
    limit_microusd = greatest(
      kept.limit_microusd,
      kept.spent_microusd + excluded.spent_microusd + kept.reserved_microusd - excluded.reserved_microusd
    );

-- name: sweep_budget
-- Counts as spent what calls of processes that are gone still hold, and counts those calls.
WITH held AS (
  SELECT id, day, shares, reserved_microusd FROM claude_calls
  WHERE outcome = 'reserved' AND expires_at < now() FOR UPDATE SKIP LOCKED
), lost AS (
  UPDATE claude_calls AS call
  SET outcome = 'lost', cost_microusd = held.reserved_microusd, shares = '{}', settled_at = clock_timestamp()
  FROM held WHERE call.id = held.id
  RETURNING held.day, held.shares, held.reserved_microusd
), counted AS (
  INSERT INTO budget AS kept (day, share, spent_microusd, reserved_microusd, limit_microusd)
  SELECT day, share, sum(reserved_microusd), sum(reserved_microusd), sum(reserved_microusd) + sum(reserved_microusd)
  FROM lost CROSS JOIN unnest(shares) AS share
  GROUP BY day, share ORDER BY day, share
  ON CONFLICT (day, share) DO UPDATE
  SET spent_microusd = kept.spent_microusd + excluded.spent_microusd,
      reserved_microusd = kept.reserved_microusd - excluded.reserved_microusd
)
SELECT count(*) FROM lost;

-- name: look_at_budget
-- Shows what is spent and held today of some shares; those that nothing was asked of are left out.
SELECT share, spent_microusd, reserved_microusd FROM budget
WHERE day = (now() AT TIME ZONE 'UTC')::date AND share = ANY (%(shares)s::text[]);

-- name: forget_reader_shares
-- Deletes what single readers had of days that are over: which reader made a call stands with the call.
DELETE FROM budget WHERE day < (now() AT TIME ZONE 'UTC')::date - 1 AND starts_with(share, 'reader:');
