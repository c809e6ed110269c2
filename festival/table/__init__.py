"""The single table: its schema, items, bulk writer and access patterns. boto3 only."""
