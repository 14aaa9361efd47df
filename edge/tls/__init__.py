"""The only room that says OpenSSL: it records what a handshake proved and judges nothing."""
