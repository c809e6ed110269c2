"""Asking the table: access patterns, and the fast reader of whole answers. boto3 only."""
