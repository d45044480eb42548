-- A store without some sources and analysers: temporary tables that stand before the store's own of their names.
-- See lexkit/store/tables.py. Each statement is named by the comment line above it.

-- name: evidence
CREATE TEMP TABLE evidence AS
WITH stated AS (
    SELECT DISTINCT unnest([word_a, word_b]) AS word_id FROM store.main.evidence
    WHERE rule IS NULL AND NOT list_contains($sources, source)
),
-- words that are in the store, for all that can be told, because an analyser knows them
unfree AS (
    SELECT DISTINCT word_id FROM store.main.morphology WHERE list_contains($analysers, analyser)
    EXCEPT FROM stated
),
analysis AS (
    SELECT DISTINCT word_id, base_id FROM store.main.negation
    WHERE NOT list_contains($analysers, analyser) AND word_id NOT IN (FROM unfree) AND base_id NOT IN (FROM unfree)
),
free AS (
    SELECT rowid AS place, * FROM store.main.evidence WHERE NOT list_contains($sources, source)
),
derived AS (
    SELECT * FROM free WHERE rule IS NOT NULL
),
-- the derivations of relations.sql, of which one must go without the analysers
supported AS (
    SELECT place FROM derived JOIN analysis ON word_id = from_a
    WHERE (base_id = word_a AND from_b = word_b) OR (base_id = word_b AND from_b = word_a)
    UNION
    SELECT place FROM derived JOIN analysis ON word_id = from_b
    WHERE (base_id = word_a AND from_a = word_b) OR (base_id = word_b AND from_a = word_a)
    UNION
    SELECT place FROM derived JOIN analysis x ON x.word_id = from_a JOIN analysis y ON y.word_id = from_b
    WHERE (x.base_id = word_a AND y.base_id = word_b) OR (x.base_id = word_b AND y.base_id = word_a)
    UNION
    SELECT place FROM derived JOIN analysis ON word_id = word_a AND base_id = word_b WHERE from_a IS NULL
    UNION
    SELECT place FROM derived JOIN analysis ON word_id = word_b AND base_id = word_a WHERE from_a IS NULL
    UNION
    SELECT place FROM derived JOIN analysis x ON x.word_id = word_a
    JOIN analysis y ON y.word_id = x.base_id AND y.base_id = word_b WHERE from_a IS NULL
    UNION
    SELECT place FROM derived JOIN analysis x ON x.word_id = word_b
    JOIN analysis y ON y.word_id = x.base_id AND y.base_id = word_a WHERE from_a IS NULL
)
SELECT * EXCLUDE (place) FROM free
WHERE rule IS NULL OR place IN (FROM supported)
ORDER BY place;

-- name: relation
CREATE TEMP TABLE relation AS FROM store.main.relation LIMIT 0;
