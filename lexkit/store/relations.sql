-- From staged records to the tables `word`, `evidence` and `relation`; see lexkit/store/build.py for the order.
-- Each statement is named by the comment line above it.

-- name: words
-- Ids follow the order of the words, so that they depend on nothing but the set of words.
INSERT INTO word
SELECT (row_number() OVER (ORDER BY word) - 1)::INTEGER, word, lower(word), zipf
FROM (
    SELECT word FROM stage_headword
    UNION SELECT word FROM stage_statement
    UNION SELECT other FROM stage_statement
    UNION SELECT unnest(words) FROM stage_group
    UNION SELECT word FROM stage_analysis
)
LEFT JOIN frequency ON folded = lower(word)
ORDER BY word;

-- name: stated
-- What the sources say, statements and groups alike, as ids with word_a < word_b.
CREATE TEMP TABLE stated AS
WITH pair AS (
    SELECT word, other, kind, source, pos, sense FROM stage_statement
    UNION ALL
    SELECT words[i], words[j], 'synonym', source, pos, sense
    FROM (
        SELECT *, unnest(range(1, len(words) + 1)) AS i FROM stage_group
    ),
    LATERAL (SELECT unnest(range(i + 1, len(words) + 1)) AS j)
)
SELECT DISTINCT
    least(a.word_id, b.word_id) AS word_a, greatest(a.word_id, b.word_id) AS word_b, kind, source, pos, sense
FROM pair
JOIN word a ON a.word = pair.word
JOIN word b ON b.word = pair.other;

-- name: closeness
-- How close the sources put two synonyms. Sums are of whole numbers (billionths), so that their order does not matter.
CREATE TEMP TABLE closeness AS
WITH pair AS (
    SELECT words[i] AS word, words[j] AS other, 1e9 / (len(words) - 1) AS share, 1e9 / (j - i) AS nearness
    FROM (SELECT *, unnest(range(1, len(words) + 1)) AS i FROM stage_group),
    LATERAL (SELECT unnest(range(i + 1, len(words) + 1)) AS j)
    UNION ALL
    SELECT word, other, 1e9 / count(*) OVER (PARTITION BY source, word, pos, sense), 1e9
    FROM stage_statement WHERE kind = 'synonym'
),
-- the paragraphs and heads that words stand in, in which each word has its share
placed AS (
    SELECT DISTINCT source, word_id, name, is_widest
    FROM (
        SELECT source, word, unnest(within) AS name, unnest(range(1, len(within) + 1)) = len(within) AS is_widest
        FROM (SELECT source, within, unnest(words) AS word FROM stage_group)
    )
    JOIN word USING (word)
),
division AS (
    SELECT *, (1e9 / count(*) OVER (PARTITION BY source, name))::BIGINT AS share FROM placed
),
close AS (
    SELECT least(a.word_id, b.word_id) AS word_a, greatest(a.word_id, b.word_id) AS word_b,
        sum(pair.share::BIGINT) AS share, sum(nearness::BIGINT) AS nearness
    FROM pair JOIN word a ON a.word = pair.word JOIN word b ON b.word = pair.other
    GROUP BY ALL
),
shared AS (
    SELECT word_a, word_b, sum(a.share) AS divisions, count(*) FILTER (a.is_widest) AS heads
    FROM close
    JOIN division a ON a.word_id = word_a
    JOIN division b ON b.word_id = word_b AND b.source = a.source AND b.name = a.name
    GROUP BY word_a, word_b
)
SELECT word_a, word_b, share / 1e9 AS share, nearness / 1e9 AS nearness, coalesce(divisions, 0) / 1e9 AS divisions,
    coalesce(heads, 0) AS heads
FROM close LEFT JOIN shared USING (word_a, word_b);

-- name: answer
-- What makes a word a good answer, whatever was asked: it is used, it is one word, and it is not tied to everything.
CREATE TEMP TABLE answer AS
WITH tie AS (
    SELECT word_id, sum((share * 1e9)::BIGINT) / 1e9 AS ties
    FROM (SELECT word_a AS word_id, share FROM closeness UNION ALL SELECT word_b, share FROM closeness)
    GROUP BY word_id
),
part AS (  -- a phrase is used as its rarest word at most
    SELECT word_id, min(coalesce(zipf, 0)) AS zipf
    FROM (SELECT word_id, unnest(string_split(folded, ' ')) AS folded FROM word WHERE contains(word, ' '))
    LEFT JOIN frequency USING (folded)
    GROUP BY word_id
)
SELECT word_id, coalesce(frequency, zipf, 0) AS zipf,
    0.7 * ln(1 + coalesce(frequency, zipf, 0)) - if(contains(word, ' '), 2, 0) - 0.2 * ln(0.1 + coalesce(ties, 0)) AS use
