-- Show a store as if it had been built without some sources: temporary tables that hide the store's own tables of the
-- same names, and those from which relations.sql starts. See lexkit/store/relate.py. The comment line above each
-- statement gives its name.

-- name: source
-- The source 'affix' is left out here; lexkit/store/relate.py adds it again if it is still needed.
CREATE TEMP TABLE source AS FROM store.main.source WHERE source <> 'affix' AND NOT list_contains($sources, source);

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
-- Ids are kept, since their order is still that of the words.
CREATE TEMP TABLE word AS
SELECT * REPLACE (
    array_to_string(list_filter(string_split(attested, ','), lambda name: NOT list_contains($sources, name)), ',')
        AS attested
)
FROM store.main.word
WHERE NOT list_has_all($sources, string_split(attested, ','))
ORDER BY word_id;

-- name: stage_analysis
-- A store has at most one source of analyses, MorphoLEX.
CREATE TEMP TABLE stage_analysis AS
SELECT word, segmentation, prefixes, roots, suffixes, pos, NULL::VARCHAR AS source
FROM store.main.morphology JOIN word USING (word_id)
WHERE analyser = 'morpholex' AND EXISTS (FROM source WHERE kind = 'morpholex');

-- name: morphology
CREATE TEMP TABLE morphology AS FROM store.main.morphology LIMIT 0;

-- name: negation
CREATE TEMP TABLE negation AS FROM store.main.negation LIMIT 0;

-- name: evidence
CREATE TEMP TABLE evidence AS SELECT * EXCLUDE (usage) FROM store.main.evidence LIMIT 0;

-- name: relation
CREATE TEMP TABLE relation AS FROM store.main.relation LIMIT 0;
