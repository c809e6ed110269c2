"""Asks the table: access patterns, and a fast reader of whole answers. boto3 only."""
