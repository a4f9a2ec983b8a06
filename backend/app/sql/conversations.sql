-- name: list_conversations
-- Lists the reader's threads, the one with the latest turn first.
SELECT id, title, created_at, updated_at, (
  SELECT count(*) FROM chat_history AS turn
  WHERE turn.user_id = conversations.user_id AND turn.conversation_id = conversations.id
)
FROM conversations
WHERE user_id = %(user_id)s AND updated_at < coalesce(%(before)s::timestamptz, 'infinity')
ORDER BY updated_at DESC LIMIT %(limit)s;

-- name: find_conversation
-- Finds one thread of the reader.
SELECT id, title, created_at, updated_at, (
  SELECT count(*) FROM chat_history AS turn
  WHERE turn.user_id = conversations.user_id AND turn.conversation_id = conversations.id
)
FROM conversations WHERE user_id = %(user_id)s AND id = %(conversation_id)s::uuid;

-- name: list_conversation_turns
-- Lists the latest turns of a reader's thread, or those before a turn, newest first.
SELECT id, conversation_id, question, answer, sources, mode, outcome, created_at
FROM chat_history
WHERE user_id = %(user_id)s AND conversation_id = %(conversation_id)s::uuid
  AND id < coalesce(%(before_id)s, 9223372036854775807)
ORDER BY id DESC LIMIT %(limit)s;

-- name: rename_conversation
-- Gives a thread of the reader another title: no row back means that it is not there.
UPDATE conversations SET title = %(title)s
WHERE user_id = %(user_id)s AND id = %(conversation_id)s::uuid
RETURNING id, title, created_at, updated_at, (
  SELECT count(*) FROM chat_history AS turn
  WHERE turn.user_id = conversations.user_id AND turn.conversation_id = conversations.id
);

-- name: delete_conversation
-- Removes a thread of the reader with its turns and counts them: no row back means that it is not there.
WITH removed AS (
  DELETE FROM conversations WHERE user_id = %(user_id)s AND id = %(conversation_id)s::uuid RETURNING user_id, id
)
SELECT (
  SELECT count(*) FROM chat_history AS turn
  WHERE turn.user_id = removed.user_id AND turn.conversation_id = removed.id
) FROM removed;
