"""Applications for the Python servers of the comparison. They run in processes of their own."""
