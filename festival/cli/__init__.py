"""The `festival` command: parsing and printing only."""
