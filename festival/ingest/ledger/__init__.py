"""The record of every ingest, and the leases: a store that knows nothing of its users."""
