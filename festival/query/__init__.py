"""Queries the table: the access patterns, and a fast reader of their answers. boto3 only."""
