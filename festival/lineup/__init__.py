"""Text to performances: what a lineup file is, and how it is read. Standard library only."""
