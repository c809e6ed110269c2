"""The ingest under faults: seeded schedules between the code and a stand-in for AWS, or moto."""
