"""The exchange journal: records survive the process, the core and the network, and arrive at least once.

`Journal` keeps opaque records in segment files, `Shipper` hands them on in
batches. Neither knows what a record holds or who receives it.
"""

from ingate.proxy.journal.counts import Counts
from ingate.proxy.journal.dead_letters import read_all
from ingate.proxy.journal.journal import Journal
from ingate.proxy.journal.shipper import NotShipped, Rejected, Shipper, Stopped

__all__ = ["Counts", "Journal", "NotShipped", "Rejected", "Shipper", "Stopped", "read_all"]
