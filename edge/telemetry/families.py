"""Every metric there is. Names and units follow Prometheus: base units, ``_total`` for what only grows.

What has a limit has a metric that says when it bit. Label values are the configuration's own names and
closed lists, never a stranger's text, so that their number is bounded.
"""

from __future__ import annotations

from edge.telemetry.metrics import Family, Kind

_DURATIONS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds: from an answer of the edge itself to a patient origin."""

# --- connections and handshakes, counted by the workers -------------------------------------------------

CONNECTIONS_OPEN = Family("edge_connections_open", Kind.GAUGE, "Client connections that are open.")
CONNECTIONS = Family(
    "edge_connections_total",
    Kind.COUNTER,
    "Client connections, by outcome: served, told (handshake and a 503), turned_away (closed at once).",
    ("outcome",),
)
HANDSHAKES = Family(
    "edge_handshakes_total",
    Kind.COUNTER,
    "Handshakes, by host (empty: none was found), result (full, resumed, failed) and TLS version.",
    ("host", "result", "tls_version"),
)
HANDSHAKE_DURATION = Family(
    "edge_handshake_duration_seconds",
    Kind.HISTOGRAM,
    "From accept to the end of a handshake that succeeded.",
    bounds=_DURATIONS,
)
PROXY_HEADERS = Family(
    "edge_proxy_headers_total",
    Kind.COUNTER,
    "Connections of trusted proxies, by their PROXY header: carried (a client's address), own, refused.",
    ("result",),
)
CUT = Family(
    "edge_cut_total",
    Kind.COUNTER,
    "Connections ended by a limit, by the limit's name.",
    ("limit",),
)

# --- requests ------------------------------------------------------------------------------------------

REQUESTS = Family(
    "edge_requests_total",
    Kind.COUNTER,
    "Requests, by host (empty: none found), class of the status (2xx) and reason of a refusal (else empty).",
    ("host", "status_class", "reason"),
)
REQUEST_DURATION = Family(
    "edge_request_duration_seconds",
    Kind.HISTOGRAM,
    "From the last octet of a request's head to the end of its answer.",
    bounds=_DURATIONS,
)
ORIGIN_DURATION = Family(
    "edge_origin_duration_seconds",
    Kind.HISTOGRAM,
    "From asking an origin to the end of its answer.",
    bounds=_DURATIONS,
)
ORIGIN_ERRORS = Family(
    "edge_origin_errors_total",
    Kind.COUNTER,
    "Requests that failed at their origin, by origin and reason.",
    ("origin", "reason"),
)
RECEIVED = Family(
    "edge_received_bytes_total", Kind.COUNTER, "Bytes of request bodies and tunnels, from clients."
)
SENT = Family("edge_sent_bytes_total", Kind.COUNTER, "Bytes of answers and tunnels, to clients.")
REPORT_ONLY = Family(
    "edge_report_only_total",
    Kind.COUNTER,
    "Requests that report_only had a say in, by what would have become of them: allow, or a reason.",
    ("application", "reason"),
)

# --- certificates ----------------------------------------------------------------------------------------

CLIENT_CERTIFICATES_EXPIRING = Family(
    "edge_client_certificates_expiring_total",
    Kind.COUNTER,
    "Client certificates seen that end within so many days (30, 14, 7, 1); each once a day and worker.",
    ("host", "days"),
)
CLIENT_CERTIFICATE_EXPIRY = Family(
    "edge_client_certificate_expiry_seconds",
    Kind.TIME,
    "When client certificates that were seen end, in seconds since the epoch: the soonest 50 of each host.",
    ("host", "serial"),
)
SERVER_CERTIFICATE_EXPIRY = Family(
    "edge_server_certificate_expiry_seconds",
    Kind.TIME,
    "When a host's own certificate ends, in seconds since the epoch.",
    ("host",),
)
CA_CERTIFICATE_EXPIRY = Family(
    "edge_ca_certificate_expiry_seconds",
    Kind.TIME,
    "When the first certificate of a client CA's chain ends, in seconds since the epoch.",
    ("ca",),
)
CRL_NEXT_UPDATE = Family(
    "edge_crl_next_update_seconds",
    Kind.TIME,
    "When a client CA's CRL is stale, in seconds since the epoch; the first of them.",
    ("ca",),
)

# --- the edge itself -----------------------------------------------------------------------------------

BUILD_INFO = Family(
    "edge_build_info",
    Kind.GAUGE,
    "Always 1; the versions are in the labels.",
    ("version", "openssl", "python", "tls_calls"),
)
WORKERS = Family("edge_workers", Kind.GAUGE, "Workers that serve.")
WORKER_DEATHS = Family("edge_worker_deaths_total", Kind.COUNTER, "Workers that ended without being told to.")
GENERATION = Family("edge_configuration_generation", Kind.GAUGE, "Generation of the configuration in force.")
RELOADS = Family(
    "edge_reloads_total",
    Kind.COUNTER,
    "Reloads, by result: done, unchanged, failed.",
    ("result",),
)
LAST_RELOAD_FAILED = Family(
    "edge_last_reload_failed",
    Kind.GAUGE,
    "1 if the last reload was refused and an older configuration is in force, else 0.",
)
LAST_RELOAD = Family(
    "edge_last_reload_timestamp_seconds",
    Kind.TIME,
    "When the configuration was last looked at, in seconds since the epoch.",
)
LOG_LINES_LOST = Family(
    "edge_log_lines_lost_total",
    Kind.COUNTER,
    "Lines of the log that its reader did not take.",
)
