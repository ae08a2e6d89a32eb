"""The certificates of `wellhead.testing`, by the name that tests know them by."""

from wellhead.testing.certificates import Authority, Certificates, Pair, make_certificates

__all__ = ["Authority", "Certificates", "Pair", "make_certificates"]
