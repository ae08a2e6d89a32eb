"""What runs in the processes of validations, and not in that of the service."""
