"""Examines lineup files, workbooks and calendars: what they are, and what a person must decide."""
