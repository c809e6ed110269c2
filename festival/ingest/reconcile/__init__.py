"""What a new version of a file changed, and removing what it left. Loaded only when used."""
