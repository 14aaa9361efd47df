"""Known ways past a mutual-TLS terminator, tried from outside against a server that one owns."""
