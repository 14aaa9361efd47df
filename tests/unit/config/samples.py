"""Texts of configurations that are right, for tests to spoil."""

from __future__ import annotations

HOST = """[[hosts]]
name = "iot.example.com"
certificate = "certs/server.pem"
private_key = "certs/server-key.pem"
origin = "http://127.0.0.1:9000"
"""

SERVER = """[server]
listen = ["0.0.0.0:8443"]
"""

MINIMAL = SERVER + HOST
"""Seven lines; what a test appends begins at line 8."""

CA = """[[mtls_certificates]]
name = "Device CA"
certificate = "certs/ca.pem"
associated_hostnames = ["iot.example.com"]
"""

APPLICATION = """[[applications]]
name = "Telemetry"
domain = "iot.example.com/ingest"
  [[applications.policies]]
  name = "devices"
  decision = "non_identity"
  include = ["certificate"]
"""

GROUP = """[[groups]]
id = "ops"
include = [{ common_name = "alice" }]
"""

FULL = MINIMAL + CA + APPLICATION + GROUP
