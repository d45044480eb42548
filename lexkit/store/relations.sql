-- Fill the tables `word`, `evidence`, `relation` and others from staged records; lexkit/store/relate.py has the order.
-- The comment line above each statement gives its name.

-- name: reliability
INSERT INTO reliability SELECT kind, way, same_pos, reader, scope, distance, confidence FROM judged ORDER BY ALL;

-- name: words
-- Ids follow the order of the words, so they depend only on the set of words.
INSERT INTO word
SELECT (row_number() OVER (ORDER BY word) - 1)::INTEGER, word, lower(word), zipf, label, attested
FROM (
    SELECT word, string_agg(source, ',' ORDER BY source) AS attested
    FROM (
        SELECT word, source FROM stage_headword
        UNION SELECT word, source FROM stage_statement
        UNION SELECT other, source FROM stage_statement
        UNION SELECT unnest(words), source FROM stage_group
        UNION SELECT word, source FROM stage_form
        UNION SELECT lemma, source FROM stage_form
        UNION SELECT word, source FROM stage_analysis
    )
    GROUP BY word
)
LEFT JOIN frequency ON frequency.folded = lower(word)
LEFT JOIN listed ON listed.folded = lower(word)
ORDER BY word;

-- name: is_unusual
-- Whether any of a word's labels makes it a poor answer.
CREATE OR REPLACE TEMP MACRO is_unusual(usage) AS coalesce(list_has_any(string_split(usage, ','),
    ['archaic', 'obsolete', 'dialect', 'foreign', 'vulgar', 'offensive', 'rare', 'dated']), false)::INTEGER;

-- name: is_own_rule
-- Whether the rule relates a word to its base, or two words of one stem: kind, unkind; hopeful, hopeless.
CREATE OR REPLACE TEMP MACRO is_own_rule(rule) AS rule = 'negation' OR (starts_with(rule, '-') AND contains(rule, '/-'));

-- name: labels
-- Distinct labels in alphabetical order; NULL instead of an empty list.
CREATE OR REPLACE TEMP MACRO labels(usage) AS nullif(list_sort(list_distinct(usage)), []);

-- name: stated
-- The distinct statements of the sources, including those from groups, as ids with word_a < word_b.
CREATE TEMP TABLE stated AS
WITH pair AS (
    SELECT word, other, kind, source, pos, sense, scope, usage, other_usage, 1 AS distance,
        -- the longer the list under a headword, the less it says about each word
        1 + count(*) OVER (PARTITION BY source, word, kind, pos, sense, scope) AS n_words
    FROM (SELECT DISTINCT * FROM stage_statement)
    UNION ALL
    SELECT words[i], words[j], 'synonym', source, pos, sense, scope, usage[i], usage[j], j - i, len(words)
    FROM (
        SELECT *, unnest(range(1, len(words) + 1)) AS i FROM stage_group
    ),
    LATERAL (SELECT unnest(range(i + 1, len(words) + 1)) AS j)
    WHERE len(apart) = 0 OR NOT list_contains(apart, [i, j])
),
placed AS (
    SELECT a.word_id AS this, b.word_id AS other, kind, source, pos, sense, scope, n_words, distance,
        list_append(usage, a.label) AS usage, list_append(other_usage, b.label) AS other_usage
    FROM pair
    JOIN word a ON a.word = pair.word
    JOIN word b ON b.word = pair.other
)
SELECT
    least(this, other) AS word_a, greatest(this, other) AS word_b, kind, source, pos, sense, scope,
    min(n_words)::INTEGER AS n_words, min(distance)::INTEGER AS distance,
    labels(if(this < other, usage, other_usage)) AS usage_a, labels(if(this < other, other_usage, usage)) AS usage_b
FROM placed
GROUP BY ALL;

-- name: case_only
-- Two spellings of one word are not synonyms: Moon, moon.
CREATE TEMP TABLE case_only AS
SELECT word_a, word_b, source, a.word || ' / ' || b.word AS example
FROM stated JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b
WHERE a.folded = b.folded;

-- name: reject_case_only
INSERT INTO rejection
SELECT source, 'synonyms that differ only in case', count(*), min(example)
FROM case_only GROUP BY source ORDER BY source;

-- name: count_case_only
UPDATE source SET n_rejected = n_rejected + n
FROM (SELECT source AS name, count(*) AS n FROM case_only GROUP BY source) WHERE name = source;

-- name: drop_case_only
DELETE FROM stated USING case_only c
WHERE stated.word_a = c.word_a AND stated.word_b = c.word_b AND stated.source = c.source;

