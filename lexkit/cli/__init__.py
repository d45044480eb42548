"""The command line: one module per group of commands. They parse, call the library, and print; nothing else prints."""
