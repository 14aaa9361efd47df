"""One generation of everything a request may know, built whole and never changed."""
