"""HTTP/1.1 as the facade receives it: heads, bodies and connections, read in one way for all owners of paths."""

from rest_facade.http1.body import Body
from rest_facade.http1.connection import Connection
from rest_facade.http1.head import Head, Heads, split_target
from rest_facade.http1.owner import Owner, Table
from rest_facade.http1.service import Limits

__all__ = ["Body", "Connection", "Head", "Heads", "Limits", "Owner", "Table", "split_target"]
