-- A store as if it had been built without some sources and analysers: temporary tables that stand before the store's own
-- of their names, and what relations.sql starts from. See lexkit/store/relate.py. Each statement is named by the comment
-- line above it.

-- name: source
CREATE TEMP TABLE source AS FROM store.main.source WHERE NOT list_contains($sources, source);

-- name: stated
CREATE TEMP TABLE stated AS
SELECT word_a, word_b, kind, source, pos, sense, scope, n_words, distance, usage_a, usage_b
FROM store.main.evidence SEMI JOIN source USING (source)
WHERE rule IS NULL;

-- name: indirect
CREATE TEMP TABLE indirect AS
FROM store.main.evidence SEMI JOIN source USING (source)
WHERE rule IN ('indirect', 'contradicted:indirect');

-- name: word
CREATE TEMP TABLE word AS
FROM store.main.word
WHERE NOT list_has_all($sources, string_split(attested, ','))
ORDER BY word_id;

-- name: stage_analysis
CREATE TEMP TABLE stage_analysis AS
SELECT word, segmentation, prefixes, roots, suffixes, pos, NULL::VARCHAR AS source
FROM store.main.morphology JOIN word USING (word_id)
WHERE analyser = 'morpholex' AND NOT list_contains($analysers, analyser);

-- name: morphology
CREATE TEMP TABLE morphology AS FROM store.main.morphology LIMIT 0;

-- name: negation
CREATE TEMP TABLE negation AS FROM store.main.negation LIMIT 0;

-- name: evidence
CREATE TEMP TABLE evidence AS SELECT * EXCLUDE (usage) FROM store.main.evidence LIMIT 0;

-- name: relation
CREATE TEMP TABLE relation AS FROM store.main.relation LIMIT 0;
