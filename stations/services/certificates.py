"""Certificates of stations (1.6 security white paper A02, A03, M03 to M05; OCPP 2.1 blocks A and M)."""

from stations.services.client_certificates import check_client, find_valid

__all__ = ["check_client", "find_valid"]
