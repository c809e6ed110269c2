"""The table's names: keys, indexes, attributes, and the limits that DynamoDB sets.

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
    """A global secondary index: its name and keys. All project every attribute."""

    name: str
    partition_key: str
    sort_key: str
    sort_type: str = "S"


DATE_INDEX = Index("DateIndex", "Date", "StartSort")
STAGE_INDEX = Index("StageIndex", "Stage", "DateStart")
POPULARITY_INDEX = Index("PopularityIndex", "PopularityBucket", "Popularity", "N")
INDEXES = (DATE_INDEX, STAGE_INDEX, POPULARITY_INDEX)


class Attribute(NamedTuple):
    """One attribute of an item.

    `value` is made from a performance's parts: performer, stage, date, start and end (minutes),
    begins (the start by the file's clock), starts_at and ends_at (by a wall clock), popularity, and
    source (the file). If the part that `needs` names is missing, so is the attribute.
    """

    name: str
    type: str
    value: str
    needs: str = ""


# The order matters: all code that writes an item or a row, or reads columns, follows this table.
# The keys use the file's own clock, which runs past 24:00 if the file has festival days.
ATTRIBUTES = (
    Attribute("Performer", "S", "{performer}"),
    Attribute("Performance", "S", "{date}#{begins}#{stage}"),
    Attribute("Stage", "S", "{stage}"),
    Attribute("Date", "S", "{date}"),
    Attribute("StartTime", "S", "{starts_at}"),
    Attribute("EndTime", "S", "{ends_at}"),
    Attribute("StartMinutes", "N", "{start}"),
    Attribute("EndMinutes", "N", "{end}"),
    Attribute("DateStart", "S", "{date}#{begins}"),
    Attribute("StartSort", "S", "{begins}"),
    Attribute("Popularity", "N", "{popularity}", needs="popularity"),
    Attribute("PopularityBucket", "S", POPULARITY_BUCKET, needs="popularity"),
    Attribute("Source", "S", "{source}", needs="source"),
)


# "Burst and adaptive capacity": no partition takes more than 1,000 WRU a second; "On-demand
# capacity mode": a new table, and each new index, takes 4,000.
PARTITION_LIMIT = 1000
NEW_TABLE_LIMIT = 4000
