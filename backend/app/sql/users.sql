-- name: create_user
-- Opens an account unless the address is taken in any letter case: no row back means taken.
INSERT INTO users (email, password_hash, name, programming_level, hardware)
VALUES (%(email)s, %(password_hash)s, %(name)s, %(level)s, %(hardware)s)
ON CONFLICT (lower(email)) DO NOTHING
RETURNING id, email, name, programming_level, hardware, token_version;

-- name: find_reader
-- Finds the reader behind a token.
SELECT id, email, name, programming_level, hardware, token_version
FROM users WHERE id = %(user_id)s;

-- name: find_credentials
-- Finds a signed-in reader together with the stored hash, to check a password again.
SELECT id, email, name, programming_level, hardware, token_version, password_hash
FROM users WHERE id = %(user_id)s;

-- name: find_credentials_by_email
-- Finds what a login compares; the letter case of the address does not matter.
SELECT id, email, name, programming_level, hardware, token_version, password_hash
FROM users WHERE lower(email) = lower(%(email)s);

-- name: update_settings
-- Changes the reader's own settings; NULL leaves one as it is.
UPDATE users
SET name = coalesce(%(name)s, name),
    programming_level = coalesce(%(level)s, programming_level),
    hardware = coalesce(%(hardware)s, hardware)
WHERE id = %(user_id)s
RETURNING id, email, name, programming_level, hardware, token_version;

-- name: set_password
-- Stores a new hash and makes every token of before invalid.
UPDATE users SET password_hash = %(password_hash)s, token_version = token_version + 1
WHERE id = %(user_id)s RETURNING token_version;

-- name: revoke_tokens
-- Makes every token of this reader invalid, on all processes at once.
UPDATE users SET token_version = token_version + 1
WHERE id = %(user_id)s RETURNING token_version;

-- name: delete_user
-- Removes the account; the foreign keys take history and progress along.
DELETE FROM users WHERE id = %(user_id)s;
