-- name: export_account
-- Gives the reader's own account without what only a login compares.
SELECT id, email, name, programming_level, hardware, created_at FROM users WHERE id = %(user_id)s;

-- name: export_progress
-- Lists every chapter the reader ever marked, also those that the book does not have any more.
SELECT chapter_id, completed, last_accessed FROM user_progress WHERE user_id = %(user_id)s ORDER BY chapter_id;

-- name: export_turns
-- Lists the reader's turns that follow a turn, oldest first.
SELECT id, conversation_id, question, answer, sources, mode, outcome, created_at
FROM chat_history WHERE user_id = %(user_id)s AND id > %(after_id)s
ORDER BY id LIMIT %(limit)s;

-- name: export_conversations
-- Lists the reader's threads that follow a thread, by id.
SELECT id, title, created_at, updated_at, (
  SELECT count(*) FROM chat_history AS turn
  WHERE turn.user_id = conversations.user_id AND turn.conversation_id = conversations.id
)
FROM conversations WHERE user_id = %(user_id)s AND id > %(after)s::uuid
ORDER BY id LIMIT %(limit)s;

-- name: export_claude_calls
-- Lists what was asked of Claude for the reader and what it cost, from the call that follows a call on.
SELECT id, started_at, settled_at, feature, model, prompt_version, outcome, reserved_microusd, cost_microusd,
  input_tokens, output_tokens, thinking_tokens, cache_read_tokens, cache_write_tokens, claude_request_id
FROM claude_calls WHERE user_id = %(user_id)s AND id > %(after_id)s
ORDER BY id LIMIT %(limit)s;
