"""Our simulated eMSP as the tests use it: the demo's partner, which is a strict referee, with fault modes.

It shares no code with the platform (`cpo.simulator.partner`, standard library only).
"""

from cpo.simulator.partner import Answer, Partner, Refused, Seen, now_text, wait_for
from cpo.simulator.partner_http import FAULTS

__all__ = ["FAULTS", "Answer", "Partner", "Refused", "Seen", "now_text", "wait_for"]
