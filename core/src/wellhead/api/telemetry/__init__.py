"""What an operator sees of the service: numbers, log lines of requests, and traces."""
