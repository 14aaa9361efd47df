"""Who may pass: applications, policies, rules, verdicts and tokens. Pure."""
