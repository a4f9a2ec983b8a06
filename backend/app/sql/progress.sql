-- name: mark_chapter
-- Notes that the reader opened a chapter, and whether it is completed (NULL leaves that); no row back means no reader.
INSERT INTO user_progress (user_id, chapter_id, completed, last_accessed)
SELECT id, %(chapter_id)s, coalesce(%(completed)s, false), clock_timestamp()
FROM users WHERE id = %(user_id)s FOR KEY SHARE
ON CONFLICT (user_id, chapter_id) DO UPDATE
SET completed = coalesce(%(completed)s, user_progress.completed), last_accessed = clock_timestamp()
RETURNING chapter_id;

-- name: get_progress
-- Shows the whole book in reading order as one reader knows it; one row without a chapter when there is no book.
SELECT chapters.chapter_id, title, url, module, position, coalesce(completed, false), last_accessed, (
  SELECT count(*) FROM chat_history WHERE user_id = %(user_id)s AND grounded
)
FROM users
LEFT JOIN chapters ON true
LEFT JOIN user_progress AS mark ON mark.user_id = users.id AND mark.chapter_id = chapters.chapter_id
WHERE users.id = %(user_id)s
ORDER BY position, chapters.chapter_id;
