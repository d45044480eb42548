"""Wordnets: Princeton's, the Open English WordNet, and others in the format of either.

`wndb` reads the database files of Princeton, `lmf` the XML of the Global WordNet Association; both make synsets, of
which `synsets` makes records. `reader` opens folders and archives.
"""

from lexkit.sources.wordnet.reader import READER

__all__ = ["READER"]
