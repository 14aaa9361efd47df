"""The PKI toolkit of cfssl: its JSON in, its certificates, CRLs and JSON out."""
