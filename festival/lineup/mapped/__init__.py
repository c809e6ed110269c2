"""Mappings' options and rules, and rare forms of dates and times. Loaded only when needed."""
