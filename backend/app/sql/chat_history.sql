-- name: save_turn
-- Adds a turn to the reader's thread, which begins with it where there is none; turns of one thread follow one another.
WITH thread AS (
  INSERT INTO conversations (user_id, id, title)
  VALUES (%(user_id)s, %(conversation_id)s::uuid, %(title)s)
  ON CONFLICT (user_id, id) DO UPDATE SET updated_at = clock_timestamp()
  RETURNING user_id, id
)
INSERT INTO chat_history (user_id, conversation_id, question, answer, sources, mode, is_partial, created_at)
SELECT user_id, id, %(question)s, %(answer)s, %(sources)s::jsonb, %(mode)s, %(is_partial)s, clock_timestamp()
FROM thread RETURNING id;

-- name: list_turns
-- Lists the reader's latest turns, newest first.
SELECT id, conversation_id, question, answer, sources, mode, outcome, created_at
FROM chat_history WHERE user_id = %(user_id)s
ORDER BY id DESC LIMIT %(limit)s;

-- name: delete_turns
-- Empties the reader's history, threads included, and counts the turns that were in it.
WITH removed AS (DELETE FROM conversations WHERE user_id = %(user_id)s)
SELECT count(*) FROM chat_history WHERE user_id = %(user_id)s;
