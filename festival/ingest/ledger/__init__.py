"""The ledger: the record of every ingest, and the leases on files. It imports none of its users."""
