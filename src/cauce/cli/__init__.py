"""The command line: thin; every command has `--json` and says what it did."""
