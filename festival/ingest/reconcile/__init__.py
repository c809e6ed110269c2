"""What a new version of a file changed, and removing its stale items. Loaded only when used."""
