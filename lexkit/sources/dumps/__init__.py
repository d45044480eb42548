"""Turn MediaWiki XML dumps of Wiktionary into JSON lines, with wiktextract running in processes with limits."""
