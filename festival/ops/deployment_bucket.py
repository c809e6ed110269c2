"""The bucket that holds what is deployed: made where it is missing, never someone else's."""

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from festival.errors import FestivalError

LONGEST_BUCKET_NAME = 63


def default_bucket_name(prefix: str, account: str, region: str) -> str:
    """A bucket name that is free in all likelihood: names are shared by everyone on AWS.

    Raises FestivalError where it would be too long for S3.
    """
    name = f"{prefix}-{account}-{region}".lower()
    if len(name) > LONGEST_BUCKET_NAME:
        raise FestivalError(
            f"The bucket name {name} has {len(name)} characters and S3 takes"
            f" {LONGEST_BUCKET_NAME}: name the bucket yourself"
        )
    return name


def ensure_bucket(session: Any, name: str, account: str) -> None:
    """Find the bucket of this account in this region, or make it: private, versioned.

    Raises FestivalError where the name belongs to another account or the bucket is elsewhere.
    """
    s3 = session.client("s3")
    try:
        found = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchBucket"):
            raise FestivalError(
                f"The deployment bucket {name} is not of the account {account}, or may not be seen:"
                " choose another name with --deployment-bucket"
            ) from error
        _make_bucket(s3, name, session.region_name)
        return
    region = found.get("BucketRegion", session.region_name)
    if region != session.region_name:
        raise FestivalError(
            f"The deployment bucket {name} is in {region} and the stack in {session.region_name}:"
            " Lambda takes its code from its own region; choose another with --deployment-bucket"
        )


def upload_once(session: Any, bucket: str, key: str, file: Path) -> str:
    """Put the file under a key that stands for its content, unless it is there; return the key."""
    s3 = session.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    if not any(entry["Key"] == key for entry in listed.get("Contents", [])):
        with file.open("rb") as content:
            s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key


def _make_bucket(s3: Any, name: str, region: str) -> None:
    # us-east-1 is S3's default and the one region that may not be named here.
    where = (
        {}
        if region == "us-east-1"
        else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    s3.create_bucket(Bucket=name, **where)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
