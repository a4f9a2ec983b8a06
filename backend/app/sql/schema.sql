-- name: ping
-- Proves that the database answers.
SELECT 1;

-- name: lock_migrations
-- Lets one process at a time migrate; the lock ends with the transaction, so it works through PgBouncer too.
SELECT pg_advisory_xact_lock(7283002115);

-- name: create_migrations_table
-- Makes the list of applied steps, which is the only thing a step cannot make for itself.
CREATE TABLE IF NOT EXISTS schema_migrations (
  number integer PRIMARY KEY,
  name text NOT NULL,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- name: has_migrations_table
-- Tells a database that was never migrated from one that was.
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: list_applied_steps
-- Lists the steps this database has had, with the hash of what was run.
SELECT number, name, sha256 FROM schema_migrations ORDER BY number;

-- name: record_applied_step
-- Remembers a step in the transaction that ran it.
INSERT INTO schema_migrations (number, name, sha256) VALUES (%(number)s, %(name)s, %(sha256)s);
