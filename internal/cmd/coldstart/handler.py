"""The guardrail's job as a Lambda function in Python would do it: a statement that
lets everybody in is taken out of the live policy, and seen to be out.

What it does not do: a condition, whatever it says, counts as a restriction; a Deny,
function URLs, new APIs, exemptions and audit are passed over.
"""

import json

import boto3
from botocore.config import Config

client = boto3.client("lambda", config=Config(retries={"mode": "standard", "max_attempts": 8}))


def is_public(statement):
    principal = statement.get("Principal")
    if isinstance(principal, dict):
        principal = principal.get("AWS")
    if isinstance(principal, str):
        principal = [principal]
    return statement["Effect"] == "Allow" and "*" in (principal or []) and "Condition" not in statement


def read(target):
    """Return the statements of the live policy, and its revision."""
    try:
        answer = client.get_policy(**target)
    except client.exceptions.ResourceNotFoundException:
        return [], None
    statements = json.loads(answer["Policy"])["Statement"]
    return statements if isinstance(statements, list) else [statements], answer["RevisionId"]


def handler(event, context):
    detail = event["detail"]
    if not detail["eventName"].startswith("AddPermission") or detail.get("errorCode"):
        return
    if not is_public(json.loads(detail["responseElements"]["statement"])):
        return
    parameters = detail["requestParameters"]
    target = {"FunctionName": parameters["functionName"]}
    if parameters.get("qualifier"):
        target["Qualifier"] = parameters["qualifier"]

    removed = []
    statements, revision = read(target)
    while public := [s for s in statements if is_public(s)]:
        client.remove_permission(**target, StatementId=public[0]["Sid"], RevisionId=revision)
        removed.append(public[0])
        statements, revision = read(target)

    role = client.get_function_configuration(**target)["Role"]
    actor = detail.get("userIdentity", {}).get("arn")
    outcome = "reverted" if removed else "already-gone"
    print(json.dumps({"msg": "finding", "outcome": outcome, "removed": removed, "actor": actor, "role": role, **target}))
