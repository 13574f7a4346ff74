"""What all parts of the backend rest on."""
