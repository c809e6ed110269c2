"""The record of every ingest, and the leases: a store that knows none of its users."""