-- name: indirect
-- Relations that a source states only by way of another word (WordNet: swift, slow) count as derived, by their rule.
CREATE TEMP TABLE indirect AS FROM stated WHERE scope = 'indirect';

-- name: drop_indirect
DELETE FROM stated WHERE scope = 'indirect';

-- name: usage
-- Every word, with its number of stated relations and its parts of speech.
WITH usage AS (
    SELECT word_id, count(*) AS n_statements, list(DISTINCT pos) FILTER (pos IS NOT NULL) AS pos
    FROM (SELECT word_a AS word_id, pos FROM stated UNION ALL SELECT word_b, pos FROM stated)
    GROUP BY word_id
)
SELECT word, coalesce(n_statements, 0) AS n_statements,
    list_concat(coalesce(usage.pos, []), coalesce(stage_analysis.pos, [])) AS pos, frequency
FROM word LEFT JOIN usage USING (word_id) LEFT JOIN stage_analysis USING (word)
ORDER BY word_id;

-- name: morphology
-- MorphoLEX's words, and those that only the affix analyser analyses.
INSERT INTO morphology
SELECT word_id, segmentation, prefixes, roots, suffixes, pos, analyser
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
-- Opposites of one stem: hopeless, hopeful. `not_opposites` has measures (armful) and pairs that are not opposites
-- (shameful, shameless).
CREATE TEMP TABLE opposed_suffixes AS
WITH suffixed AS (
    SELECT word_id, left(word, len(word) - len(negative)) AS stem, opposed_suffix.*
    FROM word JOIN opposed_suffix ON ends_with(word, negative) AND len(word) > len(negative) + 2
)
SELECT DISTINCT suffixed.word_id AS this, word.word_id AS other, rule
FROM (SELECT word_id, rule, regexp_replace(stem, pattern, replacement) || positive AS word FROM suffixed
      WHERE regexp_matches(stem, pattern)) suffixed
JOIN word USING (word)
WHERE word NOT IN (SELECT word FROM not_opposites);

-- name: derived
-- Morphological negation (DSKD, section 3.2), one step from stated relations. If one word of a relation is negated, its
-- kind is reversed; if both are, it stays the same.
CREATE TEMP TABLE derived AS
WITH rule AS (
    SELECT word_id, base_id, if(position = 'prefix', affix || '-', '-' || affix) AS rule, analyser, reverses,
        same_pos   -- false for faultless, an adjective, and fault, a noun
    FROM negation
),
analyst AS (
    SELECT kind AS analyser, min(source) AS source FROM source WHERE kind IN ('morpholex', 'affix') GROUP BY kind
),
statement AS (
    SELECT word_a, word_b, kind, source, pos, if(kind = 'synonym', 'antonym', 'synonym') AS other_kind,
        min(distance) AS distance, if(count(*) = count(usage_a), min(usage_a), NULL) AS usage_a,
        if(count(*) = count(usage_b), min(usage_b), NULL) AS usage_b
    FROM stated
    WHERE coalesce(scope, '') NOT IN ('similar', 'old_thesaurus')  -- nothing is derived from merely similar words
    GROUP BY word_a, word_b, kind, source, pos
),
step AS (
    SELECT base_id AS this, word_b AS other, other_kind AS kind, source, if(same_pos, pos, NULL) AS pos, rule,
        word_a, word_b, kind AS from_kind, same_pos, usage_b AS other_usage, distance
    FROM statement JOIN rule ON word_id = word_a
    UNION ALL
    SELECT base_id, word_a, other_kind, source, if(same_pos, pos, NULL), rule, word_a, word_b, kind, same_pos, usage_a,
        distance
    FROM statement JOIN rule ON word_id = word_b
    UNION ALL
    -- the bases of faultless and blameless are both nouns
    SELECT a.base_id, b.base_id, kind, source, if(a.same_pos AND b.same_pos, pos, NULL), a.rule || '+' || b.rule,
        word_a, word_b, kind, a.same_pos = b.same_pos, NULL, distance
    FROM statement JOIN rule a ON a.word_id = word_a JOIN rule b ON b.word_id = word_b
    UNION ALL
    SELECT word_id, base_id, 'antonym', source, NULL, if(reverses, 'reversal', 'negation'), NULL, NULL, NULL, same_pos,
        NULL, NULL
    FROM rule JOIN analyst USING (analyser)
    UNION ALL
    SELECT this, other, 'antonym', source, NULL, rule, NULL, NULL, NULL, true, NULL, NULL
    FROM opposed_suffixes, analyst WHERE analyser = 'affix'
    UNION ALL
    -- two negations cancel each other: nonunhappy is happy
    SELECT a.word_id, b.base_id, 'synonym', source, NULL, 'double negation', NULL, NULL, NULL,
        a.same_pos AND b.same_pos, NULL, NULL
    FROM rule a JOIN rule b ON b.word_id = a.base_id JOIN analyst ON analyst.analyser = a.analyser
    WHERE NOT a.reverses AND NOT b.reverses
)
SELECT * REPLACE (
        labels(list_append(usage_a, (SELECT label FROM word WHERE word_id = word_a))) AS usage_a,
        labels(list_append(usage_b, (SELECT label FROM word WHERE word_id = word_b))) AS usage_b
    )
