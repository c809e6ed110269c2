"""What a mapping changes. Loaded only if a mapping is given."""
