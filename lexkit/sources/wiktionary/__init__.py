"""Wiktionary as wiktextract writes it: JSON lines, read in blocks by as many processes as there are cores.

`blocks` cuts a file into blocks of whole lines, `entries` makes records of a block, `workers` does so in other
processes, and `reader` puts it all together.
"""