FROM (
    SELECT
        least(this, other) AS word_a, greatest(this, other) AS word_b, kind, source, pos, rule,
        word_a AS from_a, word_b AS from_b, from_kind, bool_or(same_pos) AS same_pos,
        min(if(other < this, other_usage, NULL)) AS usage_a, min(if(other > this, other_usage, NULL)) AS usage_b,
        min(distance) AS distance
    FROM step
    WHERE this <> other
    GROUP BY ALL
)
UNION ALL BY NAME
SELECT word_a, word_b, kind, source, pos, sense, 'indirect' AS rule, true AS same_pos, usage_a, usage_b FROM indirect;

-- name: evidence
-- A derived relation that the sources contradict is kept as evidence and marked, but does not become a relation.
INSERT INTO evidence
WITH kinds AS (
    SELECT word_a, word_b, bool_or(kind = 'synonym') AS synonym, bool_or(kind = 'antonym') AS antonym
    FROM stated GROUP BY ALL
),
everything AS (
    SELECT *, NULL AS rule, NULL::INTEGER AS from_a, NULL::INTEGER AS from_b, NULL AS from_kind, true AS same_pos
    FROM stated
    UNION ALL BY NAME
    SELECT d.word_a, d.word_b, d.kind, source, pos, sense,
        if(coalesce(if(d.kind = 'synonym', k.antonym AND NOT k.synonym, k.synonym AND NOT k.antonym), false),
           'contradicted:' || rule, rule) AS rule,
        from_a, from_b, from_kind, same_pos, usage_a, usage_b, distance
    FROM derived d LEFT JOIN kinds k ON k.word_a = d.word_a AND k.word_b = d.word_b
)
SELECT * FROM everything ORDER BY ALL NULLS FIRST;

-- name: tied
-- How much a word's ties with all words except the one looked up reduce its weight.
CREATE OR REPLACE TEMP MACRO tied(ties, share) AS 0.3 * ln(0.1 + greatest(ties - share, 0));

-- name: head
-- Headings that two words may share: a head of Roget, or in other sources a sense.
CREATE TEMP TABLE head AS
SELECT source, sense, dense_rank() OVER (ORDER BY origin, name)::INTEGER AS head
FROM (
    SELECT DISTINCT source, sense, coalesce(nullif(regexp_extract(sense, '^(.*) ¶', 1), ''), sense) AS name
    FROM evidence WHERE kind = 'synonym' AND rule IS NULL AND sense IS NOT NULL
)
JOIN source USING (source);

-- name: closeness
-- How closely the sources connect two synonyms. Several files of one origin count once. Sums are of whole numbers
-- (billionths), so that the order of rows does not matter.
CREATE TEMP TABLE closeness AS
WITH said AS (
    SELECT word_a, word_b, origin, source, sum((1e9 / (n_words - 1))::BIGINT) AS share,
        sum((1e9 / distance)::BIGINT) AS nearness
    FROM evidence JOIN source USING (source)
    WHERE evidence.kind = 'synonym' AND rule IS NULL
    GROUP BY word_a, word_b, origin, source
),
by_origin AS (
    SELECT word_a, word_b, max(share) AS share, max(nearness) AS nearness FROM said GROUP BY word_a, word_b, origin
),
pair AS (
    SELECT word_a, word_b, sum(share) / 1e9 AS share, sum(nearness) / 1e9 AS nearness
    FROM by_origin GROUP BY word_a, word_b
),
under AS (
    SELECT DISTINCT unnest([word_a, word_b]) AS word_id, head
    FROM evidence JOIN head USING (source, sense)
    WHERE kind = 'synonym' AND rule IS NULL
),
shared AS (
    SELECT word_a, word_b, count(*) AS n_heads
    FROM pair
    JOIN under a ON a.word_id = word_a
    JOIN under b ON b.word_id = word_b AND b.head = a.head
    GROUP BY word_a, word_b
)
SELECT word_a, word_b, share, nearness, coalesce(n_heads, 1) AS n_heads
FROM pair LEFT JOIN shared USING (word_a, word_b);