FROM word LEFT JOIN tie USING (word_id) LEFT JOIN part USING (word_id);

-- name: usage
-- Every word, with the number of stated relations that it stands in and its parts of speech.
WITH usage AS (
    SELECT word_id, count(*) AS n_statements, list(DISTINCT pos) FILTER (pos IS NOT NULL) AS pos
    FROM (SELECT word_a AS word_id, pos FROM stated UNION ALL SELECT word_b, pos FROM stated)
    GROUP BY word_id
)
SELECT word, coalesce(n_statements, 0) AS n_statements,
    list_concat(coalesce(usage.pos, []), coalesce(stage_analysis.pos, [])) AS pos
FROM word LEFT JOIN usage USING (word_id) LEFT JOIN stage_analysis USING (word)
ORDER BY word_id;

-- name: morphology
-- MorphoLEX's words, and those that only the affix analyser has anything to say of.
INSERT INTO morphology
SELECT word_id, segmentation, prefixes, roots, suffixes, analyser
FROM (
    SELECT *, 'morpholex' AS analyser FROM stage_analysis
    UNION ALL BY NAME
    SELECT *, 'affix' AS analyser FROM cut ANTI JOIN stage_analysis USING (word)
)
JOIN word USING (word)
ORDER BY word_id;

-- name: negation
INSERT INTO negation
SELECT w.word_id, b.word_id, affix, position, analyser, reverses, same_pos
FROM found JOIN word w ON w.word = found.word JOIN word b ON b.word = found.base
ORDER BY ALL;

-- name: opposed
-- hopeless, hopeful; the list has measures (armful) and words that are no opposites (shameful, shameless).
CREATE TEMP TABLE opposed_suffixes AS
SELECT l.word_id AS this, f.word_id AS other
FROM (SELECT *, left(word, len(word) - 4) AS stem FROM word WHERE ends_with(word, 'less')) l
JOIN word f ON f.word IN (stem || 'ful', regexp_replace(stem, 'y$', 'i') || 'ful')
WHERE len(stem) > 2 AND f.word NOT IN (SELECT word FROM not_opposites);

-- name: derived
-- Morphological negation (DSKD, section 3.2), one step from stated relations. A relation's kind turns over with one
-- word negated, and stays with both.
CREATE TEMP TABLE derived AS
WITH rule AS (
    SELECT word_id, base_id, if(position = 'prefix', affix || '-', '-' || affix) AS rule, analyser, reverses,
        same_pos   -- faultless is an adjective, fault is not
    FROM negation
),
analyst AS (
    SELECT kind AS analyser, min(source) AS source FROM source WHERE kind IN ('morpholex', 'affix') GROUP BY kind
),
statement AS (
    SELECT DISTINCT word_a, word_b, kind, source, pos, if(kind = 'synonym', 'antonym', 'synonym') AS other_kind
    FROM stated
),
step AS (
    SELECT base_id AS this, word_b AS other, other_kind AS kind, source, if(same_pos, pos, NULL) AS pos, rule,
        word_a, word_b, kind AS from_kind, same_pos
    FROM statement JOIN rule ON word_id = word_a
    UNION ALL
    SELECT base_id, word_a, other_kind, source, if(same_pos, pos, NULL), rule, word_a, word_b, kind, same_pos
    FROM statement JOIN rule ON word_id = word_b
    UNION ALL
    -- the bases of faultless and blameless are nouns both
    SELECT a.base_id, b.base_id, kind, source, if(a.same_pos AND b.same_pos, pos, NULL), a.rule || '+' || b.rule,
        word_a, word_b, kind, a.same_pos = b.same_pos
    FROM statement JOIN rule a ON a.word_id = word_a JOIN rule b ON b.word_id = word_b
    UNION ALL
    SELECT word_id, base_id, 'antonym', source, NULL, if(reverses, 'reversal', 'negation'), NULL, NULL, NULL, same_pos
    FROM rule JOIN analyst USING (analyser)
    UNION ALL
    SELECT this, other, 'antonym', source, NULL, '-less/-ful', NULL, NULL, NULL, true
    FROM opposed_suffixes, analyst WHERE analyser = 'affix'
    UNION ALL
    -- negations cancel each other in pairs: nonunhappy is happy
    SELECT a.word_id, b.base_id, 'synonym', source, NULL, 'double negation', NULL, NULL, NULL, a.same_pos AND b.same_pos
    FROM rule a JOIN rule b ON b.word_id = a.base_id JOIN analyst ON analyst.analyser = a.analyser
    WHERE NOT a.reverses AND NOT b.reverses
)
SELECT
    least(this, other) AS word_a, greatest(this, other) AS word_b, kind, source, pos, rule,
    word_a AS from_a, word_b AS from_b, from_kind, bool_or(same_pos) AS same_pos
