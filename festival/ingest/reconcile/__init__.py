"""Compares a file's versions, and removes their stale items. Loaded only when used."""
