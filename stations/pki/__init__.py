"""PURE: X.509 as OCPP uses it. Certificates read, requests judged, hash data computed, chains verified.

No database and no settings: the rules of the 1.6 security white paper (sections 2.5 to 2.6, 6.1), OCPP 2.1 block A and
block M, and RFC 5280 as functions of bytes and moments.
"""
