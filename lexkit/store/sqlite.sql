-- every relation in both directions
CREATE VIEW synonyms AS
    SELECT word_a AS word, word_b AS synonym, direct, n_sources, sources, contested, pos, same_pos, usage_b AS usage,
        confidence, weight_a AS weight
    FROM relations WHERE kind = 'synonym'
    UNION ALL
    SELECT word_b, word_a, direct, n_sources, sources, contested, pos, same_pos, usage_a, confidence, weight_b
    FROM relations WHERE kind = 'synonym';

CREATE VIEW antonyms AS
    SELECT word_a AS word, word_b AS antonym, direct, n_sources, sources, contested, pos, same_pos, usage_b AS usage,
        confidence, weight_a AS weight
    FROM relations WHERE kind = 'antonym'
    UNION ALL
    SELECT word_b, word_a, direct, n_sources, sources, contested, pos, same_pos, usage_a, confidence, weight_b
    FROM relations WHERE kind = 'antonym';