-- name: answer
-- What makes a word a good answer to any query: it is frequent, it is a single word, and it is not tied to everything.
CREATE TEMP TABLE answer AS
WITH tie AS (
    SELECT word_id, sum((share * 1e9)::BIGINT) / 1e9 AS ties
    FROM (SELECT word_a AS word_id, share FROM closeness UNION ALL SELECT word_b, share FROM closeness)
    GROUP BY word_id
),
part AS (  -- a phrase is at most as frequent as its rarest word
    SELECT phrase.word_id, min(frequency) AS frequency
    FROM (SELECT word_id, unnest(string_split(folded, ' ')) AS folded FROM word WHERE contains(word, ' ')) phrase
    JOIN word USING (folded)
    GROUP BY phrase.word_id
)
SELECT word_id, coalesce(word.frequency, part.frequency, 0) AS zipf,
    0.8 * ln(1 + zipf) - if(contains(word, ' '), 4, 0) AS use, coalesce(ties, 0) AS ties
FROM word LEFT JOIN tie USING (word_id) LEFT JOIN part USING (word_id);

-- name: chance
-- The row of `reliability` that fits each kind of evidence best: for its reader and scope, with the least distance.
CREATE TEMP TABLE chance AS
WITH kind_of_evidence AS (
    SELECT DISTINCT evidence.kind, source.kind AS reader, scope, same_pos, rule, evidence.distance,
        CASE WHEN rule IS NULL THEN 'stated' WHEN is_own_rule(rule) THEN 'own'
            WHEN from_a IS NULL THEN rule ELSE 'derived' END AS way
    FROM evidence JOIN source USING (source)
)
SELECT k.kind, k.reader, k.scope, k.same_pos, k.rule, k.distance,
    arg_max(confidence, (r.reader = k.reader, r.scope = k.scope, -coalesce(r.distance, 1000000))) AS p
FROM kind_of_evidence k
JOIN reliability r ON r.kind = k.kind AND r.way = k.way AND r.same_pos = k.same_pos
    AND r.reader IN (k.reader, '*') AND r.scope IN (coalesce(k.scope, '*'), '*')
    AND (r.distance IS NULL OR k.distance <= r.distance)
GROUP BY ALL;

