"""What a driver without a contract sees: scan, choose, pay, charge, receipt (OCPP 2.1 C25). No login, no cookies."""
