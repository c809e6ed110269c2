"""What a lineup file is, and what only a person can decide about it."""
