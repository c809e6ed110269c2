"""What a mapping changes. Loaded only where a mapping is given."""
