"""What Schemathesis has to be told about Plaza: who asks, and what an answer may be.

Loaded by `st run` through SCHEMATHESIS_HOOKS; who they are and what there is stands in the environment.
"""

import atexit
import collections
import itertools
import json
import os
import urllib.request
import uuid

import schemathesis

ORIGIN = os.environ["PLAZA_ORIGIN"]
PASSWORD = os.environ["PLAZA_PASSWORD"]
OWNER = "owner@acme.example"
ADMINISTRATOR = os.environ["PLAZA_ADMINISTRATOR"]

# What there is, by the collection that a path names before an id.
KNOWN = json.loads(os.environ["PLAZA_KNOWN"])
# What is known from when it was made, under the collection that paths name before its id.
MADE = {"import_recipients": "imports", "send_message": "messages"}
# Operations that were answered 2xx at least once are written here.
SUCCEEDED_FILE = os.environ["PLAZA_SUCCEEDED"]
SUCCEEDED = set()
NAME_A_VERSION = {"update_campaign", "update_template", "put_tenant_config", "put_tenant_config_namespace"}
NUMBERS = itertools.count(1)
CALLS = collections.defaultdict(itertools.count)

# Answered before there is an operation: another method, a head that is too long, a head or body that stops to come.
BEFORE_ANY_OPERATION = {405, 408, 431}


def who(case, context):
    """The owner of a tenant asks for what is the tenant's, whoever runs the platform for the rest."""
    rule = context.operation.definition.raw.get("x-plaza-access", "")
    return ADMINISTRATOR if rule == "platform_admin" else OWNER


