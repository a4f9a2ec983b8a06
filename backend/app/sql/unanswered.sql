-- name: record_unanswered
-- Adds a question that the book does not answer, and drops those that are 90 days old or have 20,000 newer ones.
WITH saved AS (
  INSERT INTO unanswered_questions (question, language, outcome, reason, best_score, chapter_id, section, anchor)
  VALUES (
    %(question)s, %(language)s, %(outcome)s, %(reason)s, %(best_score)s, %(chapter_id)s, %(section)s, %(anchor)s
  )
  RETURNING id
)
DELETE FROM unanswered_questions
WHERE asked_at < now() - interval '90 days' OR id <= (SELECT id FROM saved) - 20000;

-- name: list_unanswered
-- Lists the sections that questions without an answer lay nearest to, those with most questions first.
SELECT chapter_id, anchor, max(section), sum(asked)::integer, sum(partial)::integer, max(newest),
  (array_agg(question ORDER BY asked DESC, newest_id DESC))[1:%(examples)s],
  (array_agg(language ORDER BY asked DESC, newest_id DESC))[1:%(examples)s],
  (array_agg(asked ORDER BY asked DESC, newest_id DESC))[1:%(examples)s],
  (array_agg(partial ORDER BY asked DESC, newest_id DESC))[1:%(examples)s]
FROM (
  SELECT chapter_id, anchor, max(section) AS section, (array_agg(question ORDER BY id DESC))[1] AS question,
    (array_agg(language ORDER BY id DESC))[1] AS language, count(*)::integer AS asked,
    (count(*) FILTER (WHERE outcome = 'partial'))::integer AS partial, max(asked_at) AS newest, max(id) AS newest_id
  FROM unanswered_questions
  WHERE asked_at > now() - make_interval(days => %(days)s)
  GROUP BY chapter_id, anchor, lower(rtrim(regexp_replace(btrim(question), '[[:space:]]+', ' ', 'g'), ' ?!.؟۔'))
) AS same_words
GROUP BY chapter_id, anchor
ORDER BY sum(asked) DESC, max(newest_id) DESC LIMIT %(limit)s;
