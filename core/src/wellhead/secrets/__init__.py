"""The key ring, the encryption of secrets, references to secrets, and keeping secrets out of texts."""