# A token is good for ten minutes.
@schemathesis.auth(refresh_interval=240, cache_by_key=who)
class ByRule:
    """A session of whoever the operation is for."""

    def get(self, case, context):
        body = json.dumps({"email": who(case, context), "password": PASSWORD}).encode()
        request = urllib.request.Request(f"{ORIGIN}/api/v1/auth/login", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["access_token"]

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


def body_that_is_taken(operation):
    """Chance hardly ever finds what more than the document decides about: names that are free, ids of something."""
    number = next(NUMBERS)
    email = f"guest{number}@acme.example"
    campaign = {"name": f"Campaign {number}", "template_id": KNOWN["templates"], "audience": {"country": "IS"}}
    template = {"name": f"text_{number}", "language": "en", "category": "UTILITY", "body": "Hello"}
    return {
        "add_recipient": {"name": "Guest", "phone": f"+491511741{number % 10_000:04}", "opted_in": True},
        # Nobody gives to themselves, and the known one is who asks.
        "assign_role": {"user_id": str(uuid.uuid4())},
        "create_campaign": campaign,
        "create_role": {"name": f"Role {number}", "permissions": ["campaigns.view"]},
        "create_sender": {
            "name": f"Sender {number}", "phone_number_id": f"20654{number:09}", "access_token": "token",
        },
        "create_template": template,
        "create_tenant": {"slug": f"t{number}", "name": "T", "admin_email": email},
        "create_user": {"email": email},
        "enable_menu": {"tenant_id": KNOWN["spare"], "menu": "logs"},
        "estimate": {"template_id": KNOWN["templates"]},
        "forgot_password": {"email": email},
        "login": {"email": OWNER, "password": PASSWORD},
        "put_secret": {"value": "a secret"},
        "put_tenant_config": {"branding": {"display_name": f"Acme {number}"}},
        "put_tenant_config_namespace": {"display_name": f"Acme {number}"},
        "register": {"email": email, "password": PASSWORD, "tenant": "acme"},
        "renew_sender_token": {"access_token": "another-token"},
        "reply_conversation": {"text": "Hello"},
        "resend_verification": {"email": email},
        "send_message": {
            "channel": "whatsapp", "to": f"+491511742{number % 10_000:04}",
            "template": {"name": "hello", "language": "en"},
        },
        "suppress": {"address": f"+491511743{number % 10_000:04}"},
        "update_campaign": {"name": f"Campaign {number}"},
        "update_me": {"name": f"Owner {number}"},
        "update_role": {"name": f"Role {number}"},
        "update_template": template,
        "update_tenant": {"name": f"Acme {number}"},
        "update_user": {"name": f"Guest {number}"},
    }.get(operation)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Every second request is one that should be done; of those that name something, every second is about what there is."""
    operation = case.operation.definition.raw["operationId"]
    call = next(CALLS[operation])
    if call % 2 == 0:
        return
    body = body_that_is_taken(operation)
    if body is not None:
        case.body = body
        case.media_type = "application/json"
    if body is not None or operation == "verify_audit":
        case.query = {}
    if call % 4 == 1 and case.method != "DELETE" and case.path_parameters:
        segments = case.operation.path.split("/")
        for before, segment in zip(segments, segments[1:]):
            if segment.startswith("{") and before in KNOWN:
                case.path_parameters[segment.strip("{}")] = KNOWN[before]
        # Of a version that it may have by now.
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "if-match"}
        if operation in NAME_A_VERSION:
            case.headers["If-Match"] = f'"v{call // 4 % 8}"'


@schemathesis.hook
def after_call(context, case, response):
    if not 200 <= response.status_code < 300:
        return
    operation = case.operation.definition.raw["operationId"]
    SUCCEEDED.add(operation)
    if operation in MADE:
        KNOWN[MADE[operation]] = response.json()["id"]


@atexit.register
def tell_what_succeeded():
    with open(SUCCEEDED_FILE, "w") as file:
        json.dump(sorted(SUCCEEDED), file)


@schemathesis.check
def status_is_documented_by_itself(ctx, response, case):
    """`default` says that everything else is a problem too. Nothing that an operation answers may need it."""
    documented = {str(status) for status in case.operation.responses.status_codes}
    status = str(response.status_code)
    if status not in documented and response.status_code not in BEFORE_ANY_OPERATION:
        raise AssertionError(f"{status} is documented by `default` alone: {response.text[:300]}")


@schemathesis.check
def errors_are_problems(ctx, response, case):
    """Whatever fails says so in one form (RFC 9457), with a stable code."""
    if response.status_code < 400 or response.status_code in BEFORE_ANY_OPERATION:
        return
    kind = response.headers.get("content-type", [""])[0]
    if kind != "application/problem+json":
        raise AssertionError(f"{response.status_code} with the content type {kind!r}")
    problem = response.json()
    code = problem.get("code", "")
    if problem.get("status") != response.status_code or not code or code != code.upper():
        raise AssertionError(f"not a problem of this house: {problem}")


@schemathesis.check
def nothing_of_ours_is_told(ctx, response, case):
    """No statement, no place in our sources, no address of another part."""
    if case.operation.path.startswith("/dev/"):
        return  # What developers are shown are mails, with links to this very machine.
    # Links lead to where we are.
    text = response.text.replace(ORIGIN, "")
    for told in ("SELECT ", "INSERT INTO", "panicked", ".rs:", "postgres", "stack backtrace", "127.0.0.1"):
        if told in text and told not in str(case.body or "") and told not in str(case.query or ""):
            raise AssertionError(f"tells {told!r}: {text[:300]}")


@schemathesis.check
def strangers_are_kept_out(ctx, response, case):
    """Where a rule needs a caller, what came without one, or with another token, was refused: by the document's own word."""
    rule = case.operation.definition.raw.get("x-plaza-access", "")
    secured = bool(case.operation.definition.raw.get("security"))
    if rule in ("anyone", "internal", "development", "signature") and secured:
        raise AssertionError(f"`{rule}` needs no token, and the document says that one is needed")
    if rule not in ("anyone", "internal", "development", "signature") and not secured:
        raise AssertionError(f"`{rule}` needs a token, and the document does not say so")
