-- Fill the table `form` from staged forms, and from what lexkit/morphology/inflections.py proposes; see
-- lexkit/store/forms.py. The comment line above each statement gives its name.

-- name: known
-- The words that have relations: how many, and with which parts of speech. A word without any may be of any.
CREATE TEMP TABLE known AS
SELECT word_id, count(*) AS n, bool_or(contains(pos, 'noun')) AS is_noun, bool_or(contains(pos, 'verb')) AS is_verb,
    bool_or(regexp_matches(pos, '\b(adj|adv)\b')) AS is_adj, bool_and(pos = '') AS is_any
FROM (SELECT word_a AS word_id, pos FROM relation UNION ALL SELECT word_b, pos FROM relation)
GROUP BY word_id;

-- name: matching
SELECT word FROM word WHERE regexp_matches(word, $1) ORDER BY word_id;

-- name: form
INSERT INTO form
WITH listed AS (
    SELECT w.word_id, l.word_id AS lemma_id, kind, source
    FROM stage_form JOIN word w USING (word) JOIN word l ON l.word = lemma
),
-- Sources list verbs by their lemmas, so a word that they have as a verb (need, bring) is not a form of another verb.
-- Likewise, a word that they have as a noun (corner) is not a comparative.
proposed AS (
    SELECT w.word_id, l.word_id AS lemma_id, own.word_id IS NULL AND candidate.pos <> 'adj' AS is_free,
        is_listed OR CASE candidate.pos
            WHEN 'noun' THEN k.is_any OR k.is_noun
            WHEN 'verb' THEN (k.is_any OR k.is_verb) AND own.is_verb IS NOT true
            -- many nouns end in -er (runner), so for a lemma of unknown part of speech only -est counts
            ELSE (k.is_adj OR (k.is_any AND ends_with(w.word, 'est')))
                AND (own.is_noun OR own.is_verb) IS NOT true END AS fits
    FROM candidate
    JOIN word w USING (word)
    JOIN word l ON l.word = lemma
    JOIN known k ON k.word_id = l.word_id
    LEFT JOIN known own ON own.word_id = w.word_id
    WHERE candidate.kind = 'inflection'
),
-- Sources do not list every word that is used as a verb or a noun (interview, liberal). If nothing fits a word without
-- relations, any part of speech is accepted.
inflection AS (
    SELECT word_id, lemma_id, 'inflection' AS kind FROM proposed
    QUALIFY fits OR (is_free AND NOT bool_or(fits) OVER (PARTITION BY word_id))
),
written AS (
    SELECT word_id, word, folded, frequency, coalesce(n, 0) AS n, upper(word) = word AS is_upper
    FROM word LEFT JOIN known USING (word_id)
),
-- Words with the same key are variants of one word. A key is a spelling, which need not be a word of the store.
changed AS (
    SELECT *, 'hyphenation' AS kind, regexp_replace(word, '[ -]', '', 'g') AS key   -- well known, well-known
    FROM written WHERE NOT regexp_matches(word, $1)
    UNION ALL
    SELECT *, 'spelling', regexp_replace(word, '[''‘’ʼ´`] ?', '''', 'g') FROM written   -- o' clock, o'clock
    UNION ALL
    SELECT *, 'spelling', left(word, 1) || substr(folded, 2)    -- send to Coventry, but not Polish or AIDS
    FROM written WHERE NOT (is_upper AND len(word) < 5)
    UNION ALL
    SELECT *, 'spelling', folded FROM written WHERE is_upper AND len(word) > 4 AND n = 0    -- VELDT
    UNION ALL
    SELECT w.*, 'spelling', lemma FROM written w JOIN candidate USING (word) WHERE candidate.kind = 'spelling'
),
keyed AS (
    FROM changed WHERE key <> word
    UNION ALL
    SELECT w.*, k.* FROM (SELECT DISTINCT kind, key FROM changed WHERE key <> word) k JOIN written w ON w.word = k.key
),
-- the lemma is the word with the most relations; of several, the most frequent one
variant AS (
    SELECT word_id, first_value(word_id) OVER (
            PARTITION BY kind, key ORDER BY n DESC, frequency DESC NULLS LAST, word_id
        ) AS lemma_id, kind
    FROM keyed
),
by_rule AS (
    SELECT word_id, lemma_id, min(kind) AS kind FROM (FROM inflection UNION ALL FROM variant) GROUP BY word_id, lemma_id
)
SELECT DISTINCT * FROM (
    FROM listed
    UNION ALL
    SELECT *, 'rules' FROM by_rule ANTI JOIN listed USING (word_id, lemma_id)
)
WHERE word_id <> lemma_id
ORDER BY ALL;
