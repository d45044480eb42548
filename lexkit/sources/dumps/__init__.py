"""MediaWiki XML dumps of Wiktionary, made into wiktextract's JSON lines by wiktextract in processes of its own."""
