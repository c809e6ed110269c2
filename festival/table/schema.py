"""The table's names: keys, indexes, attributes and the limits DynamoDB sets on them.

Limits: "Quotas in Amazon DynamoDB" (docs: ServiceQuotas, Constraints).
"""

from typing import NamedTuple

PARTITION_KEY = "Performer"
SORT_KEY = "Performance"
POPULARITY_BUCKET = "POPULARITY"

MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_ITEM_BYTES = 400 * 1024
MAX_BATCH_ITEMS = 25


class Index(NamedTuple):
    """A global secondary index: its name, keys. All project every attribute."""

    name: str
    partition_key: str
    sort_key: str
    sort_type: str = "S"


DATE_INDEX = Index("DateIndex", "Date", "StartSort")
STAGE_INDEX = Index("StageIndex", "Stage", "DateStart")
POPULARITY_INDEX = Index("PopularityIndex", "PopularityBucket", "Popularity", "N")
INDEXES = (DATE_INDEX, STAGE_INDEX, POPULARITY_INDEX)


# "Burst and adaptive capacity": no partition takes more than 1,000 WRU a second; "On-demand
# capacity mode": a new table, and each new index, takes 4,000.
PARTITION_LIMIT = 1000


NEW_TABLE_LIMIT = 4000
