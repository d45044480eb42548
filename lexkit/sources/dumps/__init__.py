"""Makes JSON lines of MediaWiki XML dumps of Wiktionary, by wiktextract in bounded processes of its own."""
