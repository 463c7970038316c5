"""Stories of OCPP 2.0.1 and 2.1 over a real socket."""
