"""Wiktionary as wiktextract writes it: JSON lines, read in blocks by as many processes as there are cores.

`blocks` cuts a file into blocks of whole lines, `entries` makes records of a block with the help of `targets` (what a
linkage names), `labels` (how a word is used) and `forms` (what is a form of another word), `workers` does so in other
processes, and `reader` puts it all together.
"""
