"""What the operator said: TOML in, one validated configuration or every error out."""
