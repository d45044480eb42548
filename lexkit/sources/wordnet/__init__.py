"""Read wordnets: Princeton's, the Open English WordNet, and others in the format of either.

`wndb` reads Princeton's database files, and `lmf` the XML of the Global WordNet Association. Both yield synsets, which
`synsets` turns into records. `reader` opens folders and archives.
"""

from lexkit.sources.wordnet.reader import READER

__all__ = ["READER"]
