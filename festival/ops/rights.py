"""Which command and notebook needs which rights: one list of IAM actions, for the stack's policies.

What is not in it needs none: check, normalize, build, demo, local, lab, and the notebooks validate
(on files of one's own) and cost_model. For deploy and teardown the list has the calls of the kit
itself; CloudFormation makes its own in the caller's name, and needs what creating, changing and
removing each resource of the template takes.
"""

FIND_STACK = {"cloudformation:DescribeStacks"}
INGEST = FIND_STACK | {
    "dynamodb:BatchWriteItem",
    "dynamodb:GetItem",
    "dynamodb:UpdateItem",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:PutObject",
}

ANALYST = {
    "festival query": FIND_STACK | {"dynamodb:Query"},
    "festival history": FIND_STACK | {"dynamodb:Query"},
    "notebook query, to s3://": FIND_STACK
    | {"dynamodb:DescribeTable", "dynamodb:Query", "s3:GetObject", "s3:PutObject"},
    "notebook validate, on s3://": {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"},
}

OPERATOR = {
    "festival ingest FILE": FIND_STACK | {"dynamodb:BatchWriteItem"},
    "festival ingest s3://": INGEST,
    "festival ingest --notify": INGEST | {"sns:Publish"},
    "festival reconcile": FIND_STACK
    | {
        *("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
        *("s3:GetObject", "s3:ListBucket"),
    },
    "festival reconcile --yes": FIND_STACK
    | {
        *("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("s3:GetObject", "s3:ListBucket"),
    },
    "festival status": FIND_STACK
    | {
        *("cloudwatch:DescribeAlarms", "dynamodb:Query"),
        *("sns:ListSubscriptionsByTopic", "sqs:GetQueueAttributes"),
    },
    "festival dlq": FIND_STACK
    | {
        *("dynamodb:GetItem", "dynamodb:Query"),
        *("sqs:ChangeMessageVisibility", "sqs:ReceiveMessage"),
    },
    "festival dlq --redrive": FIND_STACK
    | {
        *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        *("sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"),
    },
    "notebook backfill, direct": INGEST | {"s3:ListBucketVersions", "sns:Publish"},
    "notebook backfill, queue": FIND_STACK
    | {
        *("dynamodb:GetItem", "dynamodb:UpdateItem", "s3:GetObject", "s3:ListBucketVersions"),
        *("sns:Publish", "sqs:SendMessage"),
    },
}

DEPLOYER = {
    "festival deploy": FIND_STACK
    | {
        *("cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet"),
        *("cloudformation:DescribeStackEvents", "cloudformation:ExecuteChangeSet"),
        *("cloudformation:GetTemplateSummary", "s3:CreateBucket", "s3:ListBucket"),
        *("s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutObject"),
        "sts:GetCallerIdentity",
    },
    "festival deploy, once more": FIND_STACK
    | {
        *("cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet"),
        *("cloudformation:DescribeStackEvents", "cloudformation:ExecuteChangeSet"),
        *("cloudformation:GetTemplateSummary", "cloudformation:ListChangeSets"),
        *("s3:ListBucket", "sts:GetCallerIdentity"),
    },
    "festival teardown --delete-data": FIND_STACK
    | {
        *("cloudformation:DeleteStack", "cloudformation:DescribeStackEvents"),
        *("cloudformation:ListStackResources", "dynamodb:Scan", "dynamodb:UpdateTable"),
        *("s3:DeleteObjectVersion", "s3:ListBucketVersions"),
    },
}

# Allowed without a command or notebook that was seen to need it, and why.
BESIDES = {
    "dynamodb:GetItem": "aws dynamodb get-item, as the README has it",
    "s3:PutObject": "aws s3 cp of a lineup into the upload bucket",
    "logs:FilterLogEvents": "aws logs tail, as the alarms have it",
    "dynamodb:PutItem": "reconcile gives back an item that another file has, too",
    "s3:DeleteObject": "notebook backfill, bulk: the note of an unfinished load",
    "dynamodb:StartBulkPutItems": "notebook backfill, bulk",
    "dynamodb:DescribeBulkOperation": "notebook backfill, bulk",
    "kms:GenerateDataKey": "publishing to a topic under a key of one's own",
    "kms:Decrypt": "publishing to a topic under a key of one's own",
}
