"""The processes of the service, the sockets that they share, and the connections of clients."""
