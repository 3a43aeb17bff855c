"""What operations and schemas are called: the names of rpcs and messages, told apart where all areas share one list."""

from google.protobuf.descriptor import MethodDescriptor

from rest_facade.routes import Route

OPERATIONS = {
    "ingate.audit.v1.AuditService.GetEntry": "getAuditEntry",
    "ingate.audit.v1.AuditService.ListEntries": "listAuditEntries",
    "ingate.auth.v1.AuthService.Me": "getMe",
}
"""Full names of rpcs whose own name says too little."""
ALIASES = {
    ("POST", "/api/v1/login"): "loginByShortPath",
    ("POST", "/api/v1/signup"): "signupByShortPath",
    ("GET", "/api/v1/org"): "getOwnOrg",
    ("PUT", "/api/v1/org"): "updateOwnOrg",
}
"""The routes of rpcs that have another one before."""
SCHEMAS = {
    "ingate.audit.v1.Entry": "AuditEntry",
    "ingate.audit.v1.ListEntriesResponse": "ListAuditEntriesResponse",
    "ingate.exchanges.v1.Attempt": "ExchangeAttempt",
    "ingate.exchanges.v1.Cache": "ExchangeCache",
    "ingate.exchanges.v1.Level": "ExchangeLevel",
    "ingate.exchanges.v1.Source": "ExchangeSource",
    "ingate.system.v1.Job": "HealthJob",
    "ingate.system.v1.Journal": "HealthJournal",
    "ingate.system.v1.Parts": "HealthParts",
}
"""Full names of messages and enumerations whose own name says too little."""


def operation_id(route: Route, method: MethodDescriptor) -> str:
    """Returns the name of the operation of a route, such as `createKey`; unique among the native routes."""
    stated = ALIASES.get((route.verb, route.template)) or OPERATIONS.get(method.full_name)
    return stated or method.name[0].lower() + method.name[1:]


def schema_name(full_name: str) -> str:
    """Returns the name of the schema of a message or an enumeration, such as `CreateKeyRequest`."""
    return SCHEMAS.get(full_name) or full_name.rpartition(".")[2]
