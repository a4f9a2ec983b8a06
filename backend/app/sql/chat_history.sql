-- name: save_turn
-- Adds one question with its answer to the reader's history.
INSERT INTO chat_history (user_id, conversation_id, question, answer, sources, mode)
VALUES (%(user_id)s, %(conversation_id)s::uuid, %(question)s, %(answer)s, %(sources)s::jsonb, %(mode)s)
RETURNING id;

-- name: list_turns
-- Lists the reader's latest turns, newest first.
SELECT id, conversation_id, question, answer, sources, mode, created_at
FROM chat_history WHERE user_id = %(user_id)s
ORDER BY id DESC LIMIT %(limit)s;

-- name: delete_turns
-- Empties the reader's history and counts what was in it.
WITH removed AS (DELETE FROM chat_history WHERE user_id = %(user_id)s RETURNING id)
SELECT count(*) FROM removed;

-- name: owns_conversation
-- Tells whether this conversation has a turn of this reader.
SELECT EXISTS (
  SELECT 1 FROM chat_history
  WHERE conversation_id = %(conversation_id)s::uuid AND user_id = %(user_id)s
);