-- name: relation
INSERT INTO relation
-- Replace names by numbers, which halves the width of many rows.
WITH named AS (
    SELECT source, kind, row_number() OVER (ORDER BY source)::INTEGER AS s,
        dense_rank() OVER (ORDER BY origin)::INTEGER AS o
    FROM source
),
part AS (
    SELECT pos, row_number() OVER (ORDER BY pos)::INTEGER AS p
    FROM (SELECT DISTINCT pos FROM evidence WHERE pos IS NOT NULL)
),
counted AS (
    SELECT word_a, word_b, evidence.kind = 'antonym' AS is_antonym, s, o, part.p, evidence.rule IS NULL AS direct,
        coalesce(is_own_rule(evidence.rule), false) AND evidence.same_pos AS is_own,
        coalesce(evidence.rule = 'reversal', false) AND evidence.same_pos AS reverses,
        evidence.same_pos, usage_a, usage_b, r.p AS chance
    FROM evidence
    JOIN named USING (source)
    JOIN chance r ON r.kind = evidence.kind AND r.reader = named.kind AND r.same_pos = evidence.same_pos
        AND r.scope IS NOT DISTINCT FROM evidence.scope AND r.rule IS NOT DISTINCT FROM evidence.rule
        AND r.distance IS NOT DISTINCT FROM evidence.distance
    LEFT JOIN part ON part.pos = evidence.pos
    WHERE evidence.rule IS NULL OR NOT starts_with(evidence.rule, 'contradicted:')
),
-- Sources of one origin say the same thing once. Chances are summed as whole numbers, whose order does not matter.
once AS (
    SELECT word_a, word_b, is_antonym, o, bool_or(direct) AS direct, count_if(direct)::INTEGER AS n_stated,
        max(chance) AS chance, bool_or(is_own) AS is_own, bool_or(reverses) AS reverses,
        bool_or(same_pos) AS same_pos, min(s) AS s, max(s) AS last_s, min(p) AS p, max(p) AS last_p,
        count(usage_a) + count(usage_b) > 0 AS is_labelled
    FROM counted
    GROUP BY word_a, word_b, is_antonym, o
),
pair AS MATERIALIZED (
    SELECT word_a, word_b, is_antonym, bool_or(direct) AS direct, sum(n_stated)::INTEGER AS n_stated,
        if(bool_or(direct), count_if(direct), count(*))::INTEGER AS n_sources,
        1 - exp(sum((1e9 * ln(1 - chance))::BIGINT) / 1e9) AS confidence,
        bool_or(is_own) AS is_own, bool_or(reverses) AS reverses, bool_or(same_pos) AS same_pos,
        min(s) AS s, max(last_s) AS last_s, min(p) AS p, max(last_p) AS last_p, bool_or(is_labelled) AS is_labelled
    FROM once
    GROUP BY word_a, word_b, is_antonym
),
-- aggregating distinct values is slow, and few pairs have more than one source or part of speech
several AS (
    SELECT word_a, word_b, is_antonym, string_agg(DISTINCT source, ',' ORDER BY source) AS sources,
        string_agg(DISTINCT pos, ',' ORDER BY pos) AS pos
    FROM counted
    SEMI JOIN (FROM pair WHERE s <> last_s OR p <> last_p) USING (word_a, word_b, is_antonym)
    JOIN named USING (s)
    LEFT JOIN part USING (p)
    GROUP BY word_a, word_b, is_antonym
),
-- A word is archaic in a relation only if all evidence says so; it is an insult if any evidence does.
labelled AS (
    SELECT word_a, word_b, is_antonym, count(*) AS n, list(usage_a) AS usage_a, list(usage_b) AS usage_b
    FROM counted
    SEMI JOIN (FROM pair WHERE is_labelled) USING (word_a, word_b, is_antonym)
    GROUP BY word_a, word_b, is_antonym
),
label AS (
    SELECT word_a, word_b, is_antonym,
        string_agg(label, ',' ORDER BY label) FILTER (side = 'a') AS usage_a,
        string_agg(label, ',' ORDER BY label) FILTER (side = 'b') AS usage_b
    FROM (
        SELECT word_a, word_b, is_antonym, n, side, label, count(*) AS n_labelled
        FROM (
            SELECT word_a, word_b, is_antonym, n, 'a' AS side, unnest(flatten(usage_a)) AS label FROM labelled
            UNION ALL
            SELECT word_a, word_b, is_antonym, n, 'b', unnest(flatten(usage_b)) FROM labelled
        )
        GROUP BY ALL
    )
    WHERE n_labelled = n OR label IN ('offensive', 'vulgar')
    GROUP BY word_a, word_b, is_antonym
),
contested AS (
    SELECT word_a, word_b, true AS contested FROM pair GROUP BY word_a, word_b HAVING count(*) > 1
)
-- docs/ranking.md
SELECT word_a, word_b, if(is_antonym, 'antonym', 'synonym') AS kind, direct, n_sources, coalesce(contested, false),
    coalesce(sources, source), coalesce(several.pos, part.pos, ''), same_pos,
    coalesce(usage_a, ''), coalesce(usage_b, ''), least(round(confidence, 2), 0.99), -- nothing is certain
    round(if(is_antonym, sure + b.zipf, near + b.use - tied(b.ties, share)) - 1.5 * is_unusual(usage_b), 2),
    round(if(is_antonym, sure + a.zipf, near + a.use - tied(a.ties, share)) - 1.5 * is_unusual(usage_a), 2)
FROM (
    SELECT * EXCLUDE (share), coalesce(share, 0) AS share,
        2 * ln(confidence) + 0.25 * ln(0.2 + coalesce(share, 0)) + 0.5 * ln(0.1 + coalesce(nearness, 0))
            + 1.5 * ln(1 + coalesce(n_heads, 0)) AS near,
        4 * ln(confidence) + if(direct, 10, 0) + if(is_own, 14, 0) + if(reverses, 8, 0) + if(n_sources > 1, 2, 0)
            + 2 * ln(1 + n_stated) AS sure
    FROM pair LEFT JOIN closeness USING (word_a, word_b)
) pair
JOIN named USING (s)
LEFT JOIN part USING (p)
LEFT JOIN several USING (word_a, word_b, is_antonym)
LEFT JOIN label USING (word_a, word_b, is_antonym)
LEFT JOIN contested USING (word_a, word_b)
JOIN answer a ON a.word_id = word_a
JOIN answer b ON b.word_id = word_b
ORDER BY word_a, word_b, kind;
