"""Read Wiktionary as JSON lines from wiktextract, in blocks, with as many processes as there are cores.

`blocks` cuts a file into blocks of whole lines, `decoding` defines which fields of a line are decoded, and `entries`
turns them into records with the help of `targets` and `references` (the words that a linkage names), `senses` (the
senses it belongs to), `labels` (how a word is used) and `forms` (which words are forms of others). `workers` runs this
in other processes, and `reader` combines everything. `thesaurus` marks antonyms that old extracts have wrong.
"""