FROM step
WHERE this <> other
GROUP BY ALL;

-- name: evidence
-- A derived relation that the sources contradict is kept as evidence, marked, and goes no further.
INSERT INTO evidence
WITH kinds AS (
    SELECT word_a, word_b, bool_or(kind = 'synonym') AS synonym, bool_or(kind = 'antonym') AS antonym
    FROM stated GROUP BY ALL
),
everything AS (
    SELECT word_a, word_b, kind, source, pos, sense, NULL AS rule, NULL::INTEGER AS from_a, NULL::INTEGER AS from_b,
        NULL AS from_kind, true AS same_pos
    FROM stated
    UNION ALL
    SELECT d.word_a, d.word_b, d.kind, source, pos, NULL,
        if(coalesce(if(d.kind = 'synonym', k.antonym AND NOT k.synonym, k.synonym AND NOT k.antonym), false),
           'contradicted:' || rule, rule),
        from_a, from_b, from_kind, same_pos
    FROM derived d LEFT JOIN kinds k ON k.word_a = d.word_a AND k.word_b = d.word_b
)
SELECT * FROM everything ORDER BY ALL NULLS FIRST;

-- name: relation
INSERT INTO relation
WITH counted AS (
    SELECT * FROM evidence WHERE rule IS NULL OR NOT starts_with(rule, 'contradicted:')
),
pair AS MATERIALIZED (
    SELECT word_a, word_b, kind, bool_or(rule IS NULL) AS direct,
        bool_or(coalesce(rule IN ('negation', '-less/-ful'), false)) AS is_own, bool_or(rule IS NOT DISTINCT FROM 'reversal') AS reverses,
        bool_or(same_pos) AS same_pos, min(source) AS source, max(source) AS last_source, min(pos) AS pos, max(pos) AS last_pos
    FROM counted
    GROUP BY word_a, word_b, kind
),
-- lists of distinct values are slow to make, and few pairs have more than one source or part of speech
several AS (
    SELECT word_a, word_b, kind, count(DISTINCT source)::INTEGER AS n_sources,
        string_agg(DISTINCT source, ',' ORDER BY source) AS sources, string_agg(DISTINCT pos, ',' ORDER BY pos) AS pos
    FROM counted
    SEMI JOIN (FROM pair WHERE source <> last_source OR pos <> last_pos) USING (word_a, word_b, kind)
    GROUP BY word_a, word_b, kind
)
-- docs/ranking.md
SELECT word_a, word_b, kind, direct, coalesce(n_sources, 1), count(*) OVER (PARTITION BY word_a, word_b) > 1,
    coalesce(sources, source), coalesce(several.pos, pair.pos, ''), same_pos,
    if(kind = 'synonym', near + b.use, sure + b.zipf), if(kind = 'synonym', near + a.use, sure + a.zipf)
FROM (
    SELECT *,
        ln(0.2 + coalesce(share, 0)) + 0.4 * ln(0.03 + coalesce(nearness, 0)) + 0.4 * ln(0.01 + coalesce(divisions, 0))
            + 1.5 * ln(1 + coalesce(heads, 0)) AS near,
        if(direct, 10, 0) + if(is_own, 14, 0) + if(reverses, 8, 0) + if(same_pos, 1, 0) AS sure
    FROM pair LEFT JOIN closeness USING (word_a, word_b)
) pair
LEFT JOIN several USING (word_a, word_b, kind)
JOIN answer a ON a.word_id = word_a
JOIN answer b ON b.word_id = word_b
ORDER BY word_a, word_b, kind;
