"""Wiktionary as wiktextract writes it: JSON lines, read in blocks by as many processes as there are cores.

`blocks` cuts a file into blocks of whole lines, `decoding` says what is read of a line, and `entries` makes records of
it with the help of `targets` and `references` (what a linkage names), `senses` (of which sense it is), `labels` (how a
word is used) and `forms` (what is a form of another word). `workers` does so in other processes, and `reader` puts it
all together. `thesaurus` marks antonyms that old extracts got wrong.
"""
