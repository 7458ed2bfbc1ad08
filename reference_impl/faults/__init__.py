"""The faults of the reference node and client: what each is, and exactly which requirements turn on it.

The tables say what a fault breaks: ``server.toml`` (the node) and ``client.toml`` under the current B.12 and B.13,
``retired_*.toml`` under retired profiles and older wordings, ``beside_*.toml`` under A.6 and the profiles of IHE. What
a fault does stands in `reference_impl.transport.faults` and `reference_impl.transport.client_faults`.
"""

from reference_impl.faults.annex_b import Fault, check_names, load_faults
from reference_impl.faults.tables import UnknownFaultError

__all__ = ["Fault", "UnknownFaultError", "check_names", "load_faults"]
